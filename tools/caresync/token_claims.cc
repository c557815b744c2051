#include "tools/caresync/token_claims.h"

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/access/identity.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using nlohmann::json;

constexpr char kDefaultSource[] = "rota-import";

std::string TextOf(const json& claims, const char* name) {
  const auto claim = claims.find(name);
  return claim != claims.end() && claim->is_string() ? claim->get<std::string>() : std::string();
}

// Where the options' tenant came from: CLI11 does not tell. The command line wins over the environment, so a tenant
// that is not the environment's was given there.
bool TenantIsOfTheEnvironment(const Options& options) {
  const char* const named = std::getenv("CARESYNC_TENANT");
  return named != nullptr && options.tenant == named;
}

}  // namespace

TokenClaims ReadUnverified(const std::string& token) {
  // Header, claims, signature (RFC 7515, section 3.1).
  const size_t first = token.find('.');
  const size_t second = first == std::string::npos ? first : token.find('.', first + 1);
  if (second == std::string::npos) return {};
  std::string text;
  if (!absl::WebSafeBase64Unescape(token.substr(first + 1, second - first - 1), &text)) return {};
  const json claims = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!claims.is_object()) return {};
  return {TextOf(claims, "tenant"), TextOf(claims, "role"), TextOf(claims, "sub")};
}

absl::Status SettleTenant(Options& options) {
  if (options.token.empty()) return absl::OkStatus();
  const std::string tenant = ReadUnverified(options.token).tenant;
  if (tenant.empty() || tenant == options.tenant) return absl::OkStatus();
  if (options.tenant.empty()) {
    options.tenant = tenant;
    return absl::OkStatus();
  }
  if (!TenantIsOfTheEnvironment(options)) {
    return errors::Usage(absl::StrCat("--tenant says ", options.tenant,
                                      ", but the token (--token or CARESYNC_TOKEN) is of tenant ", tenant,
                                      ", and that is where the command would act. Give the token of tenant ",
                                      options.tenant, ", or leave --tenant out"));
  }
  return errors::Usage(
      absl::StrCat("CARESYNC_TENANT says ", options.tenant, ", but the token (--token or CARESYNC_TOKEN) is of tenant ",
                   tenant, ", and that is where the command would act. If you mean tenant ", tenant, ", give --tenant ",
                   tenant, " or run `unset CARESYNC_TENANT`; else give the token of tenant ", options.tenant));
}

absl::StatusOr<std::string> SourceOf(const Options& options, const std::optional<std::string>& given) {
  const TokenClaims claims = ReadUnverified(options.token);
  const bool of_source = claims.role == access::RoleName(access::Role::kRostering) && !claims.subject.empty();
  if (!of_source) return given.value_or(kDefaultSource);
  if (!given || *given == claims.subject) return claims.subject;
  return errors::Usage(absl::StrCat("--source says ", *given, ", but the token is of the rostering system ",
                                    claims.subject, ". Give the token of ", *given, ", or leave --source out"));
}

}  // namespace caresync::cli

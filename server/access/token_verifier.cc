#include "server/access/token_verifier.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "server/access/signing_key_data.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"

namespace caresync::access {
namespace {

using nlohmann::json;

absl::Status NotValid(std::string_view what) { return base::errors::CredentialNotValid(what); }

// The scheme's name in any letter case (RFC 7235, section 2.1).
std::optional<std::string> BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase({authorization.data(), authorization.size()}, {kScheme.data(), kScheme.size()})) {
    return std::nullopt;
  }
  return std::string(authorization.substr(kScheme.size()));
}

// The claims, once the signature is proven to be the key's by ES256. What the header asks for is looked at first, so
// that the library is never led to another algorithm.
absl::StatusOr<json> VerifiedClaims(const std::string& token, const cjose_jwk_t* key) {
  cjose_err error;
  const Jws jws(cjose_jws_import(token.data(), token.size(), &error));
  if (jws == nullptr) return NotValid("it is no compact JWS");
  // The JWS keeps its header.
  cjose_header_t* header = cjose_jws_get_protected(jws.get());
  const char* algorithm = header == nullptr ? nullptr : cjose_header_get(header, CJOSE_HDR_ALG, &error);
  if (algorithm == nullptr || std::string_view(algorithm) != CJOSE_HDR_ALG_ES256)
    return NotValid("its alg is not ES256");
  const std::unique_ptr<char, decltype(&std::free)> critical(cjose_header_get_raw(header, "crit", &error), &std::free);
  if (critical != nullptr) return NotValid("it has critical headers that are not known here");
  if (!cjose_jws_verify(jws.get(), key, &error)) return NotValid("its signature is not this server's");
  uint8_t* text = nullptr;
  size_t length = 0;
  if (!cjose_jws_get_plaintext(jws.get(), &text, &length, &error)) return NotValid("it has no claims");
  json claims = json::parse(text, text + length, nullptr, /*allow_exceptions=*/false);
  if (!claims.is_object()) return NotValid("its claims are no JSON object");
  return claims;
}

absl::StatusOr<std::string> TextClaim(const json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::string();
  if (!claim->is_string()) return NotValid(std::string("its claim ") + name + " is no text");
  return claim->get<std::string>();
}

// A NumericDate (RFC 7519, section 2); nullopt where the claim is absent.
absl::StatusOr<std::optional<absl::Time>> TimeClaim(const json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::optional<absl::Time>();
  if (!claim->is_number()) return NotValid(std::string("its claim ") + name + " is no time");
  const double seconds = claim->get<double>();
  if (!std::isfinite(seconds)) return NotValid(std::string("its claim ") + name + " is no time");
  return std::optional<absl::Time>(absl::UnixEpoch() + absl::Seconds(seconds));
}

absl::Status ReadCarerClaims(const json& claims, Identity& identity) {
  ASSIGN_OR_RETURN(const std::string device, TextClaim(claims, "device"));
  identity.device = base::Uuid::Parse(device);
  if (!identity.device.has_value()) return NotValid("a carer's must name the device by its UUID");
  if (!base::Uuid::Parse(identity.subject).has_value()) return NotValid("a carer's subject must be a record ID");
  return absl::OkStatus();
}

absl::StatusOr<Identity> ReadIdentity(const json& claims) {
  ASSIGN_OR_RETURN(const std::string issuer, TextClaim(claims, "iss"));
  if (issuer != kIssuer) return NotValid("its issuer is not caresync");
  Identity identity;
  ASSIGN_OR_RETURN(const std::optional<absl::Time> expires, TimeClaim(claims, "exp"));
  if (!expires.has_value()) return NotValid("it has no time of expiry");
  identity.expires = *expires;
  ASSIGN_OR_RETURN(const std::string role_name, TextClaim(claims, "role"));
  const std::optional<Role> role = RoleFromName(role_name);
  if (!role.has_value()) return NotValid("its role is not known");
  identity.role = *role;
  ASSIGN_OR_RETURN(identity.subject, TextClaim(claims, "sub"));
  if (identity.subject.empty()) return NotValid("it has no subject");
  ASSIGN_OR_RETURN(const std::string tenant, TextClaim(claims, "tenant"));
  if (identity.role == Role::kOperator) {
    if (!tenant.empty()) return NotValid("an operator's names no tenant");
    return identity;
  }
  absl::StatusOr<base::TenantId> parsed = base::TenantId::Parse(tenant);
  if (!parsed.ok()) return NotValid("its tenant is no tenant ID");
  identity.tenant = *std::move(parsed);
  if (identity.role == Role::kCarer) RETURN_IF_ERROR(ReadCarerClaims(claims, identity));
  return identity;
}

}  // namespace

TokenVerifier::TokenVerifier(std::shared_ptr<const SigningKey> key, base::Clock& clock, size_t most_recent)
    : key_(std::move(key)), clock_(clock), most_recent_(most_recent) {}

Verified TokenVerifier::Verify(std::string_view authorization) {
  if (authorization.empty()) return {base::errors::NoCredential(), std::nullopt};
  const std::optional<std::string> token = BearerToken(authorization);
  if (!token.has_value()) return {NotValid("it is no bearer token"), std::nullopt};
  if (token->size() > base::limits::kTokenBytes) return {NotValid("it is too long"), std::nullopt};

  std::string hash = base::Sha256Of(*token);
  std::optional<Identity> known = FindRecent(hash);
  if (known.has_value()) return {absl::OkStatus(), std::move(known)};

  Verified verified = VerifyAnew(*token);
  if (verified.status.ok()) Remember(std::move(hash), *verified.identity);
  return verified;
}

Verified TokenVerifier::VerifyAnew(const std::string& token) const {
  const absl::StatusOr<json> claims = VerifiedClaims(token, key_->key_->jwk.get());
  if (!claims.ok()) return {claims.status(), std::nullopt};
  absl::StatusOr<Identity> identity = ReadIdentity(*claims);
  if (!identity.ok()) return {identity.status(), std::nullopt};
  const absl::StatusOr<std::optional<absl::Time>> not_before = TimeClaim(*claims, "nbf");
  if (!not_before.ok()) return {not_before.status(), std::nullopt};
  const absl::Time now = clock_.Now();
  if (not_before->has_value() && now < **not_before) return {NotValid("it is not valid yet"), *std::move(identity)};
  if (identity->expires - now > base::limits::kTokenLifetimeMost) {
    return {base::errors::CredentialLifetimeTooLong(), *std::move(identity)};
  }
  if (now >= identity->expires) return {base::errors::CredentialExpired(), *std::move(identity)};
  return {absl::OkStatus(), *std::move(identity)};
}

std::optional<Identity> TokenVerifier::FindRecent(const std::string& hash) {
  storage::MutexLock lock(mutex_);
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return std::nullopt;
  if (clock_.Now() >= found->second->second.expires) {
    recent_.erase(found->second);
    by_hash_.erase(found);
    return std::nullopt;
  }
  recent_.splice(recent_.begin(), recent_, found->second);
  return found->second->second;
}

void TokenVerifier::Remember(std::string hash, const Identity& identity) {
  storage::MutexLock lock(mutex_);
  // Two calls with the same new token may both have verified it.
  if (by_hash_.contains(hash)) return;
  recent_.emplace_front(hash, identity);
  by_hash_.emplace(std::move(hash), recent_.begin());
  if (recent_.size() <= most_recent_) return;
  by_hash_.erase(recent_.back().first);
  recent_.pop_back();
}

}  // namespace caresync::access

#include "server/base/ids.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "server/base/errors.h"
#include "server/base/limits.h"

namespace caresync::base {
namespace {

bool IsTenantCharacter(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; }

}  // namespace

absl::StatusOr<TenantId> TenantId::Parse(std::string_view text) {
  const bool valid = !text.empty() && text.size() <= limits::kTenantIdBytes && absl::ascii_islower(text.front()) &&
                     std::all_of(text.begin(), text.end(), IsTenantCharacter);
  if (!valid) return errors::InvalidTenantId(text);
  return TenantId(text);
}

}  // namespace caresync::base

#include "server/outbox/webhook_setting.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/outbox/signature.h"

namespace caresync::outbox {

absl::StatusOr<std::string> CheckWebhook(std::string_view field, const std::string& url, const std::string& secret,
                                         const std::string& key, const WebhookRules& rules) {
  RETURN_IF_ERROR(CheckWebhookUrl(absl::StrCat(std::string(field), ".url"), url, rules));
  if (secret.empty() && !key.empty()) return key;
  std::optional<std::string> given = KeyOfSecret(secret);
  if (given.has_value()) return *std::move(given);
  return base::errors::InvalidArgument(
      absl::StrCat(std::string(field), ".secret"),
      absl::StrCat("is no secret; give \"whsec_\" and base64 of ", base::limits::kWebhookKeyBytesLeast, " to ",
                   base::limits::kWebhookKeyBytesMost, " random bytes, such as of `openssl rand -base64 32`"));
}

}  // namespace caresync::outbox

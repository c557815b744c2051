#include "server/outbox/signature.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/hmac_sha256.h"
#include "server/base/limits.h"

namespace caresync::outbox {

std::optional<std::string> KeyOfSecret(const std::string& secret) {
  absl::string_view text = secret;
  std::string key;
  if (!absl::ConsumePrefix(&text, "whsec_") || !absl::Base64Unescape(text, &key)) return std::nullopt;
  if (key.size() < base::limits::kWebhookKeyBytesLeast || key.size() > base::limits::kWebhookKeyBytesMost) {
    return std::nullopt;
  }
  return key;
}

std::string SignatureOf(const std::string& key, const std::string& id, absl::Time time, const std::string& body) {
  const std::string content = absl::StrCat(id, ".", absl::ToUnixSeconds(time), ".", body);
  return absl::StrCat("v1,", absl::Base64Escape(base::HmacSha256(key).Of(content)));
}

std::vector<std::string> SignedHeaders(const std::string& key, const std::string& id, absl::Time time,
                                       const std::string& body) {
  return {absl::StrCat("webhook-id: ", id), absl::StrCat("webhook-timestamp: ", absl::ToUnixSeconds(time)),
          absl::StrCat("webhook-signature: ", SignatureOf(key, id, time, body))};
}

}  // namespace caresync::outbox

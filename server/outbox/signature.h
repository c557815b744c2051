// How a receiver knows that a webhook comes from here: HMAC-SHA256 over its ID, its time and its body, in the headers
// and the form of Standard Webhooks (standardwebhooks.com), for which there are libraries to verify it in most
// languages. docs/webhooks.md says how to do it by hand.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_OUTBOX_SIGNATURE_H_
#define CARESYNC_SERVER_OUTBOX_SIGNATURE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace caresync::outbox {

// The key that a secret stands for: "whsec_" and base64 of limits::kWebhookKeyBytesLeast to kWebhookKeyBytesMost bytes.
// nullopt where it is no such secret.
std::optional<std::string> KeyOfSecret(const std::string& secret);

// "v1," and base64 of the tag.
std::string SignatureOf(const std::string& key, const std::string& id, absl::Time time, const std::string& body);

// The three headers of a webhook that is sent at `time`: webhook-id, webhook-timestamp, webhook-signature.
std::vector<std::string> SignedHeaders(const std::string& key, const std::string& id, absl::Time time,
                                       const std::string& body);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_SIGNATURE_H_

// Where webhooks may point to. An agency's administrator gives their addresses, so without rules they would reach
// whatever the server itself can reach: its own loopback, the database next door, a cloud's metadata.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_OUTBOX_WEBHOOK_RULES_H_
#define CARESYNC_SERVER_OUTBOX_WEBHOOK_RULES_H_

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace caresync::outbox {

// What the operator of the server allows beside public addresses over https.
struct WebhookRules {
  bool allow_http = false;
  bool allow_private = false;
};

// Whether the Internet at large reaches it: not loopback, link-local, private, shared, multicast or reserved; nor an
// IPv6 address that stands for an IPv4 one that is. Of any other family than IPv4 and IPv6: false.
bool IsPublicAddress(const sockaddr& address);

// Errors: INVALID_FIELD naming `field`, where `url` is no URL that a webhook may have, as far as it tells by itself.
// What a name stands for is looked at where it is connected to (HttpSender).
absl::Status CheckWebhookUrl(std::string_view field, const std::string& url, const WebhookRules& rules);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_WEBHOOK_RULES_H_

// What a tenant's administrator may set of a webhook.
#ifndef CARESYNC_SERVER_OUTBOX_WEBHOOK_SETTING_H_
#define CARESYNC_SERVER_OUTBOX_WEBHOOK_SETTING_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/outbox/webhook_rules.h"

namespace caresync::outbox {

// The key that signs what is sent to `url`: the one that `secret` stands for, or where that is empty `key`, the one
// that was set before (empty: none was). Errors: INVALID_FIELD naming `field`.url where the URL is none that a webhook
// may have, or `field`.secret where there is no key; the secret is not repeated.
absl::StatusOr<std::string> CheckWebhook(std::string_view field, const std::string& url, const std::string& secret,
                                         const std::string& key, const WebhookRules& rules);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_WEBHOOK_SETTING_H_

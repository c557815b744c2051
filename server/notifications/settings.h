// Who is told of a branch's mismatches, and when, as a tenant's administrators set it.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_SETTINGS_H_
#define CARESYNC_SERVER_NOTIFICATIONS_SETTINGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/store/notification.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/outbox/webhook_rules.h"
#include "storage/store.h"

namespace caresync::notifications {

// What holds of the branch (its record's ID; empty: of no branch): its own settings, or the default's, or none at all.
// Those that cannot be read name nobody, and are logged: no rota waits for their repair. Errors are those of reading.
absl::StatusOr<store::NotificationSettings> SettingsFor(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const std::string& branch);

// Whether anybody is to be told.
bool NamesAnybody(const store::NotificationSettings& settings);

// By which ways this server can tell.
struct Ways {
  outbox::WebhookRules webhooks = {};
  bool email = false;
};

// Inside a change of the tenant that `request` names; what waits to be told is told by the new ones. Errors:
// TENANT_UNKNOWN, BRANCH_UNKNOWN, INVALID_FIELD, those of reading. Secrets are not in what is returned. A row that
// cannot be read is replaced.
absl::StatusOr<v1::NotificationSettings> SetSettings(commit::Transaction& transaction,
                                                     const v1::SetNotificationSettingsRequest& request,
                                                     const Ways& ways = {});

// Likewise. Errors: TENANT_UNKNOWN, INVALID_FIELD, those of reading.
absl::StatusOr<v1::RemoveNotificationSettingsResponse> RemoveSettings(
    commit::Transaction& transaction, const v1::RemoveNotificationSettingsRequest& request);

// One page of `tenant`'s, whatever tenant the request names. What cannot be read is passed over. Errors: INVALID_FIELD,
// PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListNotificationSettingsResponse> ListSettings(const storage::Reader& reader,
                                                                  const base::TenantId& tenant,
                                                                  const v1::ListNotificationSettingsRequest& request);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_SETTINGS_H_

// Notices in the outbox for whoever a branch's settings name.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_NOTICES_H_
#define CARESYNC_SERVER_NOTIFICATIONS_NOTICES_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/notification.pb.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/commit/transaction.h"
#include "server/notifications/message.h"
#include "server/outbox/dispatcher.h"
#include "server/outbox/outbox_rows.h"
#include "storage/store.h"

namespace caresync::notifications {

// The kinds of these notices: they are stored.
inline constexpr char kMismatchNotice[] = "mismatch";
inline constexpr char kMismatchesNotice[] = "mismatches";
inline constexpr char kOverdueNotice[] = "overdue";

// Puts in one for each whom the settings name: `notice` as it is for the webhook, `mail` for each address. Returns how
// many. Errors: OUTBOX_FULL, those of reading.
absl::StatusOr<size_t> PutForAll(commit::Transaction& transaction, const store::NotificationSettings& settings,
                                 outbox::NewNotice notice, MailText mail, base::RandomSource& random);

// Notices of these kinds go where the webhook of the branch's settings points to when they are sent, or to the address
// that they are for, as long as the settings name it.
void RegisterNotices(outbox::Dispatcher& dispatcher);

// The zone of a tenant's hours, and of the times that its people are told; UTC where that is not known any more. Errors
// are those of reading.
absl::StatusOr<absl::TimeZone> ZoneOf(const storage::Reader& reader, const base::TenantId& tenant);

// What its people call the tenant: its display name; its ID where that is not known any more. Errors are those of
// reading.
absl::StatusOr<std::string> AgencyOf(const storage::Reader& reader, const base::TenantId& tenant);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_NOTICES_H_

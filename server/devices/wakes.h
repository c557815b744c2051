// Devices that are not connected are woken by the agency's own push service, which the tenant's push webhook tells
// which one: a notice in the outbox, with the device's UUID and no word of anybody.
#ifndef CARESYNC_SERVER_DEVICES_WAKES_H_
#define CARESYNC_SERVER_DEVICES_WAKES_H_

#include <optional>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "server/outbox/dispatcher.h"
#include "storage/store.h"

namespace caresync::devices {

// The kind of these notices: it is stored.
inline constexpr char kPushNotice[] = "push";

// How the device was woken so far; nothing is set where it never was. A row that cannot be read is logged and counts as
// none: it must not be in the way of the report, or of the next time. Errors: those of reading.
absl::StatusOr<store::DeviceWake> ReadWake(const storage::Reader& reader, const base::TenantId& tenant,
                                           const base::Uuid& device);

// Puts a notice in the outbox that the device, a known one, is to sync, and notes that it was asked for; where such a
// notice waits already, that one is tried soon. Returns how it was woken so far; nullopt, and nothing is written, where
// the tenant has no push webhook. Inside a change. Errors: OUTBOX_FULL, TENANT_UNKNOWN, those of reading.
absl::StatusOr<std::optional<store::DeviceWake>> AskToWake(commit::Transaction& transaction, const base::Uuid& device,
                                                           base::RandomSource& random);

// Notices go where the tenant's push webhook points to when they are sent; what was taken is noted with the device.
outbox::NoticeKind PushNotices();

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_WAKES_H_

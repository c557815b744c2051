// Devices that are to sync now and are not connected. The asking is kept with the device, which is told it in its next
// sync that is not refused. Where the tenant has a push webhook, the agency's own push service is to wake it before
// that: a notice in the outbox, with the device's UUID and no word of anybody.
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

// How the device was asked and woken so far; nothing is set where it never was. A row that cannot be read is logged and
// counts as none: it must not be in the way of the report, or of the next time. Errors: those of reading.
absl::StatusOr<store::DeviceWake> ReadWake(const storage::Reader& reader, const base::TenantId& tenant,
                                           const base::Uuid& device);

// What came of asking.
struct Asked {
  // The push service is to wake the device.
  bool by_push_service = false;
  store::DeviceWake wake;
};

// Notes that the device, a known one, is asked to sync; with a push webhook a notice of it is put in the outbox, or,
// where one waits already, that one is tried soon. Inside a change. Errors: OUTBOX_FULL, TENANT_UNKNOWN, those of
// reading.
absl::StatusOr<Asked> AskToSync(commit::Transaction& transaction, const base::Uuid& device, base::RandomSource& random);

// Whether the device is to be told in the sync that begins now: since it was asked it had none in which it was told. In
// one that was refused at first, or got no further than its start, it was not. `report`: as it stands before this sync.
// Errors are those of reading.
absl::StatusOr<bool> IsToBeTold(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& device,
                                const std::optional<store::DeviceReport>& report);

// Notices go where the tenant's push webhook points to when they are sent; what was taken is noted with the device.
outbox::NoticeKind PushNotices();

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_WAKES_H_

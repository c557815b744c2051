// A device's rows as they are stored, and the one way in which each is written.
//
//   device   what administrators say of it; written on condition of its own bytes
//   session  which session may write the device's own rows
//   call     the last call that had a session; written by that session
//   refused  the last call that was refused before it had one; buffered, the last writer wins; deleted by the next
//            session, so that while it is there it is the later one, whatever the clock did meanwhile
//   events   its running numbers of events; written by the change that takes the events
//   report   what the device says of itself and how it stands; written with `session` by a session that begins, on
//            condition of the report's own bytes, then by that session only, on condition of `session`
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_ROWS_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_ROWS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::devices {

struct DeviceRows {
  std::optional<store::Device> device;
  // The session row's bytes.
  std::optional<std::string> session;
  // The refused one where there is one, since it came after the other.
  std::optional<store::DeviceCall> call;
  std::optional<store::DeviceReport> report;
  std::optional<store::DeviceEvents> events;
};

// By their keys: a scan would step over all that the rows have been lately, and they change with every sync. All empty
// where the device is not known. Errors: those of reading, DAMAGED_ROW.
absl::StatusOr<DeviceRows> ReadDeviceRows(const storage::Reader& reader, const base::TenantId& tenant,
                                          const base::Uuid& device);

// What administrators say of it; nullopt where it is not known. Errors: those of reading, DAMAGED_ROW.
absl::StatusOr<std::optional<store::Device>> ReadDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const base::Uuid& device);

// One part, parsed, into `rows`; a device's parts are to be added in the order of their keys. Errors: DAMAGED_ROW.
absl::Status AddPart(uint8_t part, std::string_view value, DeviceRows& rows);

// The row that says when and how a device last called. `opening`: of the store, see DeviceCall.
storage::Write CallRow(const base::TenantId& tenant, const base::Uuid& device, absl::Time time, v1::CallState state,
                       std::string_view reason, std::string_view opening);
// The same for a call that was refused before it had a session.
storage::Write RefusedCallRow(const base::TenantId& tenant, const base::Uuid& device, absl::Time time,
                              std::string_view reason);

enum class NumberedEvent {
  kNew,
  // Other bytes under an ID that was used before. Its number may have been counted with the first ones, or when these
  // came before, so it fills no gap.
  kIdReused,
};
// Takes up the device's running number of an event, in the change that stores it: a jump counts the numbers between as
// missing, and a late one fills a gap. 0, and a jump past limits::kEventNumberJump, say nothing and are passed over.
// Errors are those of reading.
absl::Status CountEvent(commit::Transaction& transaction, const base::Uuid& device, uint64_t sequence,
                        NumberedEvent event);

// Whether administrators let this carer use the device.
bool IsUser(const store::Device& device, const base::Uuid& carer);

// A carer's copy in a report; nullptr where the device holds none.
const store::DeviceCopy* FindCopy(const store::DeviceReport& report, const base::Uuid& carer);

// How far the device has acknowledged the carer's feed with this copy. Only of a copy whose timeline is not empty.
feed::Position PositionOf(const store::DeviceCopy& copy);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_ROWS_H_

// Copies that a device must drop: of carers who are its users no longer, of all while it is blocked, of carers who left
// the agency. What an administrator said stays in the device's row (store::Device.drops) until the device says that it
// dropped the copy, and then says when; a carer who left is found by the carer's record.
//
// A session tells the device what ReadPendingDrops gives, in `started` and again whenever it is told that the row has
// changed; what the device names in `dropped` it hands to RecordDropped, and to SessionRows::ForgetCopy.
#ifndef CARESYNC_SERVER_DEVICES_DROPS_H_
#define CARESYNC_SERVER_DEVICES_DROPS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "storage/store.h"

namespace caresync::devices {

// The device's drop of the carer's copy; nullptr where there is none.
const store::Device::Drop* FindDrop(const store::Device& device, const std::string& carer);

// What administrators said and the device has not done: carer IDs.
std::vector<std::string> PendingDrops(const store::Device& device);

// These, and carers who left while the device holds a copy of theirs. Errors are those of reading.
absl::StatusOr<std::vector<std::string>> ReadPendingDrops(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const DeviceRows& rows);

// Whether the rostering system says that the carer works there no more. Errors are those of reading.
absl::StatusOr<bool> HasLeft(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer);
// The same for what people are told: false, which the log says, also where the carer's record cannot be read. What a
// device gets goes by HasLeft.
absl::StatusOr<bool> IsKnownToHaveLeft(const storage::Reader& reader, const base::TenantId& tenant,
                                       const base::Uuid& carer);

// ---- What an administrator's update does to the drops of a device that has called before

// The users become `carers`: those who are taken off are to be dropped, for those who are granted again nothing is,
// unless the device is blocked. Errors: TOO_MANY_DROPS where more than limits::kDeviceDrops would be pending of carers
// who are no users.
absl::Status ReplaceUsers(store::Device& device, const std::vector<std::string>& carers);
// Every copy is to be dropped that is not: of the users, and of `holders`, whose copies the device holds. Nothing where
// it is blocked already. Errors: TOO_MANY_DROPS.
absl::Status Block(store::Device& device, const std::vector<std::string>& holders);
// What was to be dropped because the device was blocked is not any more; what belongs to no user still is.
void Unblock(store::Device& device);

// ---- What a device says

// Calls `done` once, on any thread, when it is recorded durably that the device dropped these carers' copies at `now`;
// names of carers whose copies it was not told to drop are passed over. Written on condition of the device's row and
// tried again where an administrator wrote meanwhile: who is granted again meanwhile is not marked. `store` and
// `executor` must outlive the call. Errors: COMMIT_CONFLICT, STORE_FULL, STORE_UNAVAILABLE, those of reading.
void RecordDropped(storage::Store& store, base::Executor& executor, const base::TenantId& tenant,
                   const base::Uuid& device, std::vector<std::string> carers, absl::Time now,
                   std::function<void(absl::Status)> done);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DROPS_H_

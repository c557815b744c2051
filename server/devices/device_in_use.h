// Which device a carer uses: the one on which the carer last signed in or recorded something. A sync that the carer
// started (standard or clean), or one of a device that holds nothing of the carer, is a sign-in; an auto sync is none,
// as a phone in a drawer runs those too. What the carer recorded counts when it comes: the phone's clock may be wrong.
//
// A row of the carer's in Space::kDevices: written by the sessions that sign in, with their first commit, and by the
// changes that take new care events. The last one wins.
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_IN_USE_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_IN_USE_H_

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::devices {

// Whether a sync that starts so is the carer's own doing.
bool SignsIn(const v1::Start& start);

// The carer signed in or recorded something on `device`.
storage::Write DeviceInUseRow(const base::TenantId& tenant, const base::Uuid& carer, const base::Uuid& device,
                              absl::Time time);

// Errors: DAMAGED_ROW.
absl::StatusOr<base::Uuid> ParseDeviceInUse(std::string_view bytes);

// nullopt where the carer never used any. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::optional<base::Uuid>> ReadDeviceInUse(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_IN_USE_H_

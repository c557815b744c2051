// What a device's syncs came to, or a carer's on whatever device, newest first.
#ifndef CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_
#define CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_

#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::devices {

// One page. Errors: INVALID_FIELD (where not exactly one of device and carer is named, too), DEVICE_UNKNOWN,
// CARER_UNKNOWN, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListSyncsResponse> ListSyncs(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::ListSyncsRequest& request, const SyncsUnderWay& syncs);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_

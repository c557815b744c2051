// What a device showed of a carer's visits at a moment, for people.
#ifndef CARESYNC_SERVER_DELIVERIES_VIEW_TOLD_H_
#define CARESYNC_SERVER_DELIVERIES_VIEW_TOLD_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::deliveries {

// One page. Errors: INVALID_FIELD, DEVICE_UNKNOWN, CARER_UNKNOWN, PAGE_TOKEN_NOT_VALID, those of reading, and
// DAMAGED_ROW.
absl::StatusOr<v1::GetDeviceViewResponse> TellDeviceView(const storage::Reader& reader, const base::TenantId& tenant,
                                                         const v1::GetDeviceViewRequest& request, absl::Time now);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_VIEW_TOLD_H_

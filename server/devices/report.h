// The user device relationship report: one row a device, and one device.
#ifndef CARESYNC_SERVER_DEVICES_REPORT_H_
#define CARESYNC_SERVER_DEVICES_REPORT_H_

#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::devices {

// One page of the report; it ends early behind the row that fills limits::kRecordBytes, so that a client can receive
// it. In the order of UUIDs, rising, it reads from where the page begins until that is full; in any other order every
// device of the tenant, whatever the filters. It keeps no more than a page of them. A filter or order by state also
// looks at each device's copies: some rows more a device. Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, TENANT_UNKNOWN,
// those of reading.
absl::StatusOr<v1::ListDevicesResponse> ListDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const v1::ListDevicesRequest& request, const AsOf& as_of);

// Errors: INVALID_FIELD, DEVICE_UNKNOWN, TENANT_UNKNOWN, those of reading.
absl::StatusOr<v1::Device> GetDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                     const v1::GetDeviceRequest& request, const AsOf& as_of);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_REPORT_H_

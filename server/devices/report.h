// The user device relationship report: one row a device, and one device.
#ifndef CARESYNC_SERVER_DEVICES_REPORT_H_
#define CARESYNC_SERVER_DEVICES_REPORT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::devices {

// `opening` is the present one of the store (its timeline): a call that was under way in an earlier one has failed
// since, for a reason that nobody was left to write down, STREAM_CUT.

// One page of the report. Reads every device of the tenant whatever the filters, and keeps no more than a page of them.
// Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListDevicesResponse> ListDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const v1::ListDevicesRequest& request, std::string_view opening);

// Errors: INVALID_FIELD, DEVICE_UNKNOWN, those of reading.
absl::StatusOr<v1::Device> GetDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                     const v1::GetDeviceRequest& request, std::string_view opening);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_REPORT_H_

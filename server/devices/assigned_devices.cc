#include "server/devices/assigned_devices.h"

#include <limits>
#include <string_view>

#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/device_rows.h"

namespace caresync::devices {

absl::StatusOr<std::vector<AssignedDevice>> ReadAssignedDevices(const storage::Reader& reader,
                                                                const base::TenantId& tenant, const base::Uuid& carer,
                                                                size_t most) {
  std::vector<AssignedDevice> assigned;
  const auto visit = [&](std::string_view key, std::string_view value) {
    base::Uuid uuid;
    base::keys::DevicePart part{};
    const bool is_device = base::keys::ParseDeviceRow(key, &uuid, &part) && part == base::keys::DevicePart::kDevice;
    if (!is_device) return true;
    const absl::StatusOr<store::Device> device = base::ParseStored<store::Device>(value);
    if (device.ok() && IsUser(*device, carer)) assigned.push_back({uuid, device->blocked()});
    return assigned.size() < most;
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, base::keys::DeviceRows(tenant, nullptr),
                              std::numeric_limits<size_t>::max(), visit));
  return assigned;
}

}  // namespace caresync::devices

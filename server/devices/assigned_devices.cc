#include "server/devices/assigned_devices.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/device_rows.h"

namespace caresync::devices {

absl::StatusOr<AssignedDevices> ReadAssignedDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, size_t most) {
  AssignedDevices assigned;
  std::vector<AssignedDevice> blocked;
  const auto visit = [&](std::string_view key, std::string_view value) {
    base::Uuid uuid;
    base::keys::DevicePart part{};
    const bool is_device = base::keys::ParseDeviceRow(key, &uuid, &part) && part == base::keys::DevicePart::kDevice;
    if (!is_device) return true;
    const absl::StatusOr<store::Device> device = base::ParseStored<store::Device>(value);
    if (!device.ok()) {
      assigned.damaged = true;
      observability::Log(
          observability::Level::kError, "device_not_readable",
          {{"tenant", tenant.text()}, {"device", uuid.ToString()}, {"error", device.status().message()}});
      return true;
    }
    if (!IsUser(*device, carer)) return true;
    std::vector<AssignedDevice>& of_its_kind = device->blocked() ? blocked : assigned.devices;
    if (of_its_kind.size() < most) of_its_kind.push_back({uuid, device->blocked()});
    return assigned.devices.size() < most;
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, base::keys::DeviceRows(tenant, nullptr),
                              std::numeric_limits<size_t>::max(), visit));
  blocked.resize(std::min(blocked.size(), most - assigned.devices.size()));
  assigned.devices.insert(assigned.devices.end(), blocked.begin(), blocked.end());
  return assigned;
}

}  // namespace caresync::devices

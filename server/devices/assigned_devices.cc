#include "server/devices/assigned_devices.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/device_rows.h"

namespace caresync::devices {
namespace {

// Shows what administrators say of each of the tenant's devices; a null row is one that cannot be read. False ends it.
using DeviceVisitor = absl::FunctionRef<bool(const base::Uuid& uuid, const store::Device* device)>;

absl::Status VisitDevices(const storage::Reader& reader, const base::TenantId& tenant, DeviceVisitor visit) {
  return reader.Scan(
      storage::Space::kDevices, base::keys::DeviceRows(tenant, nullptr), std::numeric_limits<size_t>::max(),
      [&](std::string_view key, std::string_view value) {
        base::Uuid uuid;
        base::keys::DevicePart part{};
        const bool is_device = base::keys::ParseDeviceRow(key, &uuid, &part) && part == base::keys::DevicePart::kDevice;
        if (!is_device) return true;
        const absl::StatusOr<store::Device> device = base::ParseStored<store::Device>(value);
        if (device.ok()) return visit(uuid, &*device);
        observability::Log(
            observability::Level::kError, "device_not_readable",
            {{"tenant", tenant.text()}, {"device", uuid.ToString()}, {"error", device.status().message()}});
        return visit(uuid, nullptr);
      });
}

}  // namespace

absl::StatusOr<AssignedDevices> ReadAssignedDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, size_t most) {
  AssignedDevices assigned;
  std::vector<AssignedDevice> blocked;
  RETURN_IF_ERROR(VisitDevices(reader, tenant, [&](const base::Uuid& uuid, const store::Device* device) {
    assigned.damaged |= device == nullptr;
    if (device == nullptr || !IsUser(*device, carer)) return true;
    std::vector<AssignedDevice>& of_its_kind = device->blocked() ? blocked : assigned.devices;
    if (of_its_kind.size() < most) of_its_kind.push_back({uuid, device->blocked()});
    return assigned.devices.size() < most;
  }));
  blocked.resize(std::min(blocked.size(), most - assigned.devices.size()));
  assigned.devices.insert(assigned.devices.end(), blocked.begin(), blocked.end());
  return assigned;
}

absl::StatusOr<std::map<base::Uuid, std::set<base::Uuid>>> ReadDevicesByUser(const storage::Reader& reader,
                                                                             const base::TenantId& tenant) {
  std::map<base::Uuid, std::set<base::Uuid>> by_user;
  RETURN_IF_ERROR(VisitDevices(reader, tenant, [&](const base::Uuid& uuid, const store::Device* device) {
    if (device == nullptr) return true;
    for (const std::string& id : device->carer_ids()) {
      const std::optional<base::Uuid> carer = base::Uuid::Parse(id);
      if (carer.has_value()) by_user[*carer].insert(uuid);
    }
    return true;
  }));
  return by_user;
}

}  // namespace caresync::devices

#include "server/devices/overdue_count.h"

#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/devices/device_rows.h"
#include "server/devices/device_state.h"
#include "server/devices/drops.h"
#include "server/tenants/tenants.h"

namespace caresync::devices {
namespace {

// The devices that have any row, which need not be enrolled.
absl::StatusOr<std::vector<base::Uuid>> NextDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const std::optional<base::Uuid>& after, size_t most) {
  std::vector<base::Uuid> found;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices,
                              base::keys::DeviceRows(tenant, after.has_value() ? &*after : nullptr),
                              std::numeric_limits<size_t>::max(), [&](std::string_view key, std::string_view) {
                                base::Uuid uuid;
                                base::keys::DevicePart part{};
                                damaged = !base::keys::ParseDeviceRow(key, &uuid, &part);
                                if (damaged) return false;
                                if (!found.empty() && found.back() == uuid) return true;
                                if (found.size() == most) return false;
                                found.push_back(uuid);
                                return true;
                              }));
  if (damaged) return base::errors::DamagedRow("a device's key");
  return found;
}

struct InUse {
  bool has_user = false;
  bool is_overdue = false;
};

// Of the device's users who have not left. `rows.device` is set.
absl::StatusOr<InUse> UseOf(const storage::Reader& reader, const base::TenantId& tenant, const DeviceRows& rows,
                            const store::Tenant& preferences, absl::Time now) {
  InUse use;
  for (const std::string& id : rows.device->carer_ids()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(id);
    if (!carer.has_value()) return base::errors::DamagedRow("a device's carer");
    ASSIGN_OR_RETURN(const bool left, IsKnownToHaveLeft(reader, tenant, *carer));
    if (left) continue;
    use.has_user = true;
    if (IsOverdue(rows, *carer, preferences, now)) use.is_overdue = true;
  }
  return use;
}

absl::Status CountOne(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& uuid,
                      const store::Tenant& preferences, absl::Time now, OverdueCounts& counts) {
  ASSIGN_OR_RETURN(const DeviceRows rows, ReadDeviceRows(reader, tenant, uuid));
  if (!rows.device.has_value() || rows.device->blocked() || rows.device->cloned()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const InUse use, UseOf(reader, tenant, rows, preferences, now));
  if (!use.has_user) return absl::OkStatus();
  OverdueCount& count = counts.branches[rows.device->branch_id()];
  ++count.devices;
  if (use.is_overdue) ++count.overdue;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OverdueCounts> CountOverdue(const storage::Reader& reader, const base::TenantId& tenant,
                                           const std::optional<base::Uuid>& after, size_t most, absl::Time now) {
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  ASSIGN_OR_RETURN(const std::vector<base::Uuid> found, NextDevices(reader, tenant, after, most));
  OverdueCounts counts;
  for (const base::Uuid& uuid : found) {
    const absl::Status counted = CountOne(reader, tenant, uuid, preferences, now, counts);
    if (!absl::IsDataLoss(counted)) {
      RETURN_IF_ERROR(counted);
      continue;
    }
    observability::Log(observability::Level::kError, "device_not_counted",
                       {{"tenant", tenant.text()}, {"device", uuid.ToString()}, {"error", counted.message()}});
  }
  if (found.size() == most) counts.last = found.back();
  return counts;
}

}  // namespace caresync::devices

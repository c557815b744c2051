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

absl::Status CountOne(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& uuid,
                      const AsOf& as_of, ReportRows& report, OverdueCounts& counts) {
  ASSIGN_OR_RETURN(DeviceRows rows, ReadDeviceRows(reader, tenant, uuid));
  if (!rows.device.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(FailCallThatIsOver(as_of.syncs, tenant, uuid, rows));
  ASSIGN_OR_RETURN(const v1::DeviceState state, report.StateOf(rows));
  if (state == v1::DEVICE_STATE_BLOCKED || state == v1::DEVICE_STATE_NO_USER) return absl::OkStatus();
  OverdueCount& count = counts.branches[rows.device->branch_id()];
  ++count.devices;
  if (state == v1::DEVICE_STATE_OVERDUE) ++count.overdue;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OverdueCounts> CountOverdue(const storage::Reader& reader, const base::TenantId& tenant,
                                           const std::optional<base::Uuid>& after, size_t most, const AsOf& as_of) {
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  ASSIGN_OR_RETURN(const std::vector<base::Uuid> found, NextDevices(reader, tenant, after, most));
  ReportRows report(reader, tenant, preferences, as_of);
  OverdueCounts counts;
  for (const base::Uuid& uuid : found) {
    const absl::Status counted = CountOne(reader, tenant, uuid, as_of, report, counts);
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

#include "server/mismatch/carer_devices.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/devices/device_in_use.h"
#include "server/devices/drops.h"
#include "server/devices/report_row.h"
#include "server/devices/sync_history.h"
#include "server/mismatch/damage.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

v1::MismatchDevice ToProto(const base::Uuid& uuid, const devices::DeviceRows& rows, const base::Uuid& carer) {
  v1::MismatchDevice device;
  device.set_device_uuid(uuid.ToString());
  int64_t contact_us = 0;
  if (rows.call.has_value()) {
    base::SetTime(rows.call->time_us(), [&] { return device.mutable_last_api_call_time(); });
    device.set_last_api_call(rows.call->state());
    if (rows.call->state() == v1::CALL_STATE_FAILED) device.set_last_api_call_reason(rows.call->reason());
    contact_us = rows.call->time_us();
  }
  if (rows.report.has_value()) {
    device.set_device_name(rows.report->device_name());
    device.set_app_version(rows.report->app_version());
    device.set_failed_calls(rows.report->failures_in_a_row());
    contact_us = std::max(contact_us, rows.report->last_success_us());
    const store::DeviceCopy* const copy = devices::FindCopy(*rows.report, carer);
    if (copy != nullptr) {
      base::SetTime(copy->last_success_us(), [&] { return device.mutable_last_successful_sync_time(); });
    }
  }
  base::SetTime(contact_us, [&] { return device.mutable_last_contact_time(); });
  return device;
}

bool HoldsCopy(const devices::DeviceRows& rows, const base::Uuid& carer) {
  return rows.report.has_value() && devices::FindCopy(*rows.report, carer) != nullptr;
}

}  // namespace

absl::StatusOr<const CarerDevices*> CarerDevicesReader::Of(const base::Uuid& carer) {
  ASSIGN_OR_RETURN(Known* const known, Find(carer));
  if (!known->has_others) RETURN_IF_ERROR(ReadOthers(carer, known->in_use, known->all));
  known->has_others = true;
  return &known->all;
}

absl::StatusOr<const CarerDevices*> CarerDevicesReader::WithoutOthers(const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const Known* const known, Find(carer));
  return &known->all;
}

absl::StatusOr<CarerDevicesReader::Known*> CarerDevicesReader::Find(const base::Uuid& carer) {
  const auto found = known_.find(carer);
  if (found != known_.end()) return &found->second;
  ASSIGN_OR_RETURN(Known known, Read(carer));
  return &known_.emplace(carer, std::move(known)).first->second;
}

absl::StatusOr<CarerDevicesReader::Known> CarerDevicesReader::Read(const base::Uuid& carer) const {
  Known known;
  RETURN_IF_ERROR(ReadLeft(carer, known.all));
  const absl::StatusOr<std::optional<base::Uuid>> in_use = devices::ReadDeviceInUse(reader_, tenant_, carer);
  known.all.damaged |= absl::IsDataLoss(in_use.status());
  ASSIGN_OR_RETURN(known.in_use, UnlessDamaged(in_use, "device_in_use_not_known", tenant_, carer));
  if (known.in_use.has_value()) RETURN_IF_ERROR(ReadInUse(carer, *known.in_use, known.all));
  return known;
}

absl::Status CarerDevicesReader::ReadLeft(const base::Uuid& carer, CarerDevices& all) const {
  const absl::StatusOr<bool> left = devices::HasLeft(reader_, tenant_, carer);
  all.damaged = absl::IsDataLoss(left.status());
  if (all.damaged) {
    LogDamage("carer_not_readable", tenant_, carer, left.status());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(all.carer_left, left);
  return absl::OkStatus();
}

absl::Status CarerDevicesReader::ReadInUse(const base::Uuid& carer, const base::Uuid& device, CarerDevices& all) const {
  ASSIGN_OR_RETURN(std::optional<devices::DeviceRows> rows, ReadRows(carer, device));
  all.damaged |= !rows.has_value();
  if (rows.has_value()) all.rows = *std::move(rows);
  all.in_use = ToProto(device, all.rows, carer);
  return absl::OkStatus();
}

absl::Status CarerDevicesReader::ReadOthers(const base::Uuid& carer, const std::optional<base::Uuid>& in_use,
                                            CarerDevices& all) const {
  ASSIGN_OR_RETURN(const std::vector<base::Uuid> uuids, DevicesOfLastSyncs(carer));
  for (const base::Uuid& uuid : uuids) {
    if (all.others.size() == limits::kMismatchDevices) break;
    if (uuid == in_use) continue;
    ASSIGN_OR_RETURN(const std::optional<devices::DeviceRows> rows, ReadRows(carer, uuid));
    if (rows.has_value() && HoldsCopy(*rows, carer)) all.others.push_back(ToProto(uuid, *rows, carer));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<devices::DeviceRows>> CarerDevicesReader::ReadRows(const base::Uuid& carer,
                                                                                const base::Uuid& device) const {
  const auto read = [&]() -> absl::StatusOr<std::optional<devices::DeviceRows>> {
    ASSIGN_OR_RETURN(devices::DeviceRows rows, devices::ReadDeviceRows(reader_, tenant_, device));
    RETURN_IF_ERROR(devices::FailCallThatIsOver(syncs_, tenant_, device, rows));
    return std::optional<devices::DeviceRows>(std::move(rows));
  };
  return UnlessDamaged(read(), "device_not_readable", tenant_, carer);
}

absl::StatusOr<std::vector<base::Uuid>> CarerDevicesReader::DevicesOfLastSyncs(const base::Uuid& carer) const {
  // A place that cannot be read names no device.
  ASSIGN_OR_RETURN(const devices::CarerSyncPlaces syncs,
                   devices::ReadCarerSyncPlaces(reader_, tenant_, carer, "", limits::kMismatchSyncsSearched));
  std::vector<base::Uuid> found;
  for (const devices::CarerSyncPlace& sync : syncs.places) {
    if (std::find(found.begin(), found.end(), sync.device) == found.end()) found.push_back(sync.device);
  }
  return found;
}

}  // namespace caresync::mismatch

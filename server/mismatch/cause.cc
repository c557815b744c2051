#include "server/mismatch/cause.h"

#include <string>

#include "server/base/app_version.h"
#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/devices/device_rows.h"

namespace caresync::mismatch {
namespace {

bool IsTooOld(const devices::DeviceRows& rows, const store::Tenant& tenant) {
  return rows.report.has_value() && base::IsOlderApp(rows.report->app_version(), tenant.least_app_version());
}

bool WaitsAfterRestore(const v1::MismatchDevice& device) {
  return device.last_api_call_reason() == base::Reason(base::errors::WaitingAfterRestore(absl::ZeroDuration()));
}

// A call that is under way lasts until now.
bool HasCalledSince(const v1::MismatchDevice& device, absl::Time change) {
  if (device.last_api_call() == v1::CALL_STATE_UNDER_WAY) return true;
  return device.has_last_contact_time() && base::FromTimestamp(device.last_contact_time()) > change;
}

}  // namespace

bool IsFailing(const v1::MismatchDevice& device) {
  return device.failed_calls() > 0 || device.last_api_call() == v1::CALL_STATE_FAILED;
}

v1::MismatchCause CauseOf(const CarerDevices& all, const base::Uuid& carer, const store::Tenant& tenant,
                          absl::Time change) {
  if (all.carer_left) return v1::MISMATCH_CAUSE_CARER_LEFT;
  if (all.damaged) return v1::MISMATCH_CAUSE_UNSPECIFIED;
  if (!all.in_use.has_value()) return v1::MISMATCH_CAUSE_NO_DEVICE;
  const v1::MismatchDevice& device = *all.in_use;
  const devices::DeviceRows& rows = all.rows;
  if (rows.device.has_value()) {
    if (rows.device->blocked()) return v1::MISMATCH_CAUSE_DEVICE_BLOCKED;
    if (rows.device->cloned()) return v1::MISMATCH_CAUSE_DEVICE_CLONED;
    if (!devices::IsUser(*rows.device, carer)) return v1::MISMATCH_CAUSE_NOT_A_USER;
  }
  if (IsTooOld(rows, tenant)) return v1::MISMATCH_CAUSE_APP_TOO_OLD;
  if (WaitsAfterRestore(device)) return v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE;
  if (!device.has_last_successful_sync_time()) return v1::MISMATCH_CAUSE_NEVER_SYNCED;
  if (IsFailing(device)) return v1::MISMATCH_CAUSE_FAILING;
  return HasCalledSince(device, change) ? v1::MISMATCH_CAUSE_BEHIND : v1::MISMATCH_CAUSE_SILENT;
}

}  // namespace caresync::mismatch

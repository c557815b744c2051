#include "server/devices/device_in_use.h"

#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::devices {

using storage::Space;

bool SignsIn(const v1::Start& start) {
  return start.sync_type() == v1::SYNC_TYPE_STANDARD || start.sync_type() == v1::SYNC_TYPE_CLEAN ||
         start.resume_token().empty();
}

storage::Write DeviceInUseRow(const base::TenantId& tenant, const base::Uuid& carer, const base::Uuid& device,
                              absl::Time time) {
  store::DeviceInUse row;
  row.set_device_uuid(device.ToString());
  row.set_signed_in_us(base::ToStoredTime(time));
  return {Space::kDevices, base::keys::DeviceInUse(tenant, carer), row.SerializeAsString()};
}

absl::StatusOr<base::Uuid> ParseDeviceInUse(std::string_view bytes) {
  ASSIGN_OR_RETURN(const store::DeviceInUse row, base::ParseStored<store::DeviceInUse>(bytes));
  const std::optional<base::Uuid> device = base::Uuid::Parse(row.device_uuid());
  if (!device.has_value()) return base::errors::DamagedRow("a device in use that is no UUID");
  return *device;
}

absl::StatusOr<std::optional<base::Uuid>> ReadDeviceInUse(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   reader.Get(Space::kDevices, base::keys::DeviceInUse(tenant, carer)));
  if (!bytes.has_value()) return std::optional<base::Uuid>();
  ASSIGN_OR_RETURN(const base::Uuid device, ParseDeviceInUse(*bytes));
  return std::optional<base::Uuid>(device);
}

}  // namespace caresync::devices

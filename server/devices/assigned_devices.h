// Which devices administrators let a carer use.
#ifndef CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_
#define CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_

#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::devices {

struct AssignedDevice {
  base::Uuid uuid;
  bool blocked = false;
};

struct AssignedDevices {
  // Those that are not blocked come first; of each kind by their UUIDs.
  std::vector<AssignedDevice> devices;
  // A device's row cannot be read, which the log says: it may be one of them.
  bool damaged = false;
};

// Those of which the carer is a user, at most `most`. It reads all devices of the tenant, as the report does: not for
// what happens often. Errors are those of reading.
absl::StatusOr<AssignedDevices> ReadAssignedDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, size_t most);

// Of each carer the devices of which the carer is a user. A device's row that cannot be read is left out, which the log
// says. It reads all devices of the tenant. Errors are those of reading.
absl::StatusOr<std::map<base::Uuid, std::set<base::Uuid>>> ReadDevicesByUser(const storage::Reader& reader,
                                                                             const base::TenantId& tenant);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_

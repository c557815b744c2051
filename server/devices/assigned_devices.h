// Which devices administrators let a carer use.
#ifndef CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_
#define CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_

#include <cstddef>
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

// Those of which the carer is a user, by their UUIDs; at most `most`. One whose row cannot be read is left out. It
// reads all devices of the tenant, as the report does: not for what happens often. Errors are those of reading.
absl::StatusOr<std::vector<AssignedDevice>> ReadAssignedDevices(const storage::Reader& reader,
                                                                const base::TenantId& tenant, const base::Uuid& carer,
                                                                size_t most);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_ASSIGNED_DEVICES_H_

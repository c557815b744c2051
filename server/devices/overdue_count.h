// How many of each branch's devices are overdue, as the report says it (device_state.h), counted a stretch at a time.
#ifndef CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_
#define CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::devices {

struct OverdueCount {
  // Those that are in use: neither blocked nor without a user.
  uint64_t devices = 0;
  uint64_t overdue = 0;
};

struct OverdueCounts {
  // By the branch's record ID; empty: of none.
  std::map<std::string, OverdueCount> branches;
  // The last one that was looked at, where more may follow.
  std::optional<base::Uuid> last;
};

// Of the first `most` devices (at least 1) behind `after`, in the order of their UUIDs. A device that cannot be read is
// logged and not counted. Errors: TENANT_UNKNOWN, those of reading.
absl::StatusOr<OverdueCounts> CountOverdue(const storage::Reader& reader, const base::TenantId& tenant,
                                           const std::optional<base::Uuid>& after, size_t most, const AsOf& as_of);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_

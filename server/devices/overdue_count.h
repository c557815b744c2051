// How many of each branch's devices are overdue, counted a stretch at a time.
//
// By the time alone (IsOverdue in device_state.h), of any user who has not left, and not by the state that the report
// shows, which is the worst of several: an outage makes all devices failing, and they are no less overdue for that. A
// user who never completed a sync on the device makes it neither overdue nor, where another user is, less so.
#ifndef CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_
#define CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::devices {

struct OverdueCount {
  // Those that are in use: neither blocked nor without a user. Among them those that never synced.
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
                                           const std::optional<base::Uuid>& after, size_t most, absl::Time now);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_OVERDUE_COUNT_H_

// Changes that refer to records not seen yet: kept, bounded by source, applied when what they wait for has come.
#ifndef CARESYNC_SERVER_ROSTER_WAITING_H_
#define CARESYNC_SERVER_ROSTER_WAITING_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"

namespace caresync::roster {

// The task that releases what waits for a record; its payload is the record's key.
inline constexpr char kReleaseTask[] = "roster/release";

// Keeps `change` for `record` (the one it will write), replacing what waits there already. Errors: TOO_MANY_WAITING
// past limits::kWaitingChanges of one source.
absl::Status KeepWaiting(commit::Transaction& transaction, const v1::RosterChange& change,
                         const base::RecordKey& record, const std::set<base::RecordKey>& missing);

// What waits to write `record`, if anything.
absl::StatusOr<std::optional<store::WaitingChange>> GetWaiting(const storage::Reader& reader,
                                                               const base::TenantId& tenant,
                                                               const base::RecordKey& record);

// Forgets what waits to write `record`, if anything: it was applied or replaced.
absl::Status DropWaiting(commit::Transaction& transaction, const base::RecordKey& record);

// Schedules the release of what waits for `record`, if anything does.
absl::Status ScheduleRelease(commit::Transaction& transaction, const base::RecordKey& record);

// Up to `most` records whose changes wait for `missing`.
absl::StatusOr<std::vector<base::RecordKey>> WaitersFor(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const base::RecordKey& missing, size_t most);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_WAITING_H_

// Changes that refer to records not seen yet: kept, bounded by source, applied when what they wait for has come.
//
// One that cannot be applied even then is kept with the reason, bounded apart: it waits for nothing any more, is in
// nobody's way, and stands for nothing but what became of it. Its sender finds out by sending it again, which tries it
// anew; whatever is taken for the record, or waits for it, replaces it.
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
#include "server/roster/change_record.h"

namespace caresync::roster {

// The task that releases what waits for a record; its payload is the record's key.
inline constexpr char kReleaseTask[] = "roster/release";

// Keeps `change` for `record` (the one it will write), replacing what waits there already. Errors: TOO_MANY_WAITING
// past limits::kWaitingChanges of one source.
absl::Status KeepWaiting(commit::Transaction& transaction, const v1::RosterChange& change,
                         const base::RecordKey& record, const std::set<base::RecordKey>& missing);

// What waits to write `record`, if anything; not what was refused.
absl::StatusOr<std::optional<store::WaitingChange>> GetWaiting(const storage::Reader& reader,
                                                               const base::TenantId& tenant,
                                                               const base::RecordKey& record);

// Forgets what waits to write `record`, or was refused, if anything: it was applied or replaced. False where there was
// nothing.
absl::StatusOr<bool> DropWaiting(commit::Transaction& transaction, const base::RecordKey& record);

// What waits to write `record` was refused for `reason` when what it waited for had come. It is forgotten where
// limits::kWaitingChanges of its source were refused already. Errors: DAMAGED_ROW where nothing waits.
absl::Status RefuseWaiting(commit::Transaction& transaction, const base::RecordKey& record, const std::string& reason);

// Deletes the row that says that `waiter` waits for `missing`: damage, since no change does.
void ForgetWaiter(commit::Transaction& transaction, const base::RecordKey& missing, const base::RecordKey& waiter);

// Schedules the release of what waits for `record`, if anything does.
absl::Status ScheduleRelease(commit::Transaction& transaction, const base::RecordKey& record);

// Up to `most` records whose changes wait for `missing`.
absl::StatusOr<std::vector<base::RecordKey>> WaitersFor(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const base::RecordKey& missing, size_t most);

// What the change waits for, as its sender names it: up to `most`, in the order of its fields.
std::vector<Reference> MissingOf(const base::TenantId& tenant, const store::WaitingChange& waiting, size_t most);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_WAITING_H_

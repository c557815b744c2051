// Mismatches that were raised and are still to be told: a row each, written by the commit that raised it, by branch. So
// each raise is told once, and a restart or a restore of the store loses or doubles none.
//
// All in Space::kRecords and written through the sequencer only. Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_RAISES_H_
#define CARESYNC_SERVER_NOTIFICATIONS_RAISES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/notification.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::notifications {

// The kind of the task that tells, and its ID: a tenant has one at a time. Its payload is the due time, in
// microseconds, in decimals.
inline constexpr char kTellTask[] = "notifications/tell";

// Notes each mismatch that the transaction opens, or opens again, or that is open and whose visit another branch gives
// from now on, or that is held back and whose visit is near from now on (gathering.h), where somebody is to be told of
// the branch: a part of the rider of every transaction (commit/sequencer.h), to be run behind that of mismatch/. It is
// noted under the branch that gives the visit then. One that is open already, and changes otherwise, is no raise.
//
// Adds at most one row for each of them, the row of the task and its own. Errors are those of reading.
absl::Status NoteRaises(commit::Transaction& transaction);

// The branch of the first that wait behind `after` (nullopt: of all), those included that are held back (gathering.h);
// nullopt where there is none.
absl::StatusOr<std::optional<std::string>> FirstBranch(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const std::optional<std::string>& after);

// Up to `most` of the branch's.
absl::StatusOr<std::vector<mismatch::CarerVisit>> ReadRaised(const storage::Reader& reader,
                                                             const base::TenantId& tenant, const std::string& branch,
                                                             size_t most);
// It was told, or is not to be told any more.
void ForgetRaised(commit::Transaction& transaction, const std::string& branch, const mismatch::CarerVisit& of);

// What waits is looked at anew, from the first branch on. Nothing is written where nothing waits.
absl::Status LookAtRaised(commit::Transaction& transaction);

// All zero where there is none; one that cannot be read is logged, and has a task at kDueNotKnown (task_state.h): no
// rota waits for its repair, and what waits is told all the same.
absl::StatusOr<store::Notifications> ReadNotifications(const storage::Reader& reader, const base::TenantId& tenant);
// Writes them, with the task falling due at `due`, but within limits::kNotificationsSleep, in place of the time it had;
// nullopt: there is none any more.
void PutNotifications(commit::Transaction& transaction, std::optional<absl::Time> due, store::Notifications state);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_RAISES_H_

// What is held back of a branch that was told much within an hour, to be told as one when the hour is over.
//
// All in Space::kRecords and written through the sequencer only. Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_GATHERING_H_
#define CARESYNC_SERVER_NOTIFICATIONS_GATHERING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/notification.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::notifications {

// ---- Pure functions

// The hour (limits::kToldHour) that is counted at `now`: `stored`, or where that is over, or begins later by a clock
// that has been set back since, another one that begins now. That is busy where the one before ended no more than an
// hour ago and came to more than limits::kNoticesInAnHour, what it held back included.
store::ToldHour HourAt(const store::ToldHour& stored, absl::Time now);
absl::Time HourEnds(const store::ToldHour& hour);
// Whether what is raised now is held back: the hour is busy from its beginning on, or was told
// limits::kNoticesInAnHour.
bool HoldsBack(const store::ToldHour& hour);
// Whether a mismatch whose start that counts is `start` is told at once all the same.
bool IsNear(absl::Time start, absl::Time now);

// ---- Rows

// All zero where there is none, and where it cannot be read, which is logged: what is held back is told then.
absl::StatusOr<store::ToldHour> ReadHour(const storage::Reader& reader, const base::TenantId& tenant,
                                         const std::string& branch);
void PutHour(commit::Transaction& transaction, const std::string& branch, const store::ToldHour& hour);

void HoldBack(commit::Transaction& transaction, const std::string& branch, const mismatch::CarerVisit& of);
absl::StatusOr<bool> IsHeldBack(const storage::Reader& reader, const base::TenantId& tenant, const std::string& branch,
                                const mismatch::CarerVisit& of);
// Up to `most` of the branch's.
absl::StatusOr<std::vector<mismatch::CarerVisit>> ReadHeld(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const std::string& branch, size_t most);
// It is told, or is not to be told any more. Harmless where it was not held back.
void ForgetHeld(commit::Transaction& transaction, const std::string& branch, const mismatch::CarerVisit& of);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_GATHERING_H_

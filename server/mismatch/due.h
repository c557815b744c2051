// When a change of the rota that a device has not acknowledged becomes a mismatch. Pure functions.
#ifndef CARESYNC_SERVER_MISMATCH_DUE_H_
#define CARESYNC_SERVER_MISMATCH_DUE_H_

#include <vector>

#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/limits.h"

namespace caresync::mismatch {

// What the row has of a visit: the part that the device acknowledged, the one that is planned now, the one that was
// planned last. Point into the row. A row that has none is damaged.
std::vector<const store::VisitPart*> PartsIn(const store::Mismatch& row);

// By which start it is judged how near the visit is: the earlier one of what the device last acknowledged and of what
// is planned now, or was planned last. One that had passed when the last change came does not count, unless there is no
// other: a visit that was moved from this morning to tomorrow is tomorrow's. The row has one.
absl::Time StartThatCounts(const store::Mismatch& row);

// What a tenant may set of it.
struct Timing {
  absl::Duration grace = base::limits::kMismatchGrace;
  absl::Duration lead = base::limits::kMismatchLead;
  bool operator==(const Timing&) const = default;
};

// min( max(change + grace, start - lead), max(change + soonest, start - latest) ), by the tenant's timing and the
// limits kMismatchSoonest and kMismatchLatest: after a grace in which devices sync by themselves; not before the visit
// is near; and in time before it wherever the change came in time. `change` is when the change was committed.
absl::Time Due(absl::Time change, absl::Time start, const Timing& timing);

// From when on a sign of the carer (records/carer_signs.h) is one of the visit as it is planned now:
// limits::kMismatchSignEarliest before its start. Where the visit is gone, any is.
absl::Time EarliestSign(const store::Mismatch& row);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_DUE_H_

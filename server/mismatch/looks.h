// The task of a tenant's mismatches: opens those that are due and not settled, unless the carer was at the visit by
// then (records/carer_signs.h), or nothing is left of the changes and none of them was sent (taken_back.h); puts open
// ones behind the others once their visit is over, and lets go of those of which nothing is said any more. It sleeps
// until the next one is to be looked at; a deadline days ahead cannot be a task of its own (commit/tasks.h).
#ifndef CARESYNC_SERVER_MISMATCH_LOOKS_H_
#define CARESYNC_SERVER_MISMATCH_LOOKS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/commit/sequencer.h"
#include "server/commit/tasks.h"
#include "server/devices/syncs_under_way.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::mismatch {

// What the task kLookTask does: one step, of at most limits::kMismatchesLookedAt rows of each kind of its work. One is
// opened, or resolved as it was taken back, on condition that the device's cursor has not moved meanwhile. Nothing is
// opened within limits::kMismatchesRest of `opened`, the opening of the store by the monotonic clock. `clock` and
// `syncs` must outlive the step.
commit::TaskStep LookStep(const base::Clock& clock, absl::Duration opened, const devices::SyncsUnderWay& syncs);

// Once, when the server starts: lets the task of each tenant that has open mismatches look at all of them, for acks
// that were recorded and the server ended before it could look, and for what an earlier server put elsewhere; and lets
// a task that is late run, whatever became of it. Errors are those of reading.
absl::Status SweepAtStart(const storage::Reader& reader, commit::Sequencer& sequencer);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_LOOKS_H_

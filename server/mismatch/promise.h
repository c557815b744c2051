// How soon a change of the rota is to be seen on a carer's phone (requirement I4): counted from when it was made in its
// rostering system, by how near its visit was then. Pure functions.
#ifndef CARESYNC_SERVER_MISMATCH_PROMISE_H_
#define CARESYNC_SERVER_MISMATCH_PROMISE_H_

#include "absl/time/time.h"

namespace caresync::mismatch {

// A change that is made at `made` is one of a visit that is near: it starts within limits::kNearVisit.
bool IsNear(absl::Time made, absl::Time start);

// limits::kNearPromise, or kAheadPromise.
absl::Duration PromiseOf(absl::Time made, absl::Time start);

// Of a visit that had begun when it was changed nothing is promised.
bool IsPromised(absl::Time made, absl::Time start);

// What a lag cannot be: `made` lies ahead of `now` by more than limits::kLagClockAhead, or further back than kLagMost,
// as of records that a rostering system sends for the first time.
bool IsAheadOfClock(absl::Time made, absl::Time now);
bool IsTooLongAgo(absl::Time made, absl::Time now);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_PROMISE_H_

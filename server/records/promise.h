// How soon a change of the rota is to be seen on a carer's phone (requirement I4): counted from when it was made in its
// rostering system, by how near its visit was then. Pure functions.
#ifndef CARESYNC_SERVER_RECORDS_PROMISE_H_
#define CARESYNC_SERVER_RECORDS_PROMISE_H_

#include <optional>

#include "absl/time/time.h"

namespace caresync::records {

// A change that is made at `made` is one of a visit that is near: it starts within limits::kNearVisit.
bool IsNear(absl::Time made, absl::Time start);

// Of a visit that had begun when it was changed nothing is promised.
bool IsPromised(absl::Time made, absl::Time start);

// What a lag cannot be: `made` lies ahead of `now` by more than limits::kLagClockAhead, or further back than kLagMost,
// as of records that a rostering system sends for the first time.
bool IsAheadOfClock(absl::Time made, absl::Time now);
bool IsTooLongAgo(absl::Time made, absl::Time now);

// By when it is to be seen: limits::kNearPromise after `made`, or kAheadPromise. nullopt: nothing is promised of it, by
// what is said above as of `received`, when the server took it in.
std::optional<absl::Time> PromisedBy(absl::Time made, absl::Time received, absl::Time start);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_PROMISE_H_

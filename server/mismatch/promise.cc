#include "server/mismatch/promise.h"

#include "server/base/limits.h"

namespace caresync::mismatch {

namespace limits = base::limits;

bool IsNear(absl::Time made, absl::Time start) { return start - made <= limits::kNearVisit; }

absl::Duration PromiseOf(absl::Time made, absl::Time start) {
  return IsNear(made, start) ? limits::kNearPromise : limits::kAheadPromise;
}

bool IsPromised(absl::Time made, absl::Time start) { return start >= made; }

bool IsAheadOfClock(absl::Time made, absl::Time now) { return now - made < -limits::kLagClockAhead; }

bool IsTooLongAgo(absl::Time made, absl::Time now) { return now - made > limits::kLagMost; }

}  // namespace caresync::mismatch

#include "server/records/promise.h"

#include "server/base/limits.h"

namespace caresync::records {

namespace limits = base::limits;

bool IsNear(absl::Time made, absl::Time start) { return start - made <= limits::kNearVisit; }

bool IsPromised(absl::Time made, absl::Time start) { return start >= made; }

bool IsAheadOfClock(absl::Time made, absl::Time now) { return now - made < -limits::kLagClockAhead; }

bool IsTooLongAgo(absl::Time made, absl::Time now) { return now - made > limits::kLagMost; }

std::optional<absl::Time> PromisedBy(absl::Time made, absl::Time received, absl::Time start) {
  if (IsAheadOfClock(made, received) || IsTooLongAgo(made, received) || !IsPromised(made, start)) return std::nullopt;
  return made + (IsNear(made, start) ? limits::kNearPromise : limits::kAheadPromise);
}

}  // namespace caresync::records

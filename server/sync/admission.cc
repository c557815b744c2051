#include "server/sync/admission.h"

#include "server/base/errors.h"

namespace caresync::sync {

namespace limits = base::limits;

bool Admission::WaitsForLess(absl::Duration burst, absl::Duration standing, Refused& refused) const {
  const absl::Duration delay = executor_.Delay(coming_);
  if (delay < standing) return true;
  const int64_t now_us = absl::ToInt64Microseconds(clock_.Monotonic());
  // What was let in as a burst is worked off together, and leaves the queue empty for a moment: the next is none.
  const bool was_calm = refused < now_us - absl::ToInt64Microseconds(bounds_.calm);
  if (was_calm && delay < burst && executor_.Standing() < bounds_.standing) return true;
  refused = now_us;
  return false;
}

absl::Status Admission::RoomForCall() const {
  return WaitsForLess(bounds_.call_delay, bounds_.standing_call_delay, call_refused_) ? absl::OkStatus() : Refusal();
}

absl::Status Admission::RoomForCopy() const {
  const bool room =
      copies_ < bounds_.copies && WaitsForLess(bounds_.copy_delay, bounds_.standing_copy_delay, copy_refused_);
  return room ? absl::OkStatus() : Refusal();
}

absl::Status Admission::Refusal() const {
  return base::errors::Overloaded(
      base::RandomDuration(random_, limits::kOverloadRetryAfter, limits::kOverloadRetrySpread));
}

}  // namespace caresync::sync

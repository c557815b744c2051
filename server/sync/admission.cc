#include "server/sync/admission.h"

#include "server/base/errors.h"

namespace caresync::sync {

namespace limits = base::limits;

bool Admission::WaitsForLess(absl::Duration burst, absl::Duration standing) const {
  const absl::Duration delay = executor_.Delay();
  if (delay < standing) return true;
  return delay < burst && executor_.Standing() < bounds_.standing;
}

absl::Status Admission::RoomForCall() const {
  return WaitsForLess(bounds_.call_delay, bounds_.standing_call_delay) ? absl::OkStatus() : Refusal();
}

absl::Status Admission::RoomForCopy() const {
  const bool room = copies_ < bounds_.copies && WaitsForLess(bounds_.copy_delay, bounds_.standing_copy_delay);
  return room ? absl::OkStatus() : Refusal();
}

Admission::Copy Admission::BeginCopy() {
  ++copies_;
  return Copy(this);
}

absl::Status Admission::Refusal() const {
  return base::errors::Overloaded(
      base::RandomDuration(random_, limits::kOverloadRetryAfter, limits::kOverloadRetrySpread));
}

}  // namespace caresync::sync

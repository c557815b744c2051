#include "server/sync/admission.h"

#include "server/base/errors.h"

namespace caresync::sync {

namespace limits = base::limits;

absl::Status Admission::RoomForCall() const {
  return executor_.Delay() < bounds_.call_delay ? absl::OkStatus() : Refusal();
}

absl::Status Admission::RoomForCopy() const {
  const bool room = copies_ < bounds_.copies && executor_.Delay() < bounds_.copy_delay;
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

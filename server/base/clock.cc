#include "server/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace caresync::base {

absl::Time SystemClock::Now() const { return absl::Now(); }

absl::Duration SystemClock::Monotonic() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

int64_t ToStoredTime(absl::Time time) {
  if (time == absl::InfinitePast()) return 0;
  return absl::ToUnixMicros(time);
}

absl::Time FromStoredTime(int64_t microseconds) {
  if (microseconds == 0) return absl::InfinitePast();
  return absl::FromUnixMicros(microseconds);
}

}  // namespace caresync::base

#include "loadtest/open_loop.h"

#include <algorithm>
#include <utility>

namespace caresync::loadtest {
namespace {

// An arrival that is taken so late still counts as one in time: threads are not woken to the millisecond.
constexpr absl::Duration kLate = absl::Milliseconds(100);

}  // namespace

OpenLoop::OpenLoop(double per_second, absl::Duration duration)
    : apart_(absl::Seconds(1 / per_second)),
      count_(static_cast<uint64_t>(per_second * absl::ToDoubleSeconds(duration))) {}

std::optional<OpenLoop::Arrival> OpenLoop::Take() {
  while (!StopWished()) {
    const uint64_t number = next_++;
    if (number >= count_) return std::nullopt;
    const absl::Duration pause = static_cast<double>(number) * apart_ - Since(began_);
    if (pause < -kLate) {
      ++missed_;
      continue;
    }
    ++taken_;
    return Arrival{number, std::max(pause, absl::ZeroDuration())};
  }
  return std::nullopt;
}

Schedule::Schedule(double per_second) : apart_(absl::ToChronoNanoseconds(absl::Seconds(1 / per_second))) {}

std::optional<Instant> Schedule::WaitForNext() {
  if (!WaitUntil(next_)) return std::nullopt;
  return std::exchange(next_, next_ + apart_);
}

}  // namespace caresync::loadtest

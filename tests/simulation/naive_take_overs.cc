#include "tests/simulation/naive_take_overs.h"

#include <algorithm>

namespace caresync::simulation {

bool NaiveTakeOvers::Add(int64_t now_us, int64_t cleared_us) {
  constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;
  // What seems to lie ahead was seen before the clock was set back.
  std::erase_if(times_us_, [now_us](int64_t time) { return time <= now_us - kHourUs || time > now_us; });
  times_us_.push_back(now_us);
  // No more are remembered than it takes to tell: after the clock was set back, older ones do not count again.
  if (times_us_.size() > kMostTakeOvers + 1) times_us_.erase(times_us_.begin());
  // A mark that was cleared by a clock which was ahead says nothing.
  if (cleared_us > now_us) cleared_us = 0;
  // The new one counts whatever the clock says.
  const auto counted = 1 + std::count_if(times_us_.begin(), times_us_.end() - 1,
                                         [cleared_us](int64_t time) { return time > cleared_us; });
  return static_cast<size_t>(counted) > kMostTakeOvers;
}

}  // namespace caresync::simulation

// Waits for what other threads or processes do.
#ifndef CARESYNC_TESTS_FAKES_EVENTUALLY_H_
#define CARESYNC_TESTS_FAKES_EVENTUALLY_H_

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace caresync::fakes {

inline constexpr absl::Duration kBetweenLooks = absl::Milliseconds(1);

// Looks until `condition` holds; false where it does not within half a minute. Only for what cannot be waited on.
inline bool Eventually(const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(kBetweenLooks);
  }
  return true;
}

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_EVENTUALLY_H_

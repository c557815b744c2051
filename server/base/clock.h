// The seam for time. Nothing from commit/ to sync/ reads a clock of its own.
#ifndef CARESYNC_SERVER_BASE_CLOCK_H_
#define CARESYNC_SERVER_BASE_CLOCK_H_

#include <cstdint>

#include "absl/time/time.h"

namespace caresync::base {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time: for people and for evidence, never for order.
  virtual absl::Time Now() const = 0;
  // Time since some fixed moment; never goes back.
  virtual absl::Duration Monotonic() const = 0;
};

class SystemClock : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration Monotonic() const override;
};

// The stored form of an instant: microseconds since the Unix epoch; 0 is "never" (InfinitePast).
int64_t ToStoredTime(absl::Time time);
absl::Time FromStoredTime(int64_t microseconds);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_CLOCK_H_

// A clock that stands still until a test moves it.
#ifndef CARESYNC_TESTS_FAKES_MANUAL_CLOCK_H_
#define CARESYNC_TESTS_FAKES_MANUAL_CLOCK_H_

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "storage/mutex.h"

namespace caresync::fakes {

// Thread-safe. Begins at 2026-03-02 06:00 UTC, a Monday, and at a monotonic time of one hour.
class ManualClock : public base::Clock {
 public:
  absl::Time Now() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return now_;
  }

  absl::Duration Monotonic() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return monotonic_;
  }

  // Time passes. `step` must not be negative.
  void Advance(absl::Duration step) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    now_ += step;
    monotonic_ += step;
  }

  // Somebody sets the wall clock, forwards or back; no time passes.
  void SetNow(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    now_ = now;
  }

 private:
  mutable storage::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromCivil(absl::CivilSecond(2026, 3, 2, 6, 0, 0),
                                                            absl::UTCTimeZone());
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_MANUAL_CLOCK_H_

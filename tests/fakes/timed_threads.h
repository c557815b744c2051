// Work on real threads, and timers that fire when a test lets time pass.
#ifndef CARESYNC_TESTS_FAKES_TIMED_THREADS_H_
#define CARESYNC_TESTS_FAKES_TIMED_THREADS_H_

#include <atomic>
#include <cstddef>
#include <utility>

#include "server/base/executor.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"

namespace caresync::fakes {

// Thread-safe, but for Advance, which one thread calls. Timers that have not fired are dropped with it.
class TimedThreads : public base::Executor {
 public:
  // Timers follow `clock`, which must outlive it.
  TimedThreads(ManualClock& clock, int threads) : timers_(clock), threads_(threads) {}

  void Post(base::Work work) override {
    ++left_;
    threads_.Post([this, work = std::move(work)] {
      work();
      --left_;
    });
  }
  base::TimerId PostAfter(absl::Duration delay, base::Work work) override {
    return timers_.PostAfter(delay, [this, work = std::move(work)] { Post(work); });
  }
  bool Cancel(base::TimerId timer) override { return timers_.Cancel(timer); }
  // As SetDelay said, zero before: however slow the machine is that runs the test.
  absl::Duration Delay(size_t announced) const override { return timers_.Delay(announced); }
  absl::Duration Standing() const override { return timers_.Standing(); }
  void SetDelay(absl::Duration delay) { timers_.SetDelay(delay); }

  // Lets `step` pass on the clock; the work of the timers that fall due runs on the threads, perhaps later.
  void Advance(absl::Duration step) { timers_.Advance(step); }
  // Timers that have not fired.
  size_t timers() const { return timers_.timers(); }
  // Work that was posted, that of timers too, and has not run to its end.
  size_t left() const { return left_; }

 private:
  ManualExecutor timers_;
  std::atomic<size_t> left_ = 0;
  // Joined before the timers go.
  base::ThreadExecutor threads_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_TIMED_THREADS_H_

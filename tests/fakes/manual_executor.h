// An executor without threads: a test says when work runs and when time passes.
#ifndef CARESYNC_TESTS_FAKES_MANUAL_EXECUTOR_H_
#define CARESYNC_TESTS_FAKES_MANUAL_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "server/base/executor.h"
#include "storage/mutex.h"
#include "tests/fakes/manual_clock.h"

namespace caresync::fakes {

// Work is run by whoever calls RunAll, RunOne or Advance: one thread at a time, and from within work only where
// somebody calls them there, as if another thread got on meanwhile. Post, PostAfter and Cancel are thread-safe. Work
// that was not run is dropped with the executor.
class ManualExecutor : public base::Executor {
 public:
  // Timers follow `clock`'s monotonic time; it must outlive the executor. With a seed, ready work runs in a random
  // order that the seed repeats; without one, in the order it was posted.
  explicit ManualExecutor(ManualClock& clock, std::optional<uint64_t> seed = std::nullopt);

  void Post(base::Work work) override ABSL_LOCKS_EXCLUDED(mutex_);
  base::TimerId PostAfter(absl::Duration delay, base::Work work) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Cancel(base::TimerId timer) override ABSL_LOCKS_EXCLUDED(mutex_);
  // As SetDelay said, and `announced` times what SetPace said; zero before.
  absl::Duration Delay(size_t announced) const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Standing() const override ABSL_LOCKS_EXCLUDED(mutex_);
  // As of an executor that has too much to do, and has had for `standing`.
  void SetDelay(absl::Duration delay, absl::Duration standing = absl::ZeroDuration()) ABSL_LOCKS_EXCLUDED(mutex_);

  void SetPace(absl::Duration pace) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs one piece of work that is ready, timers that are due among it. False where there is none.
  bool RunOne() ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs until nothing is ready, work that other work posts included.
  void RunAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets `step` pass on the clock: stops at each timer on the way and runs all that is ready then.
  void Advance(absl::Duration step) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t ready() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Timers that have not fired.
  size_t timers() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // In order of their times, and for one time in the order they were set.
  using Due = std::pair<absl::Duration, base::TimerId>;

  std::optional<base::Work> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration NextDue(absl::Duration otherwise) const ABSL_LOCKS_EXCLUDED(mutex_);

  ManualClock& clock_;
  mutable storage::Mutex mutex_;
  std::optional<std::mt19937_64> order_ ABSL_GUARDED_BY(mutex_);
  std::deque<base::Work> ready_ ABSL_GUARDED_BY(mutex_);
  std::map<Due, base::Work> timers_ ABSL_GUARDED_BY(mutex_);
  base::TimerId next_timer_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::Duration delay_ ABSL_GUARDED_BY(mutex_);
  absl::Duration standing_ ABSL_GUARDED_BY(mutex_);
  absl::Duration pace_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_MANUAL_EXECUTOR_H_

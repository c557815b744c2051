// The seam for running work: no room from commit/ to sync/ has a thread of its own.
#ifndef CARESYNC_SERVER_BASE_EXECUTOR_H_
#define CARESYNC_SERVER_BASE_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "storage/mutex.h"

namespace caresync::base {

using Work = std::function<void()>;
// Never 0 for a timer that was set.
using TimerId = uint64_t;

// Thread-safe. Work may run on any of its threads, at the same time as other work; it may read from disk, but must not
// wait for other work.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual void Post(Work work) = 0;
  // Runs `work` once, no sooner than `delay` from now.
  virtual TimerId PostAfter(absl::Duration delay, Work work) = 0;
  // Forgets a timer. False where its work has begun already, or never was.
  virtual bool Cancel(TimerId timer) = 0;
  // How long work waits; zero where none does. It is as long as that which is to begin next has waited, or as all that
  // waits will take at the pace of late, whichever is more: the first grows only while the second has long been too
  // much. `announced`: so much more is about to be posted, and counts as if it waited.
  virtual absl::Duration Delay(size_t announced) const = 0;
  // For how long some work has waited without a break; zero where none waits. A burst that is worked off soon leaves it
  // short; where as much comes as can be done, or more, it grows for as long as that lasts.
  virtual absl::Duration Standing() const = 0;
};

// Runs work on `threads` threads of its own, in the order it was posted.
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(int threads);
  // Runs what was posted, drops timers that are not due, joins. Nothing may be posted from outside any more.
  ~ThreadExecutor() override;

  void Post(Work work) override ABSL_LOCKS_EXCLUDED(mutex_);
  TimerId PostAfter(absl::Duration delay, Work work) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Cancel(TimerId timer) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Delay(size_t announced) const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration Standing() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Ready {
    Work work;
    absl::Time since;
  };
  struct Due {
    absl::Time time;
    TimerId id;
    bool operator<(const Due& other) const { return time != other.time ? time < other.time : id < other.id; }
  };
  void RunThread() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the next work; an empty one says that the thread shall end.
  Work Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void MoveDueTimers(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes a thread that waits for nothing, or for a later time than the first timer's, where none waits for that one.
  void WakeForFirstTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until there may be work, or the first timer is due.
  void WaitForWork(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Work TakeReady(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddReady(Work work, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable storage::Mutex mutex_;
  storage::CondVar wake_;
  std::deque<Ready> ready_ ABSL_GUARDED_BY(mutex_);
  // Since when it has not been empty; of no meaning while it is.
  absl::Time standing_since_ ABSL_GUARDED_BY(mutex_);
  // When work was last taken where more was left, and how far apart that lay of late; zero before it is known.
  std::optional<absl::Time> taken_ ABSL_GUARDED_BY(mutex_);
  absl::Duration pace_ ABSL_GUARDED_BY(mutex_);
  std::map<Due, Work> timers_ ABSL_GUARDED_BY(mutex_);
  std::map<TimerId, absl::Time> due_times_ ABSL_GUARDED_BY(mutex_);
  // Until when each thread waits that has nothing to do.
  std::multiset<absl::Time> waits_ ABSL_GUARDED_BY(mutex_);
  TimerId next_timer_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_EXECUTOR_H_

#include "server/base/executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {
namespace {

// A timer that nobody means to see fire, and that the arithmetic of clocks can still hold.
constexpr absl::Duration kLongestDelay = absl::Hours(24 * 365);

// The pace is that of about so many pieces of work: of more than the odd long one, and of none that is long ago.
constexpr int64_t kPaceOf = 32;
// However long the threads, or the disk, stood still between two pieces: after a stall that few had waited behind, the
// pace would stay at seconds, and any two calls at once would be refused on an idle server. Work that is as slow in
// earnest shows in how long the next has waited.
constexpr absl::Duration kApartMost = absl::Milliseconds(20);

// On the monotonic scale, so that a wall clock that is set does not fire or hold up timers.
absl::Time MonotonicNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

ThreadExecutor::ThreadExecutor(int threads) {
  ABSL_RAW_CHECK(threads > 0, "an executor needs a thread");
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { RunThread(); });
}

ThreadExecutor::~ThreadExecutor() {
  {
    storage::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void ThreadExecutor::Post(Work work) {
  storage::MutexLock lock(mutex_);
  // Under the lock, so that the first is the one that has waited longest.
  AddReady(std::move(work), MonotonicNow());
  wake_.NotifyOne();
}

TimerId ThreadExecutor::PostAfter(absl::Duration delay, Work work) {
  const absl::Time time = MonotonicNow() + std::clamp(delay, absl::ZeroDuration(), kLongestDelay);
  storage::MutexLock lock(mutex_);
  const TimerId id = next_timer_++;
  timers_.emplace(Due{time, id}, std::move(work));
  due_times_.emplace(id, time);
  // Most timers are far ahead and cancelled before; none of them is to wake a thread.
  WakeForFirstTimer();
  return id;
}

bool ThreadExecutor::Cancel(TimerId timer) {
  // Destroyed after the lock is released: what the work holds may come back here when it goes.
  Work cancelled;
  storage::MutexLock lock(mutex_);
  auto due = due_times_.find(timer);
  if (due == due_times_.end()) return false;
  auto found = timers_.find(Due{due->second, timer});
  cancelled = std::move(found->second);
  timers_.erase(found);
  due_times_.erase(due);
  return true;
}

absl::Duration ThreadExecutor::Delay(size_t announced) const {
  storage::MutexLock lock(mutex_);
  const absl::Duration coming = pace_ * static_cast<int64_t>(ready_.size() + announced);
  return ready_.empty() ? coming : std::max(MonotonicNow() - ready_.front().since, coming);
}

absl::Duration ThreadExecutor::Standing() const {
  storage::MutexLock lock(mutex_);
  return ready_.empty() ? absl::ZeroDuration() : MonotonicNow() - standing_since_;
}

Work ThreadExecutor::TakeReady(absl::Time now) {
  Work work = std::move(ready_.front().work);
  ready_.pop_front();
  if (taken_.has_value()) {
    const absl::Duration apart = std::min(now - *taken_, kApartMost);
    pace_ = pace_ == absl::ZeroDuration() ? apart : pace_ + (apart - pace_) / kPaceOf;
  }
  // Nothing follows from how long the threads have nothing to do.
  taken_ = ready_.empty() ? std::nullopt : std::optional<absl::Time>(now);
  return work;
}

void ThreadExecutor::AddReady(Work work, absl::Time now) {
  if (ready_.empty()) standing_since_ = now;
  ready_.push_back({std::move(work), now});
}

void ThreadExecutor::MoveDueTimers(absl::Time now) {
  while (!timers_.empty() && timers_.begin()->first.time <= now) {
    auto first = timers_.begin();
    due_times_.erase(first->first.id);
    AddReady(std::move(first->second), now);
    timers_.erase(first);
    // The caller takes one; a thread that waits can take another.
    if (ready_.size() > 1) wake_.NotifyOne();
  }
}

void ThreadExecutor::WakeForFirstTimer() {
  if (timers_.empty() || waits_.empty() || *waits_.begin() <= timers_.begin()->first.time) return;
  wake_.NotifyOne();
}

void ThreadExecutor::WaitForWork(absl::Time now) {
  const bool any_timer = !timers_.empty();
  const auto wait = waits_.insert(any_timer ? timers_.begin()->first.time : absl::InfiniteFuture());
  if (any_timer) {
    wake_.WaitFor(mutex_, absl::ToChronoNanoseconds(*wait - now));
  } else {
    wake_.Wait(mutex_);
  }
  waits_.erase(wait);
}

Work ThreadExecutor::Take() {
  storage::MutexLock lock(mutex_);
  while (true) {
    const absl::Time now = MonotonicNow();
    MoveDueTimers(now);
    if (!ready_.empty()) {
      // This may be the thread that waited for the first timer, and what it takes may be long.
      WakeForFirstTimer();
      return TakeReady(now);
    }
    if (stopping_) return nullptr;
    WaitForWork(now);
  }
}

void ThreadExecutor::RunThread() {
  while (Work work = Take()) work();
}

}  // namespace caresync::base

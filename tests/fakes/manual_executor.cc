#include "tests/fakes/manual_executor.h"

#include <algorithm>

namespace caresync::fakes {

ManualExecutor::ManualExecutor(ManualClock& clock, std::optional<uint64_t> seed) : clock_(clock) {
  if (seed.has_value()) order_.emplace(*seed);
}

void ManualExecutor::Post(base::Work work) {
  storage::MutexLock lock(mutex_);
  ready_.push_back(std::move(work));
}

base::TimerId ManualExecutor::PostAfter(absl::Duration delay, base::Work work) {
  const absl::Duration due = clock_.Monotonic() + std::max(delay, absl::ZeroDuration());
  storage::MutexLock lock(mutex_);
  const base::TimerId id = next_timer_++;
  timers_.emplace(Due{due, id}, std::move(work));
  return id;
}

bool ManualExecutor::Cancel(base::TimerId timer) {
  // Destroyed after the lock is released: what the work holds may come back here when it goes.
  base::Work cancelled;
  storage::MutexLock lock(mutex_);
  auto found =
      std::find_if(timers_.begin(), timers_.end(), [&](const auto& entry) { return entry.first.second == timer; });
  if (found == timers_.end()) return false;
  cancelled = std::move(found->second);
  timers_.erase(found);
  return true;
}

absl::Duration ManualExecutor::Delay(size_t announced) const {
  storage::MutexLock lock(mutex_);
  return delay_ + pace_ * static_cast<int64_t>(announced);
}

void ManualExecutor::SetPace(absl::Duration pace) {
  storage::MutexLock lock(mutex_);
  pace_ = pace;
}

absl::Duration ManualExecutor::Standing() const {
  storage::MutexLock lock(mutex_);
  return standing_;
}

void ManualExecutor::SetDelay(absl::Duration delay, absl::Duration standing) {
  storage::MutexLock lock(mutex_);
  delay_ = delay;
  standing_ = standing;
}

std::optional<base::Work> ManualExecutor::Take() {
  const absl::Duration now = clock_.Monotonic();
  storage::MutexLock lock(mutex_);
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    ready_.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
  if (ready_.empty()) return std::nullopt;
  auto chosen = ready_.begin();
  if (order_.has_value()) chosen += static_cast<ptrdiff_t>((*order_)() % ready_.size());
  base::Work work = std::move(*chosen);
  ready_.erase(chosen);
  return work;
}

bool ManualExecutor::RunOne() {
  std::optional<base::Work> work = Take();
  if (!work.has_value()) return false;
  (*work)();
  return true;
}

void ManualExecutor::RunAll() {
  while (RunOne()) {
  }
}

absl::Duration ManualExecutor::NextDue(absl::Duration otherwise) const {
  storage::MutexLock lock(mutex_);
  return timers_.empty() ? otherwise : std::min(otherwise, timers_.begin()->first.first);
}

void ManualExecutor::Advance(absl::Duration step) {
  const absl::Duration end = clock_.Monotonic() + step;
  RunAll();
  while (clock_.Monotonic() < end) {
    clock_.Advance(NextDue(end) - clock_.Monotonic());
    RunAll();
  }
}

size_t ManualExecutor::ready() const {
  storage::MutexLock lock(mutex_);
  return ready_.size();
}

size_t ManualExecutor::timers() const {
  storage::MutexLock lock(mutex_);
  return timers_.size();
}

}  // namespace caresync::fakes

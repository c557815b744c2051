#include "loadtest/turns.h"

namespace caresync::loadtest {

Turns::Turns(size_t devices, size_t at_once) : states_(devices, State::kNew), free_(at_once) {}

std::optional<size_t> Turns::Next(size_t device) {
  storage::MutexLock lock(mutex_);
  State& state = states_[device];
  if (state == State::kHasTurn || (state == State::kNew && free_ > 0)) {
    if (state == State::kNew) --free_;
    state = State::kSyncs;
    return device;
  }
  const bool is_done = state == State::kSyncs;
  state = State::kWaits;
  waiting_.push_back(device);
  if (!is_done) return std::nullopt;
  const size_t next = waiting_.front();
  waiting_.pop_front();
  states_[next] = next == device ? State::kSyncs : State::kHasTurn;
  return next;
}

}  // namespace caresync::loadtest

#include "server/rpc/open_calls.h"

#include <utility>

#include "server/base/errors.h"
#include "server/base/limits.h"

namespace caresync::rpc {

OpenCalls::Handle::Handle(Handle&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), number_(std::exchange(other.number_, 0)) {}

OpenCalls::Handle& OpenCalls::Handle::operator=(Handle&& other) noexcept {
  std::swap(owner_, other.owner_);
  std::swap(number_, other.number_);
  return *this;
}

OpenCalls::Handle::~Handle() {
  if (owner_ != nullptr) owner_->Leave(number_);
}

absl::StatusOr<OpenCalls::Handle> OpenCalls::Enter(EndCall end) {
  const absl::Status room = admission_ == nullptr ? absl::OkStatus() : admission_->RoomForCall();
  storage::MutexLock lock(mutex_);
  if (ended_.has_value()) return *ended_;
  if (!room.ok()) return room;
  if (calls_.size() >= most_) {
    return admission_ == nullptr ? base::errors::Overloaded(base::limits::kOverloadRetryAfter) : admission_->Refusal();
  }
  const uint64_t number = next_number_++;
  calls_.emplace(number, std::move(end));
  return Handle(this, number);
}

void OpenCalls::EndAll(const absl::Status& status) {
  std::map<uint64_t, EndCall> calls;
  {
    storage::MutexLock lock(mutex_);
    ended_ = status;
    calls = calls_;
  }
  for (const auto& [number, end] : calls) end(status);
}

void OpenCalls::Leave(uint64_t number) {
  // Destroyed after the lock is released: it may hold the last reference to its call.
  EndCall end;
  storage::MutexLock lock(mutex_);
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  end = std::move(found->second);
  calls_.erase(found);
}

}  // namespace caresync::rpc

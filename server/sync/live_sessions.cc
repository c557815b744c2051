#include "server/sync/live_sessions.h"

#include "server/base/errors.h"

namespace caresync::sync {

LiveSessions::Handle::Handle(Handle&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), number_(other.number_) {}

LiveSessions::Handle& LiveSessions::Handle::operator=(Handle&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->Leave(number_);
  owner_ = std::exchange(other.owner_, nullptr);
  number_ = other.number_;
  return *this;
}

LiveSessions::Handle::~Handle() {
  if (owner_ != nullptr) owner_->Leave(number_);
}

LiveSessions::Handle LiveSessions::Enter(const base::TenantId& tenant, const base::Uuid& device, EndSession end) {
  const Device key(tenant, device);
  EndSession displaced;
  uint64_t number = 0;
  {
    storage::MutexLock lock(mutex_);
    number = next_number_++;
    if (const auto before = current_.find(key); before != current_.end()) displaced = sessions_.at(before->second).end;
    current_[key] = number;
    sessions_.emplace(number, Entry{key, std::move(end)});
  }
  if (displaced) displaced(base::errors::SessionTakenOver());
  return Handle(this, number);
}

bool LiveSessions::IsOpen(const base::TenantId& tenant, const base::Uuid& device) const {
  storage::MutexLock lock(mutex_);
  return current_.count({tenant, device}) > 0;
}

size_t LiveSessions::count() const {
  storage::MutexLock lock(mutex_);
  return sessions_.size();
}

void LiveSessions::Leave(uint64_t number) {
  storage::MutexLock lock(mutex_);
  const auto session = sessions_.find(number);
  const auto current = current_.find(session->second.device);
  if (current != current_.end() && current->second == number) current_.erase(current);
  sessions_.erase(session);
}

}  // namespace caresync::sync

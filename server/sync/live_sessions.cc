#include "server/sync/live_sessions.h"

#include "server/base/errors.h"

namespace caresync::sync {
namespace {

// Sessions that are looked at under one lock.
constexpr size_t kToldAtOnce = 256;

}  // namespace

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

LiveSessions::Handle LiveSessions::Enter(const base::TenantId& tenant, const base::Uuid& device, EndSession end,
                                         TellSession tell) {
  const Device key(tenant, device);
  EndSession displaced;
  uint64_t number = 0;
  {
    storage::MutexLock lock(mutex_);
    number = next_number_++;
    if (const auto before = current_.find(key); before != current_.end()) displaced = sessions_.at(before->second).end;
    current_[key] = number;
    sessions_.emplace(number, Entry{key, std::move(end), std::move(tell)});
  }
  if (displaced) displaced(base::errors::SessionTakenOver());
  return Handle(this, number);
}

bool LiveSessions::Tell(const base::TenantId& tenant, const base::Uuid& device, const Notice& notice) {
  TellSession tell;
  {
    storage::MutexLock lock(mutex_);
    const auto current = current_.find({tenant, device});
    if (current == current_.end()) return false;
    tell = sessions_.at(current->second).tell;
  }
  tell(notice);
  return true;
}

void LiveSessions::TellTenant(const base::TenantId& tenant, const Notice& notice) {
  std::optional<base::Uuid> after;
  while (true) {
    const std::vector<TellSession> some = SomeOf(tenant, after);
    if (some.empty()) return;
    for (const TellSession& tell : some) tell(notice);
  }
}

std::vector<LiveSessions::TellSession> LiveSessions::SomeOf(const base::TenantId& tenant,
                                                            std::optional<base::Uuid>& after) const {
  std::vector<TellSession> some;
  storage::MutexLock lock(mutex_);
  auto session = after.has_value() ? current_.upper_bound({tenant, *after}) : current_.lower_bound({tenant, {}});
  for (; session != current_.end() && session->first.first == tenant && some.size() < kToldAtOnce; ++session) {
    some.push_back(sessions_.at(session->second).tell);
    after = session->first.second;
  }
  return some;
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

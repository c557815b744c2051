#include "server/sync/live_sessions.h"

#include "server/base/errors.h"

namespace caresync::sync {
namespace {

// Sessions that are looked at under one lock.
constexpr size_t kToldAtOnce = 256;

}  // namespace

LiveSessions::Handle::Handle(Handle&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), session_id_(std::move(other.session_id_)) {}

LiveSessions::Handle& LiveSessions::Handle::operator=(Handle&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->Leave(session_id_);
  owner_ = std::exchange(other.owner_, nullptr);
  session_id_ = std::move(other.session_id_);
  return *this;
}

LiveSessions::Handle::~Handle() {
  if (owner_ != nullptr) owner_->Leave(session_id_);
}

LiveSessions::Handle LiveSessions::Enter(const base::TenantId& tenant, const base::Uuid& device,
                                         const std::string& session_id, Arrival arrival, EndSession end,
                                         TellSession tell) {
  const Device key(tenant, device);
  EndSession displaced;
  {
    storage::MutexLock lock(mutex_);
    const auto before = current_.find(key);
    const Entry* other = before == current_.end() ? nullptr : &sessions_.at(before->second);
    const bool comes_last = other == nullptr || other->arrival < arrival;
    if (other != nullptr) displaced = comes_last ? other->end : end;
    if (comes_last) current_[key] = session_id;
    sessions_.emplace(session_id, Entry{key, arrival, std::move(end), std::move(tell)});
  }
  if (displaced) displaced(base::errors::SessionTakenOver());
  return Handle(this, session_id);
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

std::optional<Arrival> LiveSessions::OpenOf(const base::TenantId& tenant, const base::Uuid& device) const {
  storage::MutexLock lock(mutex_);
  const auto current = current_.find({tenant, device});
  if (current == current_.end()) return std::nullopt;
  return sessions_.at(current->second).arrival;
}

bool LiveSessions::IsLive(const std::string& session_id) const {
  storage::MutexLock lock(mutex_);
  return sessions_.count(session_id) > 0;
}

size_t LiveSessions::count() const {
  storage::MutexLock lock(mutex_);
  return sessions_.size();
}

void LiveSessions::Leave(const std::string& session_id) {
  storage::MutexLock lock(mutex_);
  const auto session = sessions_.find(session_id);
  const auto current = current_.find(session->second.device);
  if (current != current_.end() && current->second == session_id) current_.erase(current);
  sessions_.erase(session);
}

}  // namespace caresync::sync

#include "server/commit/subscriptions.h"

namespace caresync::commit {

Subscriptions::Handle::Handle(Handle&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), id_(std::exchange(other.id_, 0)) {}

Subscriptions::Handle& Subscriptions::Handle::operator=(Handle&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->End(id_);
  owner_ = std::exchange(other.owner_, nullptr);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

Subscriptions::Handle::~Handle() {
  if (owner_ != nullptr) owner_->End(id_);
}

Subscriptions::Handle Subscriptions::Subscribe(const base::TenantId& tenant, const base::ReceiverId& receiver,
                                               OnMoved on_moved) {
  const Topic topic(tenant, receiver);
  storage::MutexLock lock(mutex_);
  const uint64_t id = next_id_++;
  by_topic_[topic].emplace(id, std::move(on_moved));
  topics_.emplace(id, topic);
  return Handle(this, id);
}

void Subscriptions::Publish(const base::TenantId& tenant, const base::ReceiverId& receiver, base::Revision revision) {
  // The callbacks run under the mutex, which makes the end of a subscription wait for one that is running. They may do
  // nothing but pass the word on, so it is held briefly.
  storage::MutexLock lock(mutex_);
  auto topic = by_topic_.find(Topic(tenant, receiver));
  if (topic == by_topic_.end()) return;
  for (const auto& [id, on_moved] : topic->second) on_moved(revision);
}

void Subscriptions::End(uint64_t id) {
  // Destroyed after the mutex is released: what the callback holds is not ours to know.
  OnMoved ended;
  storage::MutexLock lock(mutex_);
  auto topic = topics_.find(id);
  auto subscribers = by_topic_.find(topic->second);
  auto subscriber = subscribers->second.find(id);
  ended = std::move(subscriber->second);
  subscribers->second.erase(subscriber);
  if (subscribers->second.empty()) by_topic_.erase(subscribers);
  topics_.erase(topic);
}

}  // namespace caresync::commit

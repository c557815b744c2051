// Who wants to hear that a receiver's feed moved on. The only way by which a commit is heard of upstairs.
#ifndef CARESYNC_SERVER_COMMIT_SUBSCRIPTIONS_H_
#define CARESYNC_SERVER_COMMIT_SUBSCRIPTIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/ids.h"
#include "storage/mutex.h"

namespace caresync::commit {

// Called after the commit is durable, on the committing thread; must not block and must not call back into
// Subscriptions.
using OnMoved = std::function<void(base::Revision revision)>;

// Thread-safe.
class Subscriptions {
 public:
  // Ends the subscription when destroyed; afterwards the callback does not run and is not running. Must not outlive the
  // Subscriptions it came from, and must not be destroyed from within its own callback.
  class Handle {
   public:
    Handle() = default;
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

   private:
    friend class Subscriptions;
    Handle(Subscriptions* owner, uint64_t id) : owner_(owner), id_(id) {}
    Subscriptions* owner_ = nullptr;
    uint64_t id_ = 0;
  };

  [[nodiscard]] Handle Subscribe(const base::TenantId& tenant, const base::ReceiverId& receiver, OnMoved on_moved)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the receiver's subscribers. Called by the sequencer, in commit order for each tenant.
  void Publish(const base::TenantId& tenant, const base::ReceiverId& receiver, base::Revision revision)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Topic = std::pair<base::TenantId, base::ReceiverId>;
  void End(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  storage::Mutex mutex_;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<Topic, std::map<uint64_t, OnMoved>> by_topic_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Topic> topics_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_SUBSCRIPTIONS_H_

// Which sessions are open now: for take-over by a second stream of the same device.
#ifndef CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_
#define CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/mutex.h"

namespace caresync::sync {

// Thread-safe.
class LiveSessions {
 public:
  // Tells a session to end with this status. Must not block, nor call back into LiveSessions.
  using EndSession = std::function<void(absl::Status)>;

  // Takes the session off the list when destroyed. Must not outlive its LiveSessions.
  class Handle {
   public:
    Handle() = default;
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

   private:
    friend class LiveSessions;
    Handle(LiveSessions* owner, uint64_t number) : owner_(owner), number_(number) {}
    LiveSessions* owner_ = nullptr;
    uint64_t number_ = 0;
  };

  // Lists a session of `device`; one that is listed for it already is told to end with SESSION_TAKEN_OVER.
  [[nodiscard]] Handle Enter(const base::TenantId& tenant, const base::Uuid& device, EndSession end)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a session of the device is listed.
  bool IsOpen(const base::TenantId& tenant, const base::Uuid& device) const ABSL_LOCKS_EXCLUDED(mutex_);

  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Device = std::pair<base::TenantId, base::Uuid>;
  struct Entry {
    Device device;
    EndSession end;
  };
  void Leave(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable storage::Mutex mutex_;
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<Device, uint64_t> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

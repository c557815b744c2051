// Which sessions are open now: for take-over by a second stream of the same device, for what devices are to be told,
// and for reports of what is under way.
#ifndef CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_
#define CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/sync/notice.h"
#include "storage/mutex.h"

namespace caresync::sync {

// Thread-safe.
class LiveSessions {
 public:
  // Tells a session to end with this status. Must not block, nor call back into LiveSessions.
  using EndSession = std::function<void(absl::Status)>;
  // Gives a session something to tell its device. May come after the session has left. The same holds for it.
  using TellSession = std::function<void(const Notice&)>;

  // Takes the session off the list when destroyed. Must not outlive its LiveSessions.
  class Handle {
   public:
    Handle() = default;
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

   private:
    friend class LiveSessions;
    Handle(LiveSessions* owner, std::string session_id) : owner_(owner), session_id_(std::move(session_id)) {}
    LiveSessions* owner_ = nullptr;
    std::string session_id_;
  };

  // Lists a session of `device` under an ID of its own; one that is listed for the device already is told to end with
  // SESSION_TAKEN_OVER.
  [[nodiscard]] Handle Enter(const base::TenantId& tenant, const base::Uuid& device, const std::string& session_id,
                             EndSession end, TellSession tell) ABSL_LOCKS_EXCLUDED(mutex_);

  // False where no session of the device is listed.
  bool Tell(const base::TenantId& tenant, const base::Uuid& device, const Notice& notice) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the sessions of all devices of the tenant. Takes as long as there are many; holds no one up for that long.
  void TellTenant(const base::TenantId& tenant, const Notice& notice) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a session of the device is listed.
  bool IsOpen(const base::TenantId& tenant, const base::Uuid& device) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether this session is listed. It enters before it writes that its sync is under way, and leaves after it has
  // written the end, or could not; one that was taken over leaves that to the other.
  bool IsLive(const std::string& session_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Device = std::pair<base::TenantId, base::Uuid>;
  struct Entry {
    Device device;
    EndSession end;
    TellSession tell;
  };
  // The next few sessions of the tenant after `after`, which is set to the last of them.
  std::vector<TellSession> SomeOf(const base::TenantId& tenant, std::optional<base::Uuid>& after) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& session_id) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable storage::Mutex mutex_;
  // By session ID.
  std::map<std::string, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  // The last that entered of each device.
  std::map<Device, std::string> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

// Which sessions are open now: for take-over by a second stream of the same device, for what devices are to be told,
// and for reports of what is under way.
#ifndef CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_
#define CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
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

// When a stream came, counted over all of a server: a later one has the higher number.
using Arrival = uint64_t;

// Thread-safe.
class LiveSessions {
 public:
  // Of a stream that comes now.
  Arrival NextArrival() { return ++arrivals_; }

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

  // Lists a session of `device` under an ID of its own. Where one is listed for the device already, the one whose
  // stream came earlier is told to end with SESSION_TAKEN_OVER. That may be the one that enters: its start was read
  // late, and the device has left its stream for the other since.
  [[nodiscard]] Handle Enter(const base::TenantId& tenant, const base::Uuid& device, const std::string& session_id,
                             Arrival arrival, EndSession end, TellSession tell) ABSL_LOCKS_EXCLUDED(mutex_);

  // False where no session of the device is listed.
  bool Tell(const base::TenantId& tenant, const base::Uuid& device, const Notice& notice) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the sessions of all devices of the tenant. Takes as long as there are many; holds no one up for that long.
  void TellTenant(const base::TenantId& tenant, const Notice& notice) ABSL_LOCKS_EXCLUDED(mutex_);

  // When the stream came of the last session that is listed for the device; nullopt where none is.
  std::optional<Arrival> OpenOf(const base::TenantId& tenant, const base::Uuid& device) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether this session is listed. It enters before it writes that its sync is under way, and leaves after it has
  // written the end, or could not; one that was taken over leaves that to the other.
  bool IsLive(const std::string& session_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Something that a session had to write of its device is lost, or never was handed to the store: what the rows of
  // sessions that are over say may not be all. Told before the session leaves.
  void NoteRowsLost() { rows_lost_ = true; }
  // That was so once. It is not known of which devices: it happens where the store is in trouble.
  bool rows_lost() const { return rows_lost_; }

  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Device = std::pair<base::TenantId, base::Uuid>;
  struct Entry {
    Device device;
    Arrival arrival;
    EndSession end;
    TellSession tell;
  };
  // The next few sessions of the tenant after `after`, which is set to the last of them.
  std::vector<TellSession> SomeOf(const base::TenantId& tenant, std::optional<base::Uuid>& after) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& session_id) ABSL_LOCKS_EXCLUDED(mutex_);

  std::atomic<Arrival> arrivals_ = 0;
  std::atomic<bool> rows_lost_ = false;
  mutable storage::Mutex mutex_;
  // By session ID.
  std::map<std::string, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  // The one of each device whose stream came last.
  std::map<Device, std::string> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_LIVE_SESSIONS_H_

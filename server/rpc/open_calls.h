// How many calls of a sort are open, and which: bounded, let in only while the server has room for them, and told to
// end when it goes away.
#ifndef CARESYNC_SERVER_RPC_OPEN_CALLS_H_
#define CARESYNC_SERVER_RPC_OPEN_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sync/admission.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Thread-safe.
class OpenCalls {
 public:
  // Tells a call to end with this status. May come after the call's Handle has gone, and while it goes.
  using EndCall = std::function<void(absl::Status)>;

  // Takes the call off the list when destroyed. Must not outlive its OpenCalls.
  class Handle {
   public:
    Handle() = default;
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

   private:
    friend class OpenCalls;
    Handle(OpenCalls* owner, uint64_t number) : owner_(owner), number_(number) {}
    OpenCalls* owner_ = nullptr;
    uint64_t number_ = 0;
  };

  // At most `most` calls are open at once. With `admission`, which must outlive it, none is let in that the server has
  // no room for.
  explicit OpenCalls(size_t most, const sync::Admission* admission = nullptr) : most_(most), admission_(admission) {}

  // Errors: OVERLOADED past the bound, and while the server has no room for calls (Admission); after EndAll what EndAll
  // was given.
  absl::StatusOr<Handle> Enter(EndCall end) ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells every open call to end, and refuses those that come later. `status` is not OK.
  void EndAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Leave(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t most_;
  const sync::Admission* const admission_;
  storage::Mutex mutex_;
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, EndCall> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_OPEN_CALLS_H_

// The device's end of a sync stream where session and device each have threads of their own, as with gRPC.
#ifndef CARESYNC_TESTS_SYNC_THREADED_PEER_H_
#define CARESYNC_TESTS_SYNC_THREADED_PEER_H_

#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/executor.h"
#include "server/sync/session_driver.h"
#include "storage/mutex.h"

namespace caresync::sync {

// What the session sends leaves at once, and waits until the device takes it. Thread-safe. It must live until its
// session has ended.
class ThreadedPeer : public SyncPeer {
 public:
  // Opens the stream. What `parts` refers to must outlive it.
  ThreadedPeer(const SyncParts& parts, SessionIdentity identity);
  ThreadedPeer(const ThreadedPeer&) = delete;
  ThreadedPeer& operator=(const ThreadedPeer&) = delete;

  // The device's side.
  void Say(v1::SyncRequest request) ABSL_LOCKS_EXCLUDED(mutex_);
  void HalfClose() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for a message; nullopt where the session has ended and all was taken.
  std::optional<v1::SyncResponse> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // The connection is gone: what is under way either way is lost. Take waits for the session's end.
  void Cut() ABSL_LOCKS_EXCLUDED(mutex_);

  // The server goes away.
  void Stop(absl::Status status) { driver_->Stop(std::move(status)); }

  // How often the session has ended, and how it did last.
  int ends() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status end() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The session's side: called from the driver, which is answered from elsewhere.
  void Send(v1::SyncResponse response) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNext() override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(absl::Status status, bool abandon) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers the session's wish for a message, where there is one and something to answer it with.
  void HandOver() ABSL_LOCKS_EXCLUDED(mutex_);

  base::Executor& executor_;
  const std::shared_ptr<SessionDriver> driver_;

  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  std::deque<v1::SyncRequest> said_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::SyncResponse> received_ ABSL_GUARDED_BY(mutex_);
  bool read_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  int ends_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::sync

#endif  // CARESYNC_TESTS_SYNC_THREADED_PEER_H_

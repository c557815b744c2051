// Everything that happens while a scenario is played, in one queue: what devices send, and that a step has ended.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_INBOX_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_INBOX_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "grpcpp/support/status.h"
#include "storage/mutex.h"

namespace caresync::cli::check {

// A device's stream, as the player writes to it. Thread-safe.
class Peer {
 public:
  virtual ~Peer() = default;
  // In order; nothing where the stream is over.
  virtual void Send(v1::SyncResponse response) = 0;
  // After everything that was given to Send. Once; later calls do nothing.
  virtual void End(grpc::Status status) = 0;
};

struct Arrival {
  enum class Kind { kOpened, kMessage, kHalfClosed, kGone, kStepEnded };
  Kind kind = Kind::kOpened;
  // Of all but kStepEnded.
  std::shared_ptr<Peer> peer;
  // Of kOpened: the metadata `authorization`.
  std::string authorization;
  // Of kMessage.
  v1::SyncRequest request;
  // Of kStepEnded: how, for people.
  std::string how;
  absl::Time time = absl::Now();
};

// Thread-safe.
class Inbox {
 public:
  void Push(Arrival arrival) {
    {
      storage::MutexLock lock(mutex_);
      arrivals_.push_back(std::move(arrival));
    }
    arrived_.NotifyOne();
  }
  // Nothing is waited for any more.
  void Stop() {
    {
      storage::MutexLock lock(mutex_);
      stopped_ = true;
    }
    arrived_.NotifyAll();
  }
  bool stopped() const {
    storage::MutexLock lock(mutex_);
    return stopped_;
  }
  // The next; nullopt where none has come by then, and always once it was stopped.
  std::optional<Arrival> Pop(absl::Time until) {
    storage::MutexLock lock(mutex_);
    while (arrivals_.empty() && !stopped_) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      arrived_.WaitFor(mutex_, absl::ToChronoNanoseconds(left));
    }
    if (stopped_) return std::nullopt;
    std::optional<Arrival> arrival = std::move(arrivals_.front());
    arrivals_.pop_front();
    return arrival;
  }

 private:
  mutable storage::Mutex mutex_;
  storage::CondVar arrived_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_INBOX_H_

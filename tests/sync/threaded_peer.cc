#include "tests/sync/threaded_peer.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace caresync::sync {

ThreadedPeer::ThreadedPeer(const SyncParts& parts, SessionIdentity identity)
    : executor_(parts.executor),
      driver_(SessionDriver::Create(parts, std::move(identity), parts.live.NextArrival(), *this)) {
  driver_->Open();
}

void ThreadedPeer::Say(v1::SyncRequest request) {
  {
    storage::MutexLock lock(mutex_);
    if (cut_) return;
    said_.push_back(std::move(request));
  }
  HandOver();
}

void ThreadedPeer::HalfClose() {
  {
    storage::MutexLock lock(mutex_);
    half_closed_ = true;
  }
  HandOver();
}

void ThreadedPeer::HandOver() {
  std::optional<v1::SyncRequest> next;
  {
    storage::MutexLock lock(mutex_);
    if (!read_wanted_ || (said_.empty() && !half_closed_)) return;
    read_wanted_ = false;
    if (!said_.empty()) {
      next = std::move(said_.front());
      said_.pop_front();
    }
  }
  if (!next.has_value()) return driver_->OnHalfClose();
  driver_->OnMessage(*std::move(next));
}

std::optional<v1::SyncResponse> ThreadedPeer::Take() {
  storage::MutexLock lock(mutex_);
  while (received_.empty() && ends_ == 0) changed_.Wait(mutex_);
  if (received_.empty()) return std::nullopt;
  std::optional<v1::SyncResponse> response = std::move(received_.front());
  received_.pop_front();
  return response;
}

void ThreadedPeer::Cut() {
  bool reading = false;
  {
    storage::MutexLock lock(mutex_);
    if (std::exchange(cut_, true)) return;
    said_.clear();
    received_.clear();
    reading = std::exchange(read_wanted_, false);
  }
  // Both are told of a connection that is gone, in whichever order or at the same time.
  if (reading) executor_.Post([driver = driver_] { driver->OnHalfClose(); });
  driver_->OnCancelled();
}

int ThreadedPeer::ends() const {
  storage::MutexLock lock(mutex_);
  return ends_;
}

absl::Status ThreadedPeer::end() const {
  storage::MutexLock lock(mutex_);
  return end_;
}

void ThreadedPeer::Send(v1::SyncResponse response) {
  bool sent = false;
  {
    storage::MutexLock lock(mutex_);
    ABSL_RAW_CHECK(ends_ == 0, "a session sends after its end");
    sent = !cut_;
    if (sent) received_.push_back(std::move(response));
    changed_.NotifyAll();
  }
  // The answer must not come from within the call.
  executor_.Post([driver = driver_, sent] { driver->OnSent(sent); });
}

void ThreadedPeer::ReadNext() {
  std::optional<v1::SyncRequest> next;
  {
    storage::MutexLock lock(mutex_);
    ABSL_RAW_CHECK(ends_ == 0 && !read_wanted_, "a message is asked for twice, or after the end");
    read_wanted_ = said_.empty() && !half_closed_ && !cut_;
    if (read_wanted_) return;
    if (!said_.empty()) {
      next = std::move(said_.front());
      said_.pop_front();
    }
  }
  executor_.Post([driver = driver_, next = std::move(next)] {
    if (!next.has_value()) return driver->OnHalfClose();
    driver->OnMessage(*next);
  });
}

void ThreadedPeer::End(absl::Status status, bool abandon) {
  storage::MutexLock lock(mutex_);
  ++ends_;
  end_ = std::move(status);
  changed_.NotifyAll();
}

}  // namespace caresync::sync

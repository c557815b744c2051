// Phones that work each on a thread of its own, and what they know of each other and of the rota.
#ifndef CARESYNC_TESTS_SYNC_THREADED_PHONES_H_
#define CARESYNC_TESTS_SYNC_THREADED_PHONES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "caresync/v1/records.pb.h"
#include "server/base/uuid.h"
#include "storage/mutex.h"
#include "tests/fakes/test_device.h"
#include "tests/sync/threaded_peer.h"
#include "tests/sync/threaded_server.h"

namespace caresync::sync {

inline constexpr char kSource[] = "rota";
inline constexpr size_t kPhones = 8;
// The last two phones have one UUID, and one carer.
inline constexpr size_t kTwin = kPhones - 1;
inline constexpr size_t kCarers = kPhones - 1;
inline constexpr int kServiceUsers = 5;

std::string CarerName(size_t carer);
std::string ServiceUserName(uint64_t number);
base::Uuid IdOf(const ThreadedServer& server, v1::RecordKind kind, const std::string& external_id);
// Of the carer's phone, or phones.
base::Uuid DeviceOf(size_t carer);

// What the threads know of each other. Thread-safe.
class Day {
 public:
  void CountSession(size_t phone) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    ++sessions_[phone];
    changed_.NotifyAll();
  }
  bool EachHas(int sessions) const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return *std::min_element(sessions_.begin(), sessions_.end()) >= sessions;
  }
  // Waits until one more session of the phone has ended.
  void WaitForSession(size_t phone) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    const int before = sessions_[phone];
    while (sessions_[phone] == before) changed_.Wait(mutex_);
  }
  // Waits until any session has ended; `seen` is what was seen of them so far.
  void WaitForAnySession(int& seen) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    while (Total() == seen) changed_.Wait(mutex_);
    seen = Total();
  }

  // The phone has synced all that it will.
  void MarkThrough(size_t phone) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    through_.insert(phone);
    changed_.NotifyAll();
  }
  void WaitUntilThrough(size_t phone) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    while (!through_.contains(phone)) changed_.Wait(mutex_);
  }

  std::atomic<bool> rota_over = false;
  // The office's work too.
  std::atomic<bool> over = false;
  std::atomic<bool> stopping = false;

 private:
  int Total() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    int total = 0;
    for (const int sessions : sessions_) total += sessions;
    return total;
  }

  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  std::vector<int> sessions_ ABSL_GUARDED_BY(mutex_) = std::vector<int>(kPhones, 0);
  std::set<size_t> through_ ABSL_GUARDED_BY(mutex_);
};

// Streams that are told when the server goes away. Thread-safe.
class OpenStreams {
 public:
  // One that comes too late is told at once.
  void Add(ThreadedPeer& peer) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    open_.insert(&peer);
    if (stopped_) peer.Stop(absl::UnavailableError("the server goes away"));
  }
  void Remove(ThreadedPeer& peer) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    open_.erase(&peer);
  }
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    stopped_ = true;
    for (ThreadedPeer* peer : open_) peer->Stop(absl::UnavailableError("the server goes away"));
  }

 private:
  storage::Mutex mutex_;
  std::set<ThreadedPeer*> open_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// A phone of one carer; every second one follows. Used by one thread at a time, but for copy_sum().
class Phone {
 public:
  // What is given must outlive it.
  Phone(ThreadedServer& server, Day& day, OpenStreams& streams, size_t number);

  // While the rota changes, sessions of which many are cut. Then one that follows does so until the server goes away;
  // another one syncs once more.
  void Work();
  // Until a sync is recorded.
  void SyncToTheEnd();

  bool follows() const { return follows_; }
  const base::Uuid& carer() const { return carer_; }
  fakes::TestDevice& device() { return device_; }
  const fakes::HeldRecords& copy() { return device_.of(carer_).in_use; }
  // All that it ever had.
  const std::vector<std::unique_ptr<ThreadedPeer>>& peers() const { return peers_; }

  // Of the copy in use, as after the last message that it applied. From any thread.
  v1::CopySum copy_sum() const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return copy_sum_;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  // To its end.
  void RunSession(bool cut);
  // To the session's end; the last of so many messages is lost, and the connection with it.
  void Converse(ThreadedPeer& peer, uint64_t messages);
  void Answer(ThreadedPeer& peer, const v1::SyncResponse& response) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::SyncType TypeOfNext();
  void MayTakeNote();

  ThreadedServer& server_;
  Day& day_;
  OpenStreams& streams_;
  const size_t number_;
  const bool follows_;
  const base::Uuid carer_;
  fakes::TestDevice device_;
  std::mt19937_64 random_;
  int notes_ = 0;
  std::vector<std::unique_ptr<ThreadedPeer>> peers_;

  mutable storage::Mutex mutex_;
  v1::CopySum copy_sum_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::sync

#endif  // CARESYNC_TESTS_SYNC_THREADED_PHONES_H_

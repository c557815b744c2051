// Carries one sync of a virtual device over gRPC's callback API: no thread waits for it.
#ifndef CARESYNC_LOADTEST_SYNC_CALL_H_
#define CARESYNC_LOADTEST_SYNC_CALL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "loadtest/stopwatch.h"
#include "loadtest/virtual_device.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Where a sync is cut off, as by a bad network or a carer who leaves the app.
struct Cut {
  enum class Place {
    kUnapplied,  // The message is lost.
    kUnacked,    // It is applied, its ack is lost.
    kAcked,      // Its ack is handed to the network, and may be lost there.
  };
  // Counted from 1; 0: at once, before anything came. Where fewer come, the sync is not cut.
  uint32_t message = 0;
  Place place = Place::kUnapplied;
  // The server hears nothing of the cut: the stream stays open, and the next one of the device takes over.
  bool unheard = false;
};

// A device that begins, and then does not do its part: its stream stays open until the server has enough of it.
struct Stall {
  // So long after its beginning the server has ended the stream of a device that stalls, whatever else there is to do.
  absl::Duration ended_within;
  // It takes this message (counted from 1), and reads on, but answers nothing from then on. 0: it takes none, and does
  // not read either, until SyncCall::StartReading. Where the sync is recorded before, it does not stall.
  uint32_t message = 0;
  // Told once, when it begins to stall; where it does not read, when the server has begun to answer, or where it was
  // let read before that, at the first message. Both are called by gRPC's threads, one after the other.
  std::function<void()> on_stalled;
  // Told once, how the server has ended the stream, as errors::FromCall of tools/caresync. Not told where the device
  // left before, or was shed.
  std::function<void(const absl::Status&)> on_ended;
};

struct SyncPlan {
  v1::SyncType type = v1::SYNC_TYPE_AUTO;
  // Whoever begins the call waits so long first.
  absl::Duration pause;
  // Go on with changes as they commit; such a sync ends by SyncCall::Leave.
  bool follow = false;
  std::optional<Cut> cut;
  std::optional<Stall> stall;
  // By which connection; null: by the fleet's that is the device's. It outlives the call.
  v1::DeviceSyncService::Stub* stub = nullptr;
  // Where the server has no room for it, the same again when the server says to come back; else the device goes on.
  bool again_when_shed = true;
  // When the device tried first, where this is another try: whoever is shed waits from then on. Unset: now.
  std::optional<Instant> first_tried;
  // Told of each message that was applied, and when it came. Called by gRPC's threads, one message at a time.
  std::function<void(const v1::SyncResponse&, Instant)> on_applied;
};

// What a sync came to.
struct SyncEnd {
  v1::SyncType type = v1::SYNC_TYPE_UNSPECIFIED;
  // As errors::FromCall of tools/caresync; of no meaning where the sync was cut.
  absl::Status status;
  bool recorded = false;
  // The device left before the server had ended the stream.
  bool cut = false;
  // The server has not heard of the cut: the stream is open until another takes over.
  bool unheard = false;
  // The device stalled, as it was to, and the server has ended the stream.
  bool stalled = false;
  // The server had no room for it, and said to come back after so long.
  std::optional<absl::Duration> shed;
  // From its first try until it was recorded, the first time where it follows.
  absl::Duration latency;
  uint64_t messages = 0;
  uint64_t upserts = 0;
  uint64_t removals = 0;
  uint64_t event_results = 0;
  uint64_t rebuilds = 0;
  // Of the messages received.
  uint64_t bytes = 0;
};

// When the device is to come back, where the server ended the call because it has no room for it; else nullopt.
// `ended`: as errors::FromCall of tools/caresync.
std::optional<absl::Duration> ShedFor(const absl::Status& ended);

// After so long it ends whatever the server does: only a server that hangs meets it. nullopt: it lasts as long as the
// device follows. One that stalls begins that as late as any other sync may end.
std::optional<absl::Duration> LongestCall(const SyncPlan& plan);

// What a call needs of its fleet.
struct SyncWiring {
  // Both outlive the call.
  v1::DeviceSyncService::Stub* stub = nullptr;
  VirtualDevice* device = nullptr;
  std::string authorization;
  // Names the server in errors.
  std::string server;
  // Called once, by a thread of gRPC's, when the device is free for its next sync.
  std::function<void(const SyncEnd&)> on_end;
  // Called once, by a thread of gRPC's, when nothing of the call is left. `unheard`: how the server ended a stream that
  // was cut without its hearing of it.
  std::function<void(std::optional<absl::Status> unheard)> on_gone;
};

// Keeps itself alive until nothing of the call is left.
class SyncCall : public grpc::ClientBidiReactor<v1::SyncRequest, v1::SyncResponse> {
 public:
  // The device is the call's until `on_end`.
  static std::shared_ptr<SyncCall> Begin(SyncWiring wiring, SyncPlan plan);

  // Ends it from the device's side, whatever has come so far. Safe from any thread, at any time.
  void Leave();
  // Reads what is there and how it ended, where the device was not to read; else does nothing. gRPC tells of a stream's
  // end only whoever has read what came before it. Safe from any thread, at any time.
  void StartReading();

 private:
  SyncCall(SyncWiring wiring, SyncPlan plan) : wiring_(std::move(wiring)), plan_(std::move(plan)) {}

  // The server has begun to answer; not `ok`: it has ended the call with its first word.
  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // Applies a message. True where the call is cut at it.
  bool Take(Instant came) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsCutAt(Cut::Place place) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StallsNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Called without the lock: the device may be given to its next sync.
  void CutOff();

  const SyncWiring wiring_;
  const SyncPlan plan_;
  std::shared_ptr<SyncCall> self_;
  grpc::ClientContext context_;
  Instant began_;
  // Written by gRPC between StartRead and OnReadDone.
  v1::SyncResponse incoming_;

  storage::Mutex mutex_;
  // The first is on its way where `writing_`.
  std::deque<v1::SyncRequest> outbox_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The device takes no part in it any more.
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  // It is not to read. gRPC is told to hold the call for so long: the first read comes from any thread.
  bool unread_ ABSL_GUARDED_BY(mutex_) = false;
  SyncEnd end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_SYNC_CALL_H_

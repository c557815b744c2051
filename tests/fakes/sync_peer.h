// The device's end of a sync stream without a network, and the sync room on an engine.
#ifndef CARESYNC_TESTS_FAKES_SYNC_PEER_H_
#define CARESYNC_TESTS_FAKES_SYNC_PEER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/commit/head_memo.h"
#include "server/deliveries/mark_teller.h"
#include "server/mismatch/integration_lag.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/test_device.h"

namespace caresync::fakes {

// What the sessions of a server share. Tokens are sealed with the store's own key, so that those of a store and of its
// copy open in both. `engine` must outlive it.
class SyncServer {
 public:
  explicit SyncServer(Engine& engine, size_t batch_bytes = base::limits::kBatchBytes);

  Engine& engine() { return engine_; }
  const sync::SyncParts& parts() const { return parts_; }
  const base::TokenSealer& sealer() const { return sealer_; }
  sync::LiveSessions& live() { return live_; }
  sync::Admission& admission() { return admission_; }
  deliveries::MarkTeller& teller() { return teller_; }
  // Of what phones applied; commits are the engine's, which counts none.
  const mismatch::IntegrationLag& lag() const { return lag_; }

 private:
  Engine& engine_;
  base::TokenSealer sealer_;
  sync::LiveSessions live_;
  sync::Admission admission_;
  commit::HeadMemo memo_{base::limits::kHeadMemoBytes};
  mismatch::IntegrationLag lag_;
  deliveries::MarkTeller teller_;
  sync::SyncParts parts_;
};

// One stream: what the device says waits in a queue until the session reads it, what the session sends waits until it
// is handed over. Nothing moves by itself: Step, Settle and the engine's executor move it. Used by one thread.
//
// For a crash of the server, take a copy of the engine's memory, then let peers and engine go.
class ScriptedPeer : public sync::SyncPeer {
 public:
  // Opens the stream. `server` must outlive it.
  ScriptedPeer(SyncServer& server, sync::SessionIdentity identity);
  // Cuts the stream where it has not ended. No commit may be held back then.
  ~ScriptedPeer() override;
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  // The device's side.
  void Say(v1::SyncRequest request) { said_.push_back(std::move(request)); }
  void HalfClose() { half_closed_ = true; }
  // The connection is gone: what is under way either way is lost.
  void Cut();
  // While the device does not read, a message that the session sends stays under way.
  void SetReading(bool reading) { reading_ = reading; }
  // The server goes away.
  void Stop(absl::Status status) { driver_->Stop(std::move(status)); }

  // Hands over one message that is under way, in either direction. False where there is none.
  bool Step();
  // Runs the executor and hands over until nothing is under way that could be. No time passes.
  void Settle();

  // What has arrived at the device, oldest first.
  std::deque<v1::SyncResponse>& received() { return received_; }
  // The oldest one, taken off; nullopt where there is none.
  std::optional<v1::SyncResponse> Take();

  // Set once the session has ended the stream.
  const std::optional<absl::Status>& end() const { return end_; }
  // The end gave up a message under way.
  bool abandoned() const { return abandoned_; }
  // Messages that the session has sent, lost ones included.
  size_t sent() const { return sent_; }
  bool cut() const { return cut_; }

 private:
  void Send(v1::SyncResponse response) override;
  void ReadNext() override;
  void End(absl::Status status, bool abandon) override;

  ManualExecutor& executor_;
  std::shared_ptr<sync::SessionDriver> driver_;
  std::deque<v1::SyncRequest> said_;
  std::deque<v1::SyncResponse> received_;
  std::optional<v1::SyncResponse> under_way_;
  std::optional<absl::Status> end_;
  size_t sent_ = 0;
  bool read_wanted_ = false;
  bool half_closed_ = false;
  bool reading_ = true;
  bool cut_ = false;
  bool abandoned_ = false;
};

// Lets `device` do what an app does until the stream ends or nothing moves any more: apply, ack, and upload its unsent
// events once `started` has come. Its `start` must have been said.
void RunDevice(TestDevice& device, const base::Uuid& carer, ScriptedPeer& peer, bool follows = false);

// A whole sync with nothing in its way. Returns how the stream ended; the test dies where it did not.
absl::Status SyncDevice(SyncServer& server, const base::TenantId& tenant, TestDevice& device, const base::Uuid& carer,
                        v1::SyncType type);

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_SYNC_PEER_H_

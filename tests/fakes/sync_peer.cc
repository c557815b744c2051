#include "tests/fakes/sync_peer.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "server/commit/store_identity.h"

namespace caresync::fakes {
namespace {

std::string TokenKeyOf(Engine& engine) {
  const absl::StatusOr<store::StoreIdentity> identity =
      commit::LoadOrCreateIdentity(engine.store(), engine.random(), engine.clock());
  ABSL_RAW_CHECK(identity.ok(), "the store's identity cannot be read");
  return identity->token_key();
}

}  // namespace

SyncServer::SyncServer(Engine& engine, size_t batch_bytes)
    : engine_(engine),
      sealer_(TokenKeyOf(engine)),
      admission_(engine.executor(), engine.random(), engine.clock()),
      lag_(engine.clock()),
      teller_(engine.sequencer(), engine.executor()),
      parts_{.store = engine.store(),
             .sequencer = engine.sequencer(),
             .subscriptions = engine.subscriptions(),
             .clock = engine.clock(),
             .executor = engine.executor(),
             .random = engine.random(),
             .sealer = sealer_,
             .live = live_,
             .admission = admission_,
             .memo = memo_,
             .lag = lag_,
             .opening = engine.opening().timeline,
             .batch_bytes = batch_bytes,
             .opened = engine.clock().Monotonic() - (engine.clock().Now() - engine.opening().time),
             .teller = engine.keeps_deliveries() ? &teller_ : nullptr} {}

ScriptedPeer::ScriptedPeer(SyncServer& server, sync::SessionIdentity identity)
    : executor_(server.engine().executor()),
      driver_(sync::SessionDriver::Create(server.parts(), std::move(identity), server.live().NextArrival(), *this)) {
  driver_->Open();
}

ScriptedPeer::~ScriptedPeer() {
  if (!end_.has_value()) Cut();
  executor_.RunAll();
  ABSL_RAW_CHECK(end_.has_value(), "a session does not end after its stream was cut");
}

void ScriptedPeer::Cut() {
  if (cut_ || end_.has_value()) return;
  cut_ = true;
  said_.clear();
  driver_->OnCancelled();
  if (std::exchange(under_way_, std::nullopt).has_value()) driver_->OnSent(false);
}

bool ScriptedPeer::Step() {
  if (under_way_.has_value() && reading_) {
    received_.push_back(*std::exchange(under_way_, std::nullopt));
    if (!end_.has_value()) driver_->OnSent(true);
    return true;
  }
  if (cut_ || end_.has_value() || !read_wanted_) return false;
  if (said_.empty() && !half_closed_) return false;
  read_wanted_ = false;
  if (said_.empty()) {
    driver_->OnHalfClose();
    return true;
  }
  driver_->OnMessage(std::move(said_.front()));
  said_.pop_front();
  return true;
}

void ScriptedPeer::Settle() {
  do {
    executor_.RunAll();
  } while (Step());
}

std::optional<v1::SyncResponse> ScriptedPeer::Take() {
  if (received_.empty()) return std::nullopt;
  v1::SyncResponse response = std::move(received_.front());
  received_.pop_front();
  return response;
}

void ScriptedPeer::Send(v1::SyncResponse response) {
  ABSL_RAW_CHECK(!end_.has_value() && !under_way_.has_value(), "a second message is sent while one is under way");
  ++sent_;
  if (!cut_) {
    under_way_ = std::move(response);
    return;
  }
  // The answer must not come from within the call.
  executor_.Post([driver = driver_] { driver->OnSent(false); });
}

void ScriptedPeer::ReadNext() {
  ABSL_RAW_CHECK(!end_.has_value() && !read_wanted_, "a second message is asked for while one is");
  read_wanted_ = true;
}

void ScriptedPeer::End(absl::Status status, bool abandon) {
  ABSL_RAW_CHECK(!end_.has_value(), "a session ends twice");
  end_ = std::move(status);
  abandoned_ = abandon;
  if (abandon) under_way_.reset();
}

void RunDevice(TestDevice& device, const base::Uuid& carer, ScriptedPeer& peer, bool follows) {
  peer.Settle();
  while (std::optional<v1::SyncResponse> response = peer.Take()) {
    if (response->has_started()) {
      for (v1::SyncRequest& upload : device.Uploads(carer)) peer.Say(std::move(upload));
      if (response->started().resend_events()) {
        for (v1::SyncRequest& upload : device.Resend(carer)) peer.Say(std::move(upload));
      }
    }
    if (std::optional<v1::SyncRequest> ack = device.Apply(carer, *response)) peer.Say(*std::move(ack));
    if (response->has_sync_recorded() && !follows) peer.HalfClose();
    peer.Settle();
  }
}

absl::Status SyncDevice(SyncServer& server, const base::TenantId& tenant, TestDevice& device, const base::Uuid& carer,
                        v1::SyncType type) {
  ScriptedPeer peer(server, {tenant, device.uuid(), carer});
  peer.Say(device.Start(carer, type));
  RunDevice(device, carer, peer);
  ABSL_RAW_CHECK(peer.end().has_value(), "a sync with nothing in its way does not end");
  return *peer.end();
}

}  // namespace caresync::fakes

#include "server/sync/session_driver.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/records/record_key.h"
#include "server/roster/apply_changes.h"
#include "server/sync/policy.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

using base::limits::kUnacknowledgedBatches;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

class SessionDriverTest : public testing::Test {
 protected:
  SessionDriverTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    AddVisits(1);
  }

  void AddVisits(int count) {
    std::vector<v1::RosterChange> changes;
    for (int i = 0; i < count; ++i) {
      changes.push_back(fakes::VisitChange("v" + std::to_string(visits_++), "p1", {"c1"}));
    }
    engine_.ApplyChanges(kTenant, "rota", std::move(changes));
  }

  std::unique_ptr<fakes::ScriptedPeer> Open() {
    return std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
  }
  std::unique_ptr<fakes::ScriptedPeer> Start(v1::SyncType type = v1::SYNC_TYPE_STANDARD) {
    std::unique_ptr<fakes::ScriptedPeer> peer = Open();
    peer->Say(device_.Start(carer_, type));
    peer->Settle();
    return peer;
  }

  // A follower that has nothing to do but wait.
  std::unique_ptr<fakes::ScriptedPeer> StartFollowing() {
    std::unique_ptr<fakes::ScriptedPeer> peer = Open();
    v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
    start.mutable_start()->set_follow(true);
    peer->Say(std::move(start));
    peer->Settle();
    ApplyAndAck(*peer);
    while (std::optional<v1::SyncResponse> response = peer->Take()) device_.Apply(carer_, *response);
    return peer;
  }

  // Applies what has come and sends the ack of the last.
  void ApplyAndAck(fakes::ScriptedPeer& peer) {
    std::optional<v1::SyncRequest> last;
    while (std::optional<v1::SyncResponse> response = peer.Take()) {
      std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *response);
      if (ack.has_value()) last = std::move(ack);
    }
    ASSERT_TRUE(last.has_value());
    peer.Say(*std::move(last));
    peer.Settle();
  }

  v1::Device Report() { return fakes::ReportOf(server_, kTenant, kDevice); }

  v1::SyncSummary LastSync() { return fakes::LastSyncOf(server_, kTenant, kDevice); }

  int visits_ = 0;
  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(SessionDriverTest, AWholeSyncEndsWellAndLeavesNothingBehind) {
  EXPECT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  EXPECT_EQ(device_.of(carer_).in_use.size(), 3u);
  EXPECT_TRUE(device_.faults().empty());
  EXPECT_EQ(server_.live().count(), 0u);
  EXPECT_EQ(engine_.executor().timers(), 0u);
}

TEST_F(SessionDriverTest, AnEmptySyncTakesOneMessageEachWay) {
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  const auto peer = Start(v1::SYNC_TYPE_AUTO);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->end()->ok());
  EXPECT_EQ(peer->sent(), 1u);
  EXPECT_TRUE(peer->received().front().has_sync_recorded());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

// The device is not woken twice, and nobody waits for a message that nothing comes after.
TEST_F(SessionDriverTest, ASyncsLastMessageAndItsEndLeaveAsOne) {
  const auto whole = Start();
  const size_t before = whole->sent();
  ApplyAndAck(*whole);
  EXPECT_EQ(whole->sent(), before + 1);
  ASSERT_TRUE(whole->end().has_value());
  device_.Apply(carer_, *whole->Take());

  const auto empty = Open();
  empty->SetReading(false);
  empty->Say(device_.Start(carer_, v1::SYNC_TYPE_AUTO));
  empty->Settle();
  ASSERT_TRUE(empty->end().has_value());
  EXPECT_TRUE(empty->end()->ok());
  EXPECT_FALSE(empty->abandoned());
  EXPECT_TRUE(empty->received().empty());
  empty->SetReading(true);
  empty->Settle();
  EXPECT_TRUE(empty->received().front().has_sync_recorded());
}

TEST_F(SessionDriverTest, AnEmptySyncIsOneCommitAndADeltaIsOneBeforeItsAck) {
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  engine_.store().HoldBackDone(true);
  const auto empty = Start(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(engine_.store().held_back(), 1u);
  engine_.store().ReleaseAll();
  empty->Settle();
  EXPECT_EQ(engine_.store().held_back(), 0u);
  EXPECT_TRUE(empty->end().has_value());
  device_.Apply(carer_, *empty->Take());

  engine_.store().HoldBackDone(false);
  AddVisits(1);
  engine_.store().HoldBackDone(true);
  const auto delta = Start();
  EXPECT_EQ(engine_.store().held_back(), 1u);
  engine_.store().ReleaseAll();
  delta->Settle();
  EXPECT_EQ(engine_.store().held_back(), 0u);
  EXPECT_TRUE(delta->received().front().has_caught_up());
  engine_.store().HoldBackDone(false);
}

TEST_F(SessionDriverTest, ANoticeThatCameMeanwhileLeavesBeforeTheEnd) {
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  engine_.store().HoldBackDone(true);
  const auto peer = Start(v1::SYNC_TYPE_AUTO);
  ASSERT_TRUE(server_.live().Tell(kTenant, kDevice, SyncAsked{}));
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  peer->Settle();
  ASSERT_EQ(peer->received().size(), 2u);
  EXPECT_TRUE(peer->received().front().has_sync_recorded());
  EXPECT_TRUE(peer->received().back().notice().has_sync_now());
  EXPECT_TRUE(peer->end().has_value());
}

TEST_F(SessionDriverTest, AnEmptySyncTakesNoRevision) {
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  const base::Revision head = engine_.Head(kTenant);
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_EQ(engine_.Head(kTenant), head);
}

TEST_F(SessionDriverTest, ATokenOfAnotherTenantIsNotValid) {
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  const base::TenantId other = fakes::Tenant("other");
  engine_.CreateTenant(other);
  engine_.ApplyChanges(other, "rota", {fakes::CarerChange("c1")});
  const base::Uuid carer = records::IntegratedId(other, "rota", v1::RECORD_KIND_CARER, "c1");
  device_.of(carer).token = device_.of(carer_).token;
  const absl::Status status = fakes::SyncDevice(server_, other, device_, carer, v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(base::Reason(status), "TOKEN_NOT_VALID");
}

TEST_F(SessionDriverTest, StartedSaysThePolicyAndTheSessionOfTheHistory) {
  const auto peer = Start();
  const v1::SyncResponse first = *peer->Take();
  ASSERT_TRUE(first.has_started());
  EXPECT_EQ(first.started().session_id(), LastSync().session_id());
  EXPECT_EQ(first.started().policy().time_zone(), "UTC");
  EXPECT_GT(first.started().policy().auto_sync_interval().seconds(), 0);
  EXPECT_EQ(first.started().server_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
  EXPECT_EQ(first.started().estimated_records(), 3u);
}

// Requirement: S6
TEST_F(SessionDriverTest, ProgressEndsWithAllRecordsDone) {
  AddVisits(9);
  fakes::SyncServer small(engine_, 1);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_CLEAN));
  peer.Settle();
  uint64_t done = 0;
  while (std::optional<v1::SyncResponse> response = peer.Take()) {
    EXPECT_EQ(response->changes().records_done(), ++done);
    EXPECT_EQ(response->changes().records_total(), 12u);
  }
  EXPECT_EQ(done, 12u);
}

TEST_F(SessionDriverTest, ADeviceThatNeverAcksGetsABoundedNumberOfBatches) {
  AddVisits(100);
  fakes::SyncServer small(engine_, 1);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  EXPECT_EQ(peer.sent(), kUnacknowledgedBatches);
  EXPECT_FALSE(peer.end().has_value());
  engine_.Advance(base::limits::kDeviceSilence);
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "DEVICE_SILENT");
}

TEST_F(SessionDriverTest, AnAckMakesRoomForFurtherBatches) {
  AddVisits(100);
  fakes::SyncServer small(engine_, 1);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  ApplyAndAck(peer);
  EXPECT_EQ(peer.sent(), 103u);
  ApplyAndAck(peer);
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_TRUE(peer.end()->ok());
  EXPECT_EQ(device_.of(carer_).in_use.size(), 103u);
}

// Requirement: S9
TEST_F(SessionDriverTest, AStreamCutAtAnyMessageIsNoSuccessAndTheNextSyncIs) {
  AddVisits(5);
  fakes::SyncServer small(engine_, 1);
  for (size_t messages = 0; messages <= 8; ++messages) {
    fakes::TestDevice device(base::Uuid::Random(engine_.random()));
    {
      fakes::ScriptedPeer peer(small, {kTenant, device.uuid(), carer_});
      peer.Say(device.Start(carer_, v1::SYNC_TYPE_CLEAN));
      peer.SetReading(messages > 0);
      for (size_t applied = 0; applied < messages; ++applied) {
        while (peer.received().empty()) {
          engine_.executor().RunAll();
          ASSERT_TRUE(peer.Step());
        }
        const std::optional<v1::SyncRequest> ack = device.Apply(carer_, *peer.Take());
        if (ack.has_value() && applied + 1 < messages) peer.Say(*ack);
      }
      peer.Cut();
      peer.Settle();
      ASSERT_TRUE(peer.end().has_value());
      EXPECT_EQ(base::Reason(*peer.end()), "STREAM_CUT");
    }
    EXPECT_EQ(device.of(carer_).syncs_recorded, 0u);
    EXPECT_TRUE(fakes::SyncDevice(small, kTenant, device, carer_, v1::SYNC_TYPE_STANDARD).ok());
    EXPECT_EQ(device.of(carer_).in_use.size(), 8u);
    EXPECT_TRUE(device.faults().empty());
  }
}

TEST_F(SessionDriverTest, AStreamCutBeforeStartLeavesNoTrace) {
  {
    const auto peer = Open();
    peer->Settle();
    peer->Cut();
    peer->Settle();
    ASSERT_TRUE(peer->end().has_value());
    EXPECT_FALSE(peer->end()->ok());
  }
  EXPECT_EQ(LastSync().session_id(), "");
  EXPECT_EQ(engine_.executor().timers(), 0u);
}

TEST_F(SessionDriverTest, ACutWhileTheFirstCommitIsUnderWayEndsAfterIt) {
  engine_.store().HoldBackDone(true);
  const auto peer = Start();
  ASSERT_GT(engine_.store().held_back(), 0u);
  peer->Cut();
  engine_.executor().RunAll();
  EXPECT_FALSE(peer->end().has_value());
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

// Requirement: R5
TEST_F(SessionDriverTest, ASuccessUnderWayIsRecordedThoughTheStreamIsCut) {
  const auto peer = Start();
  engine_.store().HoldBackDone(true);
  ApplyAndAck(*peer);
  EXPECT_TRUE(peer->received().empty());
  peer->Cut();
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_TRUE(Report().has_last_successful_sync_time());
}

TEST_F(SessionDriverTest, StopDuringASuccessUnderWayStillTellsIt) {
  const auto peer = Start();
  engine_.store().HoldBackDone(true);
  ApplyAndAck(*peer);
  peer->Stop(base::errors::ShuttingDown(absl::Seconds(5)));
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST_F(SessionDriverTest, StopBeforeStartEndsWithItsReason) {
  const auto peer = Open();
  peer->Stop(base::errors::ShuttingDown(absl::Seconds(5)));
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "SHUTTING_DOWN");
}

TEST_F(SessionDriverTest, AMessageUnderWayIsNotAbandonedByAStop) {
  const auto peer = Open();
  peer->SetReading(false);
  peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer->Settle();
  peer->Stop(base::errors::ShuttingDown(absl::Seconds(5)));
  peer->Settle();
  peer->SetReading(true);
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_FALSE(peer->abandoned());
  EXPECT_EQ(peer->received().size(), 1u);
}

TEST_F(SessionDriverTest, AStoreThatCannotBeReadEndsTheSyncByName) {
  const auto peer = Open();
  engine_.store().FailReads(true);
  peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer->Settle();
  engine_.store().FailReads(false);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "STORE_UNAVAILABLE");
}

TEST_F(SessionDriverTest, AStoreThatCannotBeReadInTheMiddleEndsTheSyncByName) {
  AddVisits(100);
  fakes::SyncServer small(engine_, 1);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  engine_.store().FailReads(true);
  ApplyAndAck(peer);
  engine_.store().FailReads(false);
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "STORE_UNAVAILABLE");
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SERVER_FAILED);
}

TEST_F(SessionDriverTest, UploadsPastTheBoundAreReadWhenEarlierOnesAreSettled) {
  for (int i = 0; i < 10; ++i) {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
    event.set_visit_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, "v0").ToString());
    event.mutable_note()->set_text("all well");
    device_.Record(carer_, std::move(event), engine_.random());
  }
  const auto peer = Open();
  peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  for (v1::SyncRequest& upload : device_.Uploads(carer_, 1)) peer->Say(std::move(upload));
  peer->Settle();
  while (std::optional<v1::SyncResponse> response = peer->Take()) {
    if (std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *response)) peer->Say(*std::move(ack));
    peer->Settle();
  }
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->end()->ok());
  EXPECT_TRUE(device_.of(carer_).unsent.empty());
  EXPECT_EQ(device_.of(carer_).in_use.size(), 13u);
  EXPECT_EQ(LastSync().events_accepted(), 10u);
  EXPECT_EQ(engine_.executor().timers(), 0u);
}

TEST_F(SessionDriverTest, ADeviceThatStopsReadingIsAbandonedAtTheWriteDeadline) {
  const auto peer = Open();
  peer->SetReading(false);
  peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer->Settle();
  engine_.Advance(base::limits::kWriteDeadline - absl::Milliseconds(1));
  EXPECT_FALSE(peer->end().has_value());
  engine_.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->abandoned());
  EXPECT_EQ(base::Reason(*peer->end()), "DEVICE_NOT_READING");
}

// Whatever piece of work the commit comes between, the follower gets the change.
TEST_F(SessionDriverTest, ACommitAtAnyMomentOfARoundReachesTheFollower) {
  for (int pieces = 0; pieces < 40; ++pieces) {
    fakes::TestDevice device(base::Uuid::Random(engine_.random()));
    fakes::ScriptedPeer peer(server_, {kTenant, device.uuid(), carer_});
    v1::SyncRequest start = device.Start(carer_, v1::SYNC_TYPE_STANDARD);
    start.mutable_start()->set_follow(true);
    peer.Say(std::move(start));
    int done = 0;
    bool added = false;
    auto add_when_due = [&] {
      if (added || done++ < pieces) return;
      added = true;
      const std::string visit = "at-" + std::to_string(pieces);
      engine_.sequencer().Submit(
          kTenant,
          [visit](commit::Transaction& transaction) {
            v1::ApplyChangesRequest request;
            *request.add_changes() = fakes::VisitChange(visit, "p1", {"c1"});
            request.mutable_changes(0)->set_source("rota");
            return roster::ApplyMessage(transaction, "rota", request).status();
          },
          [](const absl::StatusOr<commit::Committed>& committed) { EXPECT_TRUE(committed.ok()); });
    };
    bool moved = true;
    while (moved) {
      add_when_due();
      moved = engine_.executor().RunOne() || peer.Step();
      if (!moved && !added) {
        // The round has ended: the commit comes between rounds.
        done = pieces;
        moved = true;
      }
      std::optional<v1::SyncResponse> response = peer.Take();
      if (!response.has_value()) continue;
      moved = true;
      std::optional<v1::SyncRequest> ack = device.Apply(carer_, *response);
      if (ack.has_value()) peer.Say(*std::move(ack));
    }
    ASSERT_TRUE(added);
    EXPECT_TRUE(device.faults().empty());
    EXPECT_EQ(device.of(carer_).in_use.size(), 4u + static_cast<size_t>(pieces)) << "after " << pieces << " pieces";
    EXPECT_FALSE(peer.end().has_value());
  }
}

TEST_F(SessionDriverTest, AThousandCommitsWhileADeviceIsBusyAreOneRound) {
  const auto peer = StartFollowing();
  peer->SetReading(false);
  const size_t before = peer->sent();
  for (int i = 0; i < 1'000; ++i) AddVisits(1);
  // One message under way, for the first.
  EXPECT_EQ(peer->sent(), before + 1);
  EXPECT_EQ(engine_.executor().ready(), 0u);
  peer->SetReading(true);
  peer->Settle();
  ApplyAndAck(*peer);
  size_t rounds = 0;
  while (!peer->received().empty()) {
    for (const v1::SyncResponse& response : peer->received()) rounds += response.has_caught_up() ? 1 : 0;
    if (peer->received().back().has_sync_recorded() && peer->received().size() == 1) break;
    ApplyAndAck(*peer);
  }
  EXPECT_EQ(rounds, 1u);
  EXPECT_EQ(device_.of(carer_).in_use.size(), 1'003u);
}

TEST_F(SessionDriverTest, AFollowerThatIsIdleHoldsTheConfirmationsTimerOnly) {
  const auto peer = StartFollowing();
  EXPECT_EQ(engine_.executor().timers(), 1u);
  engine_.Advance(base::limits::kAutoSyncIntervalDefault - absl::Milliseconds(1));
  EXPECT_TRUE(peer->received().empty());
  engine_.Advance(absl::Milliseconds(1));
  peer->Settle();
  EXPECT_TRUE(peer->received().front().has_caught_up());
  peer->Cut();
  peer->Settle();
  EXPECT_EQ(engine_.executor().timers(), 0u);
}

TEST_F(SessionDriverTest, AFollowerThatHasEndedIsSubscribedNoMore) {
  auto peer = StartFollowing();
  peer->HalfClose();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->end()->ok());
  AddVisits(1);
  EXPECT_EQ(engine_.executor().timers(), 0u);
  EXPECT_EQ(server_.live().count(), 0u);
}

TEST_F(SessionDriverTest, AMoveAtTheMomentOfTheHalfCloseDoesNotHoldTheFollowerBack) {
  const auto peer = StartFollowing();
  AddVisits(1);
  peer->Settle();
  ApplyAndAck(*peer);
  peer->HalfClose();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->end()->ok());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(LastSync().confirmations(), 2u);
}

TEST_F(SessionDriverTest, AStoreThatFailsDuringARoundEndsItByNameAndKeepsTheLastSuccess) {
  const auto peer = StartFollowing();
  const auto success = Report().last_successful_sync_time();
  engine_.Advance(absl::Minutes(1));
  engine_.store().FailReads(true);
  engine_.Advance(base::limits::kAutoSyncIntervalDefault);
  engine_.store().FailReads(false);
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "STORE_UNAVAILABLE");
  EXPECT_EQ(Report().last_successful_sync_time().seconds(), success.seconds());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SERVER_FAILED);
}

TEST_F(SessionDriverTest, AConfirmationIsToldOnlyOnceItIsDurable) {
  const auto peer = StartFollowing();
  AddVisits(1);
  peer->Settle();
  engine_.store().HoldBackDone(true);
  ApplyAndAck(*peer);
  EXPECT_TRUE(peer->received().empty());
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  peer->Settle();
  ASSERT_EQ(peer->received().size(), 1u);
  EXPECT_TRUE(peer->received().front().has_sync_recorded());
}

TEST_F(SessionDriverTest, GoingAwayIsSaidAfterTheMessageThatIsUnderWay) {
  const auto peer = StartFollowing();
  peer->Stop(base::errors::ShuttingDown(absl::Seconds(5)));
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  ASSERT_EQ(peer->received().size(), 1u);
  const v1::SyncResponse& last = peer->received().front();
  ASSERT_TRUE(last.notice().has_going_away());
  const absl::Duration after = absl::Seconds(last.notice().going_away().reconnect_after().seconds()) +
                               absl::Nanoseconds(last.notice().going_away().reconnect_after().nanos());
  EXPECT_EQ(after, ReconnectAfter(kDevice));
  EXPECT_EQ(base::RetryDelay(*peer->end()), after);
}

}  // namespace
}  // namespace caresync::sync

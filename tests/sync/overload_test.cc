// Syncs while the server has more to do than it can: who is refused, and what is done all the same.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/commit/timeline.h"
#include "server/records/record_key.h"
#include "server/sync/admission.h"
#include "server/sync/resume_token.h"
#include "server/sync/session.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"
#include "tests/sync/held_fan_out.h"

namespace caresync::sync {
namespace {

namespace limits = base::limits;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
// More than one batch.
constexpr int kVisits = 40;

class OverloadTest : public testing::Test {
 protected:
  OverloadTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    engine_.ApplyChanges(kTenant, "rota", fakes::LongVisitChanges(kVisits, "p1", {"c1"}));
  }

  void SetDelay(absl::Duration delay) { engine_.executor().SetDelay(delay); }
  // As many copies are being made as there may be.
  void TakeAllRoomForCopies() {
    for (size_t i = 0; i < limits::kCopiesBeingMade; ++i) others_.push_back(server_.admission().BeginCopy());
  }

  // A sync whose device has not read anything yet.
  std::unique_ptr<fakes::ScriptedPeer> Open(v1::SyncType type, bool follow = false) {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    peer->SetReading(false);
    v1::SyncRequest start = device_.Start(carer_, type);
    start.mutable_start()->set_follow(follow);
    peer->Say(std::move(start));
    peer->Settle();
    return peer;
  }
  absl::Status Sync(v1::SyncType type = v1::SYNC_TYPE_STANDARD) {
    const absl::Status status = fakes::SyncDevice(server_, kTenant, device_, carer_, type);
    EXPECT_TRUE(device_.faults().empty()) << device_.faults().front();
    return status;
  }
  // It says when to come back, and the office sees that it was refused.
  void ExpectShed(const absl::Status& status) {
    EXPECT_EQ(base::Reason(status), "OVERLOADED");
    ASSERT_TRUE(base::RetryDelay(status).has_value());
    EXPECT_GE(*base::RetryDelay(status), limits::kOverloadRetryAfter);
    const v1::SyncSummary last = fakes::LastSyncOf(server_, kTenant, kDevice);
    EXPECT_EQ(last.outcome(), v1::SYNC_OUTCOME_REFUSED);
    EXPECT_EQ(last.reason(), "OVERLOADED");
    EXPECT_EQ(fakes::ReportOf(server_, kTenant, kDevice).last_api_call_reason(), "OVERLOADED");
  }
  void AddVisit(const std::string& name) {
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange(name, "p1", {"c1"})});
  }
  void RecordNote() {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
    event.set_service_user_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_SERVICE_USER, "p1").ToString());
    event.mutable_note()->set_text("all well");
    device_.Record(carer_, std::move(event), engine_.random());
  }
  v1::SyncSummary LastSync() { return fakes::LastSyncOf(server_, kTenant, kDevice); }
  size_t held() { return device_.of(carer_).in_use.size(); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  std::vector<Admission::Copy> others_;
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(OverloadTest, AFirstCopyIsRefusedUntilTheWorkIsDone) {
  SetDelay(limits::kCopyDelay);
  ExpectShed(Sync());
  EXPECT_EQ(held(), 0u);
  SetDelay(absl::ZeroDuration());
  EXPECT_TRUE(Sync().ok());
  EXPECT_EQ(held(), kVisits + 2u);
}

TEST_F(OverloadTest, ADeltaIsServedWhileCopiesAreNot) {
  ASSERT_TRUE(Sync().ok());
  AddVisit("new");
  SetDelay(limits::kCopyDelay);
  TakeAllRoomForCopies();
  EXPECT_TRUE(Sync().ok());
  EXPECT_EQ(held(), kVisits + 3u);
  EXPECT_EQ(LastSync().upserts_sent(), 1u);
}

TEST_F(OverloadTest, ACleanSyncThatThereIsNoRoomForLeavesTheCopyInUse) {
  ASSERT_TRUE(Sync().ok());
  TakeAllRoomForCopies();
  ExpectShed(Sync(v1::SYNC_TYPE_CLEAN));
  EXPECT_EQ(held(), kVisits + 2u);
  EXPECT_TRUE(Sync().ok());
  EXPECT_EQ(LastSync().upserts_sent(), 0u) << "it goes on with the copy that it has";
  others_.pop_back();
  EXPECT_TRUE(Sync(v1::SYNC_TYPE_CLEAN).ok());
  EXPECT_EQ(LastSync().rebuild_reason(), v1::REBUILD_REASON_CLEAN_SYNC);
}

TEST_F(OverloadTest, ADeviceThatIsRefusedItsCopyGetsItsEventsTaken) {
  RecordNote();
  SetDelay(limits::kCopyDelay);
  ExpectShed(Sync());
  EXPECT_TRUE(device_.of(carer_).unsent.empty());
  EXPECT_EQ(LastSync().events_accepted(), 1u);
  EXPECT_EQ(LastSync().upserts_sent(), 0u);
}

TEST_F(OverloadTest, ACopyCountsUntilItsLastBatchAndNotAsLongAsItsDeviceFollows) {
  const auto peer = Open(v1::SYNC_TYPE_STANDARD, true);
  EXPECT_EQ(server_.admission().copies(), 1u);
  peer->SetReading(true);
  fakes::RunDevice(device_, carer_, *peer, true);
  ASSERT_FALSE(peer->end().has_value());
  EXPECT_EQ(held(), kVisits + 2u);
  EXPECT_EQ(server_.admission().copies(), 0u);
}

// Many that wait at once, of one tenant, must not keep every other's new phone away.
TEST_F(OverloadTest, ACopyThatWaitsForAFanOutDoesNotCountAndNeedsRoomAfterwards) {
  HeldFanOut fan_out(engine_, kTenant, carer_);
  fan_out.Begin();
  const auto peer = Open(v1::SYNC_TYPE_STANDARD);
  peer->SetReading(true);
  peer->Settle();
  EXPECT_FALSE(peer->end().has_value());
  EXPECT_EQ(server_.admission().copies(), 0u);
  TakeAllRoomForCopies();
  fan_out.End();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  ExpectShed(*peer->end());
}

TEST_F(OverloadTest, ACopyDoesNotCountBeforeItsDevicesEventsAreTaken) {
  RecordNote();
  const auto peer = Open(v1::SYNC_TYPE_STANDARD);
  peer->SetReading(true);
  peer->Settle();
  ASSERT_FALSE(peer->received().empty());
  EXPECT_TRUE(peer->received().front().has_started());
  EXPECT_EQ(server_.admission().copies(), 0u);
  fakes::RunDevice(device_, carer_, *peer);
  EXPECT_TRUE(peer->end().has_value() && peer->end()->ok());
  // The note too: it is of what the carer sees.
  EXPECT_EQ(held(), kVisits + 3u);
}

TEST_F(OverloadTest, ACopyThatIsCutOffCountsNoLonger) {
  {
    const auto peer = Open(v1::SYNC_TYPE_STANDARD);
    EXPECT_EQ(server_.admission().copies(), 1u);
    peer->Cut();
    engine_.executor().RunAll();
    EXPECT_EQ(server_.admission().copies(), 0u);
  }
  EXPECT_TRUE(Sync().ok());
  EXPECT_EQ(server_.admission().copies(), 0u);
}

// The second stream takes over: the first one's copy is given back.
TEST_F(OverloadTest, ATakenOverCopyIsNotCountedTwice) {
  const auto first = Open(v1::SYNC_TYPE_STANDARD);
  const auto second = Open(v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(base::Reason(*first->end()), "SESSION_TAKEN_OVER");
  EXPECT_EQ(server_.admission().copies(), 1u);
}

TEST_F(OverloadTest, ADeltaCountsAsNoCopy) {
  ASSERT_TRUE(Sync().ok());
  AddVisit("new");
  const auto peer = Open(v1::SYNC_TYPE_STANDARD);
  EXPECT_FALSE(peer->end().has_value());
  EXPECT_EQ(server_.admission().copies(), 0u);
}

template <typename Action>
const Action* Find(const std::vector<SessionAction>& actions) {
  for (const SessionAction& action : actions) {
    if (const Action* found = std::get_if<Action>(&action)) return found;
  }
  return nullptr;
}

// Only the first batch shows that removals which the device missed are forgotten. The test is the session's store, feed
// and stream.
TEST(OverloadedSession, ACopyThatTurnsOutToBeNeededIsRefusedToo) {
  const base::Uuid carer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
  const base::CommitPoint head = {"timeline", 20};
  const absl::Time now = absl::FromUnixSeconds(1'772'431'200);
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({kTenant, kDevice, carer}, "session", head.timeline, sealer);
  fakes::TestDevice device(kDevice);
  device.of(carer).token = SealToken(
      sealer, kTenant, {kDevice, carer, device.data_level(), head, feed::Position::EndOf(10), 1, std::nullopt});
  session.Handle(OpenedEvent{}, now);
  session.Handle(MessageEvent{device.Start(carer, v1::SYNC_TYPE_STANDARD)}, now);
  StartFacts facts;
  facts.carer_branch_id = "";
  facts.head = head;
  facts.token_standing = commit::CursorStanding::kKnown;
  facts.copy_room = base::errors::Overloaded(absl::Seconds(3));
  const std::vector<SessionAction> begun = session.Handle(LoadedEvent{std::move(facts), false}, now);
  EXPECT_NE(Find<ReadBatchAction>(begun), nullptr) << "for a delta there is room";
  DownloadBatch batch;
  batch.head = head;
  batch.feed.horizon_passed = true;
  const std::vector<SessionAction> refused = session.Handle(BatchReadEvent{std::move(batch)}, now);
  EXPECT_EQ(Find<ReadBatchAction>(refused), nullptr);
  ASSERT_NE(Find<WriteRowsAction>(refused), nullptr);
  const std::vector<SessionAction> ended =
      session.Handle(RowsWrittenEvent{{storage::CommitOutcome::kCommitted, ""}}, now);
  ASSERT_NE(Find<EndAction>(ended), nullptr);
  EXPECT_EQ(base::Reason(Find<EndAction>(ended)->status), "OVERLOADED");
  EXPECT_EQ(session.outcome(), v1::SYNC_OUTCOME_REFUSED);
}

}  // namespace
}  // namespace caresync::sync

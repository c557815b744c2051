// What is recorded of a device's copy by a start that comes to nothing: its token is an ack all the same.
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/commit/timeline.h"
#include "server/devices/device_rows.h"
#include "server/records/record_key.h"
#include "server/sync/admission.h"
#include "server/sync/resume_token.h"
#include "server/sync/session.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

// A device that holds a copy of one carer.
class RefusedStartTest : public testing::Test {
 protected:
  RefusedStartTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(
        kTenant, "rota",
        {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1"), fakes::VisitChange("v1", "p1", {"c1"})});
    EXPECT_TRUE(Sync().ok());
  }

  SessionIdentity Identity() const { return {kTenant, kDevice, carer_}; }
  void AddVisit(const std::string& name) {
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange(name, "p1", {"c1"})});
  }
  absl::Status Sync(v1::SyncType type = v1::SYNC_TYPE_STANDARD) {
    return fakes::SyncDevice(server_, kTenant, device_, carer_, type);
  }
  // The device applies what it is sent, and its acks are lost.
  void SyncWithoutAcks() {
    fakes::ScriptedPeer peer(server_, Identity());
    peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
    peer.Settle();
    while (const std::optional<v1::SyncResponse> response = peer.Take()) device_.Apply(carer_, *response);
    peer.Cut();
    peer.Settle();
  }
  // A change that the device holds, and of which it could not say so.
  void TakeAChangeUnheard() {
    const uint64_t before = Acknowledged();
    AddVisit("v2");
    SyncWithoutAcks();
    EXPECT_EQ(Acknowledged(), before);
    EXPECT_GT(Held(), before);
  }
  void MakeItsAppTooOld() { engine_.SetLeastApp(kTenant, "4.10"); }
  v1::DeviceUser User() {
    const v1::Device report = fakes::ReportOf(server_, kTenant, kDevice);
    return report.users_size() == 1 ? report.users(0) : v1::DeviceUser();
  }
  uint64_t Acknowledged() { return User().acknowledged_revision(); }
  // The revision up to which the device holds everything.
  uint64_t Held() { return device_.of(carer_).revision; }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(RefusedStartTest, IsAnAckThoughTheAppIsTooOld) {
  TakeAChangeUnheard();
  MakeItsAppTooOld();
  EXPECT_EQ(User().behind_by(), 1u);
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  EXPECT_EQ(Acknowledged(), Held());
  EXPECT_EQ(User().behind_by(), 0u);
}

TEST_F(RefusedStartTest, IsAnAckWhereTheEventsAreTakenFirst) {
  TakeAChangeUnheard();
  MakeItsAppTooOld();
  v1::CareEvent event;
  event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
  event.set_service_user_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_SERVICE_USER, "p1").ToString());
  event.mutable_note()->set_text("all well");
  device_.Record(carer_, std::move(event), engine_.random());
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  EXPECT_EQ(fakes::LastSyncOf(server_, kTenant, kDevice).events_accepted(), 1u);
  EXPECT_EQ(Acknowledged(), Held());
}

TEST_F(RefusedStartTest, IsAnAckWhereThereIsNoRoomForACopy) {
  TakeAChangeUnheard();
  std::vector<Admission::Copy> others;
  for (size_t i = 0; i < base::limits::kCopiesBeingMade; ++i) others.push_back(server_.admission().BeginCopy());
  EXPECT_EQ(base::Reason(Sync(v1::SYNC_TYPE_CLEAN)), "OVERLOADED");
  EXPECT_EQ(Acknowledged(), Held());
}

TEST_F(RefusedStartTest, IsAnAckWhereTheStreamIsCutBeforeItIsJudged) {
  TakeAChangeUnheard();
  fakes::ScriptedPeer peer(server_, Identity());
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  engine_.store().BeforeNextSnapshot([&peer] { peer.Cut(); });
  peer.Settle();
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "STREAM_CUT");
  EXPECT_EQ(Acknowledged(), Held());
}

TEST_F(RefusedStartTest, SaysThatAPhoneWasPutBack) {
  const fakes::TestDevice backup = device_;
  const uint64_t before = Acknowledged();
  AddVisit("v2");
  ASSERT_TRUE(Sync().ok());
  ASSERT_GT(Acknowledged(), before);
  device_ = backup;
  MakeItsAppTooOld();
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  EXPECT_EQ(Acknowledged(), before);
  EXPECT_EQ(User().behind_by(), 1u);
}

TEST_F(RefusedStartTest, LeavesTheRowsOfASessionThatIsOpenAlone) {
  fakes::TestDevice backup = device_;
  AddVisit("v2");
  fakes::ScriptedPeer follower(server_, Identity());
  v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_follow(true);
  follower.Say(std::move(start));
  fakes::RunDevice(device_, carer_, follower, true);
  ASSERT_FALSE(follower.end().has_value());
  ASSERT_EQ(Acknowledged(), Held());
  MakeItsAppTooOld();
  fakes::ScriptedPeer refused(server_, Identity());
  refused.Say(backup.Start(carer_, v1::SYNC_TYPE_STANDARD));
  refused.Settle();
  ASSERT_TRUE(refused.end().has_value());
  EXPECT_EQ(base::Reason(*refused.end()), "APP_TOO_OLD");
  EXPECT_EQ(Acknowledged(), Held());
  EXPECT_FALSE(follower.end().has_value());
}

// ---- One session: its store and its stream are the test

const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const base::Uuid kOther = *base::Uuid::Parse("33333333-3333-4333-8333-333333333333");
constexpr base::Revision kRecorded = 10;

// The device's copy is recorded as far as kRecorded. Its app is too old, so that every start is refused.
StartFacts RecordedFacts() {
  StartFacts facts;
  facts.tenant.set_least_app_version("9.0");
  facts.carer_branch_id = "";
  facts.head = {"timeline", 20};
  facts.token_standing = commit::CursorStanding::kKnown;
  facts.rows.rows.device.emplace().add_carer_ids(kCarer.ToString());
  store::DeviceCopy& copy = *facts.rows.rows.report.emplace().add_copies();
  copy.set_carer_id(kCarer.ToString());
  copy.set_timeline("timeline");
  copy.set_revision(kRecorded);
  copy.set_position_revision(kRecorded);
  copy.set_rebuild_number(1);
  copy.set_in_use_number(1);
  return facts;
}

ResumeToken TokenAt(base::Revision revision) {
  return {.device = kDevice,
          .carer = kCarer,
          .data_level = 1,
          .cursor = {"timeline", revision},
          .position = feed::Position::EndOf(revision),
          .rebuild_number = 1,
          .rebuild_began = std::nullopt};
}

// The revision as far as which the copy is recorded once a start with the token is refused, its events taken first;
// nullopt: no copy is. `takes_over`: another stream of the device is open, which is one too many.
std::optional<base::Revision> RecordedAfter(StartFacts facts, const ResumeToken& token, bool takes_over = false) {
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({kTenant, kDevice, kCarer}, "session", "timeline", sealer,
                  takes_over ? 0 : base::limits::kTakeOversInAnHour);
  fakes::TestDevice device(kDevice);
  device.of(kCarer).token = SealToken(sealer, kTenant, token);
  v1::SyncRequest start = device.Start(kCarer, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_unsent_events(1);
  const absl::Time now = absl::FromUnixSeconds(1'772'431'200);
  session.Handle(OpenedEvent{}, now);
  session.Handle(MessageEvent{std::move(start)}, now);
  const std::string key = base::keys::DeviceRow(kTenant, kDevice, base::keys::DevicePart::kReport);
  std::optional<store::DeviceReport> report;
  for (const SessionAction& action : session.Handle(LoadedEvent{std::move(facts), takes_over}, now)) {
    const WriteRowsAction* rows = std::get_if<WriteRowsAction>(&action);
    if (rows == nullptr) continue;
    for (const storage::Write& write : rows->commit.writes) {
      if (write.key != key) continue;
      EXPECT_TRUE(report.emplace().ParseFromString(write.value.value_or("")));
    }
  }
  EXPECT_TRUE(report.has_value()) << "nothing is recorded of the sync";
  if (!report.has_value()) return std::nullopt;
  const store::DeviceCopy* copy = devices::FindCopy(*report, kCarer);
  return copy == nullptr ? std::nullopt : std::optional<base::Revision>(copy->revision());
}

TEST(RefusedSession, RecordsWhatTheTokenProvesUpwardsAndDownwards) {
  EXPECT_EQ(RecordedAfter(RecordedFacts(), TokenAt(15)), 15u);
  EXPECT_EQ(RecordedAfter(RecordedFacts(), TokenAt(5)), 5u);
  StartFacts nothing_recorded = RecordedFacts();
  nothing_recorded.rows.rows.report->clear_copies();
  EXPECT_EQ(RecordedAfter(nothing_recorded, TokenAt(15)), 15u);
}

TEST(RefusedSession, LeavesWhatIsRecordedWhereTheTokenProvesNothing) {
  StartFacts facts = RecordedFacts();
  for (const auto standing : {commit::CursorStanding::kForeign, commit::CursorStanding::kExpired}) {
    facts.token_standing = standing;
    EXPECT_EQ(RecordedAfter(facts, TokenAt(15)), kRecorded);
  }
  ResumeToken of_another = TokenAt(15);
  of_another.carer = kOther;
  EXPECT_EQ(RecordedAfter(RecordedFacts(), of_another), kRecorded);
  for (const uint64_t rebuild_number : {1u, 2u}) {
    ResumeToken unfinished = TokenAt(15);
    unfinished.rebuild_number = rebuild_number;
    unfinished.rebuild_began = 12;
    EXPECT_EQ(RecordedAfter(RecordedFacts(), unfinished), kRecorded);
  }
}

TEST(RefusedSession, LeavesWhatIsRecordedWhileTheDeviceWaitsAfterARestore) {
  StartFacts facts = RecordedFacts();
  facts.tenant.clear_least_app_version();
  facts.token_standing = commit::CursorStanding::kForeign;
  facts.restore.standing.waiting = true;
  facts.restore.standing.released_time = absl::FromUnixSeconds(1'772'431'200) + absl::Hours(1);
  EXPECT_EQ(RecordedAfter(facts, TokenAt(15)), kRecorded);
}

TEST(RefusedSession, RecordsNothingOfACopyThatIsToBeDropped) {
  StartFacts blocked = RecordedFacts();
  blocked.rows.rows.device->set_blocked(true);
  EXPECT_EQ(RecordedAfter(blocked, TokenAt(15)), kRecorded);
  StartFacts left = RecordedFacts();
  left.carer_left = true;
  EXPECT_EQ(RecordedAfter(left, TokenAt(15)), kRecorded);
  StartFacts no_user = RecordedFacts();
  no_user.rows.rows.device->set_carer_ids(0, kOther.ToString());
  EXPECT_EQ(RecordedAfter(no_user, TokenAt(15)), kRecorded);
  // It was dropped, and the phone was put back since.
  no_user.rows.rows.report->clear_copies();
  EXPECT_FALSE(RecordedAfter(no_user, TokenAt(15)).has_value());
}

TEST(RefusedSession, RecordsNothingWhereTwoPhonesUseTheUuid) {
  StartFacts cloned = RecordedFacts();
  cloned.rows.rows.device->set_cloned(true);
  EXPECT_EQ(RecordedAfter(cloned, TokenAt(15)), kRecorded);
  EXPECT_EQ(RecordedAfter(RecordedFacts(), TokenAt(15), true), kRecorded) << "this take-over is the one too many";
}

TEST(RefusedSession, RecordsTheVersionOfAnAppThatBecomesTooOldWhileItsFirstBatchIsRead) {
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({kTenant, kDevice, kCarer}, "session", "timeline", sealer);
  fakes::TestDevice device(kDevice);
  v1::SyncRequest start = device.Start(kCarer, v1::SYNC_TYPE_STANDARD);
  const std::string version = start.start().app_version();
  ASSERT_FALSE(version.empty());
  const absl::Time now = absl::FromUnixSeconds(1'772'431'200);
  session.Handle(OpenedEvent{}, now);
  session.Handle(MessageEvent{std::move(start)}, now);
  StartFacts facts = RecordedFacts();
  facts.tenant.clear_least_app_version();
  session.Handle(LoadedEvent{std::move(facts), false}, now);
  DownloadBatch batch;
  batch.refusal = base::errors::AppTooOld("9.0");
  std::optional<store::DeviceReport> report;
  for (const SessionAction& action : session.Handle(BatchReadEvent{std::move(batch)}, now)) {
    const WriteRowsAction* rows = std::get_if<WriteRowsAction>(&action);
    if (rows == nullptr) continue;
    for (const storage::Write& write : rows->commit.writes) {
      if (write.key != base::keys::DeviceRow(kTenant, kDevice, base::keys::DevicePart::kReport)) continue;
      EXPECT_TRUE(report.emplace().ParseFromString(write.value.value_or("")));
    }
  }
  ASSERT_TRUE(report.has_value()) << "nothing is recorded of the sync";
  EXPECT_EQ(report->app_version(), version);
}

}  // namespace
}  // namespace caresync::sync

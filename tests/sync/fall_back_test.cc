// A start by which the carer's device may hold less than was known.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/devices/device_in_use.h"
#include "server/devices/device_registry.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/sync/session.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
constexpr base::Revision kRecorded = 10;

// ---- One session: its store and its stream are the test

// The device's copy is recorded as far as kRecorded.
StartFacts RecordedFacts() {
  StartFacts facts;
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

ResumeToken TokenAt(const feed::Position& position) {
  return {.device = kDevice,
          .carer = kCarer,
          .data_level = 1,
          .cursor = {"timeline", position.revision},
          .position = position,
          .rebuild_number = 1,
          .rebuild_began = std::nullopt};
}

const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

// Whether what a session writes of its device is a commit by which the device may hold less of the carer. nullopt: it
// writes nothing.
std::optional<bool> FallsBackIn(const std::vector<SessionAction>& actions) {
  for (const SessionAction& action : actions) {
    if (const auto* rows = std::get_if<WriteRowsAction>(&action); rows != nullptr)
      return rows->less_of.contains(kCarer);
  }
  return std::nullopt;
}

// The same of a session's first commit, made as often as `times`: all but the last meet a conflict.
std::optional<bool> FallsBack(const StartFacts& facts, const std::optional<ResumeToken>& token, int times = 1) {
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({kTenant, kDevice, kCarer}, "session", "timeline", sealer);
  fakes::TestDevice device(kDevice);
  if (token.has_value()) device.of(kCarer).token = SealToken(sealer, kTenant, *token);
  v1::SyncRequest start = device.Start(kCarer, v1::SYNC_TYPE_AUTO);
  // It begins at once: the events come first.
  start.mutable_start()->set_unsent_events(1);
  session.Handle(OpenedEvent{}, kNow);
  session.Handle(MessageEvent{std::move(start)}, kNow);
  std::optional<bool> falls_back = FallsBackIn(session.Handle(LoadedEvent{facts, false}, kNow));
  while (--times > 0) {
    session.Handle(RowsWrittenEvent{{storage::CommitOutcome::kConflict, ""}}, kNow);
    falls_back = FallsBackIn(session.Handle(LoadedEvent{facts, false}, kNow));
  }
  return falls_back;
}

TEST(FallBackTest, AStartWithTheUsualTokenOrALaterOneIsNone) {
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({kRecorded, {}})), false);
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({kRecorded, {"visit"}})), false);
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({kRecorded + 1, {}})), false);
}

TEST(FallBackTest, AnOlderTokenIsOne) {
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({kRecorded - 1, {"visit"}})), true);
  StartFacts midway = RecordedFacts();
  midway.rows.rows.report->mutable_copies(0)->set_position_record("visit");
  EXPECT_EQ(FallsBack(midway, TokenAt({kRecorded, {"service user"}})), true);
  EXPECT_EQ(FallsBack(midway, TokenAt({kRecorded, {"visit"}})), false);
}

TEST(FallBackTest, NoTokenOrOneOfAnotherStoreIsOne) {
  EXPECT_EQ(FallsBack(RecordedFacts(), std::nullopt), true);
  StartFacts foreign = RecordedFacts();
  foreign.token_standing = commit::CursorStanding::kForeign;
  EXPECT_EQ(FallsBack(foreign, TokenAt({15, {}})), true);
}

TEST(FallBackTest, ACopyThatIsBeingMadeBesideTheOneInUseIsNone) {
  ResumeToken unfinished = TokenAt({5, {}});
  unfinished.rebuild_number = 2;
  unfinished.rebuild_began = 12;
  EXPECT_EQ(FallsBack(RecordedFacts(), unfinished), false);
}

// What was settled by a copy that is not recorded any more was waited for again when that went.
TEST(FallBackTest, WhereNothingWasRecordedAPhoneThatHoldsNothingIsNone) {
  StartFacts nothing = RecordedFacts();
  nothing.rows.rows.report->clear_copies();
  EXPECT_EQ(FallsBack(nothing, std::nullopt), false);
}

// It may show what is gone: that was settled by a phone that held nothing.
TEST(FallBackTest, ACopyWhereNoneWasRecordedIsOne) {
  StartFacts nothing = RecordedFacts();
  nothing.rows.rows.report->clear_copies();
  EXPECT_EQ(FallsBack(nothing, TokenAt({5, {}})), true);
}

TEST(FallBackTest, ARefusedStartIsOneWhereItsTokenIsBelieved) {
  StartFacts too_old = RecordedFacts();
  too_old.tenant.set_least_app_version("9.0");
  EXPECT_EQ(FallsBack(too_old, TokenAt({5, {}})), true);
  EXPECT_EQ(FallsBack(too_old, std::nullopt), false);
}

TEST(FallBackTest, AnotherDeviceThatComesIntoUseIsOne) {
  StartFacts another = RecordedFacts();
  another.changes_device = true;
  another.replaces_device = true;
  EXPECT_EQ(FallsBack(another, TokenAt({15, {}})), true);
}

TEST(FallBackTest, AfterAConflictItIsOneAgain) {
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({5, {}}), 2), true);
  EXPECT_EQ(FallsBack(RecordedFacts(), TokenAt({15, {}}), 2), false);
}

// ---- A server

base::Uuid Id(v1::RecordKind kind, std::string_view external_id) {
  return records::IntegratedId(kTenant, "rota", kind, external_id);
}

// A carer with a visit, whose first phone holds it; the clock stands behind the grace of that.
class ChangeOfDeviceTest : public testing::Test {
 protected:
  ChangeOfDeviceTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(
        kTenant, "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("mary"), fakes::VisitChange("v1", "mary", {"ann"})});
    EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_STANDARD).ok());
    engine_.Advance(absl::Minutes(30));
  }

  absl::Status Sync(fakes::TestDevice& device, v1::SyncType type) {
    return fakes::SyncDevice(server_, kTenant, device, ann_, type);
  }
  // The second phone holds the visit too, and is in use; the clock stands behind the grace of that.
  void BringSecondIntoUse() {
    EXPECT_TRUE(Sync(second_, v1::SYNC_TYPE_STANDARD).ok());
    engine_.Advance(absl::Minutes(30));
    ASSERT_EQ(InUse(engine_), second_.uuid());
    ASSERT_FALSE(IsWaitedFor(engine_));
  }
  // What Ann's copy of the app records on the visit.
  v1::UploadedEvent Record(fakes::TestDevice& device, const base::Uuid& by, std::string_view visit = "v1") {
    v1::CareEvent event;
    event.set_carer_id(by.ToString());
    event.set_visit_id(Id(v1::RECORD_KIND_VISIT, visit).ToString());
    *event.mutable_occurred_time() = base::ToTimestamp(engine_.clock().Now());
    event.mutable_note()->set_text("all well");
    return device.Record(ann_, std::move(event), engine_.random());
  }
  bool IsTaken(const v1::UploadedEvent& event) const {
    const auto record =
        records::GetRecord(*engine_.Snapshot(), kTenant,
                           records::KeyOf({v1::RECORD_KIND_CARE_EVENT, *base::Uuid::Parse(event.event_id())}));
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() && record->has_value();
  }
  void Block(const fakes::TestDevice& device) {
    devices::DeviceRegistry registry(engine_.store(), engine_.clock(), engine_.executor());
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(device.uuid().ToString());
    request.set_set_blocked(true);
    request.set_blocked(true);
    std::optional<absl::Status> updated;
    registry.Update(kTenant, request, [&updated](const absl::Status& status) { updated = status; });
    engine_.executor().RunAll();
    EXPECT_TRUE(updated.has_value() && updated->ok());
  }
  std::vector<std::string> PendingDrops(const fakes::TestDevice& device) const {
    const auto known = devices::ReadDevice(*engine_.Snapshot(), kTenant, device.uuid());
    EXPECT_TRUE(known.ok() && known->has_value()) << known.status();
    return known.ok() && known->has_value() ? devices::PendingDrops(**known) : std::vector<std::string>();
  }
  // That of the visit.
  store::Mismatch Row(const fakes::Engine& engine) const {
    const base::RecordKey visit = records::KeyOf({v1::RECORD_KIND_VISIT, Id(v1::RECORD_KIND_VISIT, "v1")});
    const auto row = mismatch::GetMismatch(*engine.Snapshot(), kTenant, {ann_, visit});
    EXPECT_TRUE(row.ok() && row->has_value()) << row.status();
    return row.ok() && row->has_value() ? **row : store::Mismatch();
  }
  bool IsWaitedFor(const fakes::Engine& engine) const { return Row(engine).due_us() != 0; }
  std::optional<base::Uuid> InUse(const fakes::Engine& engine) const {
    const auto device = devices::ReadDeviceInUse(*engine.Snapshot(), kTenant, ann_);
    EXPECT_TRUE(device.ok()) << device.status();
    return device.ok() ? *device : std::nullopt;
  }

  fakes::Engine engine_{1, fakes::Mismatches::kNoted};
  fakes::SyncServer server_{engine_};
  fakes::TestDevice first_{kDevice};
  fakes::TestDevice second_{*base::Uuid::Parse("44444444-4444-4444-8444-444444444444")};
  const base::Uuid ann_ = Id(v1::RECORD_KIND_CARER, "ann");
};

TEST_F(ChangeOfDeviceTest, WhatTheFirstDeviceHadIsWaitedForAgain) {
  ASSERT_FALSE(IsWaitedFor(engine_));
  EXPECT_TRUE(Sync(second_, v1::SYNC_TYPE_STANDARD).ok());
  EXPECT_TRUE(IsWaitedFor(engine_));
  EXPECT_EQ(InUse(engine_), second_.uuid());
}

TEST_F(ChangeOfDeviceTest, ASyncOfTheDeviceInUseWritesNothing) {
  const base::Revision head = engine_.Head(kTenant);
  for (const v1::SyncType type : {v1::SYNC_TYPE_AUTO, v1::SYNC_TYPE_STANDARD}) EXPECT_TRUE(Sync(first_, type).ok());
  EXPECT_EQ(engine_.Head(kTenant), head);
  EXPECT_FALSE(IsWaitedFor(engine_));
}

// The session's first commit is never made where what it makes necessary was not.
TEST_F(ChangeOfDeviceTest, WhereItCannotBeWrittenThatTheyAreWaitedForTheSyncDoesNotBegin) {
  engine_.store().FailNext(fakes::Fault::kFull);
  EXPECT_EQ(base::Reason(Sync(second_, v1::SYNC_TYPE_STANDARD)), "STORE_FULL");
  EXPECT_FALSE(IsWaitedFor(engine_));
  EXPECT_EQ(InUse(engine_), first_.uuid());
  engine_.store().FailNext(fakes::Fault::kUnavailable);
  EXPECT_EQ(base::Reason(Sync(second_, v1::SYNC_TYPE_STANDARD)), "STORE_UNAVAILABLE");
  EXPECT_FALSE(IsWaitedFor(engine_));
  EXPECT_EQ(InUse(engine_), first_.uuid());
}

// It is no fault of the store's, and the phone is told when to come back.
TEST_F(ChangeOfDeviceTest, WhereTheQueueOfChangesIsFullThePhoneIsToldThatTheServerIsOverloaded) {
  // One is at work, and as many others wait as may.
  engine_.store().HoldBackDone(true);
  const auto write = [](commit::Transaction& transaction) {
    transaction.Put(storage::Space::kRecords, "key", "value");
    return absl::OkStatus();
  };
  engine_.sequencer().Submit(kTenant, write, [](const absl::StatusOr<commit::Committed>&) {});
  engine_.executor().RunAll();
  ASSERT_EQ(engine_.store().held_back(), 1u);
  for (size_t i = 0; i < base::limits::kQueuedChanges; ++i) {
    engine_.sequencer().Submit(
        kTenant, [](commit::Transaction&) { return absl::OkStatus(); },
        [](const absl::StatusOr<commit::Committed>&) {});
  }
  const absl::Status refused = Sync(second_, v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(base::Reason(refused), "OVERLOADED");
  EXPECT_GE(base::RetryDelay(refused).value_or(absl::ZeroDuration()), base::limits::kQueueRetryAfter);
  EXPECT_EQ(InUse(engine_), first_.uuid());

  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  engine_.executor().RunAll();
  EXPECT_TRUE(Sync(second_, v1::SYNC_TYPE_STANDARD).ok());
  EXPECT_EQ(InUse(engine_), second_.uuid());
}

TEST_F(ChangeOfDeviceTest, WhatTheCarerRecordsOnADeviceBringsItIntoUse) {
  BringSecondIntoUse();
  Record(first_, ann_);
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_EQ(InUse(engine_), first_.uuid());
  EXPECT_TRUE(IsWaitedFor(engine_));
}

TEST_F(ChangeOfDeviceTest, WhatADeviceHoldsThatIsBroughtIntoUseIsResolved) {
  BringSecondIntoUse();
  v1::RosterChange longer = fakes::VisitChange("v1", "mary", {"ann"});
  longer.mutable_visit()->set_notes("bring gloves");
  engine_.ApplyChanges(kTenant, "rota", {longer});
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  engine_.Advance(absl::Minutes(20));
  ASSERT_EQ(Row(engine_).state(), store::Mismatch::OPEN);
  // Nothing comes back of it: it is for review.
  Record(first_, ann_, "of another agency");
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_EQ(InUse(engine_), first_.uuid());
  EXPECT_EQ(Row(engine_).state(), store::Mismatch::RESOLVED);
}

// The phone's connection went when its ack had come, and it is back before that is known to be written.
TEST_F(ChangeOfDeviceTest, WhatAStreamSettledThatIsTakenOverMeanwhileIsResolved) {
  v1::RosterChange longer = fakes::VisitChange("v1", "mary", {"ann"});
  longer.mutable_visit()->set_notes("bring gloves");
  engine_.ApplyChanges(kTenant, "rota", {longer});
  engine_.Advance(absl::Minutes(20));
  ASSERT_EQ(Row(engine_).state(), store::Mismatch::OPEN);

  fakes::ScriptedPeer left(server_, {kTenant, first_.uuid(), ann_});
  left.Say(first_.Start(ann_, v1::SYNC_TYPE_AUTO));
  left.Settle();
  const std::optional<v1::SyncResponse> changes = left.Take();
  ASSERT_TRUE(changes.has_value());
  std::optional<v1::SyncRequest> ack = first_.Apply(ann_, *changes);
  ASSERT_TRUE(ack.has_value());
  engine_.store().HoldBackDone(true);
  left.Say(*std::move(ack));
  left.Settle();
  ASSERT_EQ(engine_.store().held_back(), 1u);

  fakes::ScriptedPeer back(server_, {kTenant, first_.uuid(), ann_});
  back.Say(first_.Start(ann_, v1::SYNC_TYPE_AUTO));
  back.Settle();
  ASSERT_TRUE(left.end().has_value());
  EXPECT_EQ(base::Reason(*left.end()), "SESSION_TAKEN_OVER");
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  back.Settle();
  ASSERT_TRUE(back.end().has_value());
  EXPECT_TRUE(back.end()->ok()) << *back.end();
  EXPECT_EQ(Row(engine_).state(), store::Mismatch::RESOLVED);
}

TEST_F(ChangeOfDeviceTest, AnEventThatIsKnownChangesNothing) {
  const v1::UploadedEvent event = Record(first_, ann_);
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  BringSecondIntoUse();
  first_.of(ann_).unsent.push_back(event);
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_EQ(InUse(engine_), second_.uuid());
  EXPECT_FALSE(IsWaitedFor(engine_));
}

TEST_F(ChangeOfDeviceTest, AnEventOfAnotherCarerChangesNothing) {
  BringSecondIntoUse();
  Record(first_, Id(v1::RECORD_KIND_CARER, "ben"));
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_EQ(InUse(engine_), second_.uuid());
}

TEST_F(ChangeOfDeviceTest, ADeviceOnWhichTheCarerMayHoldNoCopyIsNotBroughtIntoUse) {
  BringSecondIntoUse();
  Block(first_);
  const v1::UploadedEvent event = Record(first_, ann_);
  EXPECT_EQ(base::Reason(Sync(first_, v1::SYNC_TYPE_AUTO)), "DEVICE_BLOCKED");
  EXPECT_TRUE(IsTaken(event));
  EXPECT_EQ(InUse(engine_), second_.uuid());
}

TEST_F(ChangeOfDeviceTest, WhatTheDeviceInUseDroppedIsWaitedForAgain) {
  Block(first_);
  EXPECT_EQ(base::Reason(Sync(first_, v1::SYNC_TYPE_AUTO)), "DEVICE_BLOCKED");
  EXPECT_TRUE(IsWaitedFor(engine_));
  EXPECT_TRUE(PendingDrops(first_).empty());
}

// The device is told once more, and says so once more.
TEST_F(ChangeOfDeviceTest, WhereItCannotBeWrittenThatADroppedCopyIsWaitedForItIsNotDropped) {
  Block(first_);
  {
    fakes::ScriptedPeer peer(server_, {kTenant, first_.uuid(), ann_});
    peer.Say(first_.Start(ann_, v1::SYNC_TYPE_AUTO));
    peer.Settle();
    const std::optional<v1::SyncResponse> started = peer.Take();
    ASSERT_TRUE(started.has_value());
    std::optional<v1::SyncRequest> ack = first_.Apply(ann_, *started);
    ASSERT_TRUE(ack.has_value());
    engine_.store().FailNext(fakes::Fault::kFull);
    peer.Say(*std::move(ack));
    peer.Settle();
    ASSERT_TRUE(peer.end().has_value());
    EXPECT_EQ(base::Reason(*peer.end()), "STORE_FULL");
  }
  EXPECT_FALSE(IsWaitedFor(engine_));
  EXPECT_FALSE(PendingDrops(first_).empty());
  EXPECT_EQ(base::Reason(Sync(first_, v1::SYNC_TYPE_AUTO)), "DEVICE_BLOCKED");
  EXPECT_TRUE(IsWaitedFor(engine_));
  EXPECT_TRUE(PendingDrops(first_).empty());
}

// No care event waits for its repair.
TEST_F(ChangeOfDeviceTest, WhereMismatchesCannotBeReadEventsAreTakenAllTheSame) {
  BringSecondIntoUse();
  const std::string key = base::keys::MismatchLooks(kTenant);
  ASSERT_EQ(fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, key, "\xFF\xFF")).outcome,
            storage::CommitOutcome::kCommitted);
  const v1::UploadedEvent event = Record(first_, ann_);
  EXPECT_TRUE(Sync(first_, v1::SYNC_TYPE_AUTO).ok());
  EXPECT_TRUE(IsTaken(event));
}

// The session's own commit was not made when the server went.
TEST_F(ChangeOfDeviceTest, AfterACrashBetweenTheTwoTheNextStartWaitsForThemAgain) {
  fakes::ScriptedPeer peer(server_, {kTenant, second_.uuid(), ann_});
  engine_.store().HoldBackDone(true);
  peer.Say(second_.Start(ann_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  ASSERT_EQ(engine_.store().held_back(), 1u);
  fakes::Engine again(engine_.memory().Copy(), 2, engine_.clock().Now(), fakes::Mismatches::kNoted);
  engine_.store().HoldBackDone(false);
  engine_.store().ReleaseAll();
  EXPECT_EQ(InUse(again), first_.uuid());
  EXPECT_TRUE(IsWaitedFor(again));
  again.Advance(absl::Minutes(30));
  EXPECT_FALSE(IsWaitedFor(again)) << "the first device has it";
  fakes::SyncServer server(again);
  fakes::TestDevice second(second_.uuid());
  EXPECT_TRUE(fakes::SyncDevice(server, kTenant, second, ann_, v1::SYNC_TYPE_STANDARD).ok());
  EXPECT_EQ(InUse(again), second_.uuid());
  EXPECT_TRUE(IsWaitedFor(again));
}

}  // namespace
}  // namespace caresync::sync

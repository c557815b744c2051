#include "server/devices/session_rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/stored.h"
#include "server/devices/device_state.h"
#include "server/devices/take_overs.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::devices {
namespace {

using base::keys::DevicePart;
using storage::Durability;

const base::Uuid kDevice = *base::Uuid::Parse("3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
const base::Uuid kAnn = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000a");
const base::Uuid kBob = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000b");
const base::Uuid kCat = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000c");
const base::Uuid kDan = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000d");

class SessionRowsTest : public testing::Test {
 protected:
  SessionRows Load(v1::SyncType type, const base::Uuid& carer = kAnn, bool displaced = false) {
    v1::Start start = start_;
    start.set_sync_type(type);
    start.set_data_level(9);
    SessionOwner owner{tenant_, kDevice, carer, absl::StrCat("session-", ++sessions_), opening_};
    return SessionRows(std::move(owner), Loaded(), start, now_, displaced, "", most_take_overs_);
  }

  void Commit(storage::Commit commit) {
    ASSERT_EQ(fakes::CommitAndWait(store_, std::move(commit)).outcome, storage::CommitOutcome::kCommitted);
  }

  void Sync(v1::SyncType type, const base::Uuid& carer = kAnn) {
    SessionRows rows = Load(type, carer);
    rows.MarkSuccess(now_);
    Commit(rows.Begin(Durability::kDurable));
  }

  void Fail(v1::SyncOutcome outcome = v1::SYNC_OUTCOME_INTERRUPTED) {
    SessionRows rows = Load(v1::SYNC_TYPE_STANDARD);
    Commit(rows.Begin(Durability::kDurable));
    rows.MarkEnd(outcome, "STREAM_CUT", now_);
    Commit(rows.Update(Durability::kBuffered));
  }

  // A sync that took over from one that was open.
  void TakeOver() { Commit(Load(v1::SYNC_TYPE_STANDARD, kAnn, /*displaced=*/true).Begin(Durability::kBuffered)); }

  // A sync that began at this head and ended well at once.
  SessionRows Succeed(base::Revision head) {
    SessionRows rows = Load(v1::SYNC_TYPE_AUTO);
    rows.sync().set_start_revision(head);
    rows.MarkSuccess(now_);
    Commit(rows.Begin(Durability::kBuffered));
    return rows;
  }

  StartRows Loaded() const { return *ReadStartRows(**store_.NewSnapshot(), tenant_, kDevice); }
  store::SyncRow SyncOfNumber(uint64_t number) const {
    return **base::GetStored<store::SyncRow>(**store_.NewSnapshot(), storage::Space::kDevices,
                                             base::keys::Sync(tenant_, kDevice, number));
  }
  DeviceRows Rows() const { return *ReadDeviceRows(**store_.NewSnapshot(), tenant_, kDevice); }
  store::DeviceReport Report() const { return *Rows().report; }

  storage::MemoryStore store_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  absl::Time now_ = absl::FromCivil(absl::CivilSecond(2026, 3, 2, 6, 0, 0), absl::UTCTimeZone());
  std::string opening_ = "opening";
  int sessions_ = 0;
  size_t most_take_overs_ = base::limits::kTakeOversInAnHour;
  // What else the device says when it starts.
  v1::Start start_;
};

// Requirement: R8, S6
TEST_F(SessionRowsTest, CountsSuccessesAndCleanSyncsByDay) {
  Sync(v1::SYNC_TYPE_STANDARD);
  Sync(v1::SYNC_TYPE_AUTO);
  Sync(v1::SYNC_TYPE_CLEAN);
  now_ += absl::Hours(24);
  Sync(v1::SYNC_TYPE_CLEAN);
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_), 4u);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), 2u);
  ASSERT_EQ(Report().days_size(), 2);
  EXPECT_EQ(Report().days(0).successes(), 3u);
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_ + absl::Hours(24 * 6)), 1u);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_ + absl::Hours(24 * 29)), 1u);
}

TEST_F(SessionRowsTest, KeepsNoMoreDaysThanAreCounted) {
  for (size_t day = 0; day < base::limits::kCountedDays + 5; ++day) {
    Sync(v1::SYNC_TYPE_AUTO);
    now_ += absl::Hours(24);
  }
  EXPECT_EQ(static_cast<size_t>(Report().days_size()), base::limits::kCountedDays);
}

TEST_F(SessionRowsTest, AClockThatWasSetBackCountsOn) {
  Sync(v1::SYNC_TYPE_AUTO);
  now_ -= absl::Hours(48);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_), 1u);
}

// As one that begins in 1970 until the time has come over the network.
TEST_F(SessionRowsTest, AClockThatIsBehindForAMinuteTakesNoDaysAway) {
  for (size_t day = 0; day < base::limits::kCountedDays - 1; ++day) {
    Sync(v1::SYNC_TYPE_CLEAN);
    now_ += absl::Hours(24);
  }
  const absl::Time right = now_;
  now_ = absl::UnixEpoch();
  Sync(v1::SYNC_TYPE_AUTO);
  now_ = right;
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(static_cast<size_t>(Report().days_size()), base::limits::kCountedDays);
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_), 7u);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), base::limits::kCountedDays - 1);
}

TEST_F(SessionRowsTest, AClockThatIsAheadForAMinuteTakesNoDaysAway) {
  Sync(v1::SYNC_TYPE_CLEAN);
  now_ += absl::Hours(24);
  Sync(v1::SYNC_TYPE_AUTO);
  const absl::Time right = now_;
  now_ += absl::Hours(24 * 3'650);
  Sync(v1::SYNC_TYPE_AUTO);
  now_ = right + absl::Minutes(1);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_), 3u);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), 1u);
}

TEST_F(SessionRowsTest, ALaterCallIsRecordedThoughTheOneBeforeLiesAhead) {
  const absl::Time right = now_;
  now_ += absl::Hours(24 * 3'650);
  Sync(v1::SYNC_TYPE_STANDARD);
  now_ = right;
  Sync(v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(Rows().call->time_us(), base::ToStoredTime(right));
  EXPECT_EQ(Report().last_success_us(), base::ToStoredTime(right));
  EXPECT_EQ(Report().copies(0).last_success_us(), base::ToStoredTime(right));
  EXPECT_EQ(Report().copies(0).last_manual_success_us(), base::ToStoredTime(right));
}

TEST_F(SessionRowsTest, ACleanSyncIsOneHoweverOftenItIsConfirmed) {
  SessionRows rows = Load(v1::SYNC_TYPE_CLEAN);
  rows.MarkSuccess(now_);
  Commit(rows.Begin(Durability::kDurable));
  rows.MarkSuccess(now_);
  Commit(rows.Update(Durability::kDurable));
  EXPECT_EQ(SuccessfulSyncs7Days(Report(), now_), 2u);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), 1u);
}

TEST_F(SessionRowsTest, ACleanSyncThatWasCutCountsOnceWhereAnotherCleanSyncEndsIt) {
  Commit(Load(v1::SYNC_TYPE_CLEAN).Begin(Durability::kDurable));
  Sync(v1::SYNC_TYPE_CLEAN);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), 1u);
  // The rows do not say that a clean sync began the copy which this one ends.
  Commit(Load(v1::SYNC_TYPE_CLEAN).Begin(Durability::kDurable));
  Sync(v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(CleanSyncs30Days(Report(), now_), 1u);
}

TEST_F(SessionRowsTest, CountsFailuresInARowUntilASuccess) {
  Fail();
  EXPECT_EQ(Report().failures_in_a_row(), 1u);
  Fail(v1::SYNC_OUTCOME_REFUSED);
  EXPECT_EQ(Report().failures_in_a_row(), 2u);
  // One that nobody ended, such as by a crash of the server.
  Commit(Load(v1::SYNC_TYPE_STANDARD).Begin(Durability::kDurable));
  EXPECT_EQ(Report().failures_in_a_row(), 2u);
  Fail();
  EXPECT_EQ(Report().failures_in_a_row(), 4u);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().failures_in_a_row(), 0u);
}

TEST_F(SessionRowsTest, OnlyASyncThatTheCarerStartedIsAManualOneAndFromItsStart) {
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().copies(0).last_manual_success_us(), 0);
  SessionRows rows = Load(v1::SYNC_TYPE_STANDARD);
  Commit(rows.Begin(Durability::kDurable));
  rows.MarkSuccess(now_ + absl::Minutes(5));
  Commit(rows.Update(Durability::kDurable));
  EXPECT_EQ(Report().copies(0).last_manual_success_us(), base::ToStoredTime(now_));
  now_ += absl::Hours(1);
  Sync(v1::SYNC_TYPE_CLEAN);
  EXPECT_EQ(Report().copies(0).last_manual_success_us(), base::ToStoredTime(now_));
}

TEST_F(SessionRowsTest, VisitsAskForAManualSyncFromTheLastOnesStartOrTheDevicesFirstSync) {
  const absl::Time enrolled = now_;
  SessionRows first = Load(v1::SYNC_TYPE_AUTO);
  first.MarkSuccess(now_ + absl::Minutes(5));
  EXPECT_EQ(first.ManualSyncCountsFrom(), enrolled);
  Commit(first.Begin(Durability::kDurable));
  now_ += absl::Hours(1);
  SessionRows by_carer = Load(v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(by_carer.ManualSyncCountsFrom(), enrolled) << "it has not succeeded";
  const absl::Time began = now_;
  by_carer.MarkSuccess(now_ + absl::Minutes(5));
  EXPECT_EQ(by_carer.ManualSyncCountsFrom(), began);
  Commit(by_carer.Begin(Durability::kDurable));
  now_ += absl::Hours(1);
  SessionRows in_background = Load(v1::SYNC_TYPE_AUTO);
  in_background.MarkSuccess(now_);
  EXPECT_EQ(in_background.ManualSyncCountsFrom(), began);
}

TEST_F(SessionRowsTest, ASuccessSaysTheDataLevelOfTheCopyInUse) {
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().copies(0).data_level(), base::limits::kDataLevel);
}

TEST_F(SessionRowsTest, EachSyncIsListedAmongItsCarersUntilTheHistoryLetsItGo) {
  Sync(v1::SYNC_TYPE_AUTO, kBob);
  for (uint64_t i = 1; i < base::limits::kSyncHistory; ++i) Sync(v1::SYNC_TYPE_AUTO);
  const auto listed = [&](const base::Uuid& carer) {
    return fakes::RowsOf(**store_.NewSnapshot(), storage::Space::kDevices, base::keys::SyncsOfCarer(tenant_, carer, ""))
        .size();
  };
  EXPECT_EQ(listed(kBob), 1u);
  EXPECT_EQ(listed(kAnn), base::limits::kSyncHistory - 1);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(listed(kBob), 0u);
  EXPECT_EQ(listed(kAnn), base::limits::kSyncHistory);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(listed(kAnn), base::limits::kSyncHistory);
}

TEST_F(SessionRowsTest, OfTwoThatBeginAtOnceOneIsToLoadAgain) {
  Sync(v1::SYNC_TYPE_AUTO);
  const auto conflicts = [this](storage::Commit commit) {
    return fakes::CommitAndWait(store_, std::move(commit)).outcome == storage::CommitOutcome::kConflict;
  };
  SessionRows one = Load(v1::SYNC_TYPE_AUTO);
  SessionRows other = Load(v1::SYNC_TYPE_AUTO);
  Commit(one.Begin(Durability::kBuffered));
  EXPECT_TRUE(conflicts(other.Begin(Durability::kBuffered)));
  // So is one that loaded before the other wrote how it went on.
  SessionRows later = Load(v1::SYNC_TYPE_AUTO);
  one.MarkSuccess(now_);
  Commit(one.Update(Durability::kBuffered));
  EXPECT_TRUE(conflicts(later.Begin(Durability::kBuffered)));
  Commit(Load(v1::SYNC_TYPE_AUTO).Begin(Durability::kBuffered));
}

TEST_F(SessionRowsTest, TheRowOfTheLastSyncIsReadOnlyWhereItDidNotEndWell) {
  EXPECT_FALSE(Loaded().last_sync.has_value());
  SessionRows follower = Succeed(7);
  EXPECT_FALSE(Loaded().last_sync.has_value());
  EXPECT_EQ(Loaded().last_began, 7u);
  // It goes on after its success, and is under way again.
  follower.sync().set_outcome(v1::SYNC_OUTCOME_UNDER_WAY);
  Commit(follower.Update(Durability::kBuffered));
  ASSERT_TRUE(Loaded().last_sync.has_value());
  EXPECT_EQ(Loaded().last_sync->outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  EXPECT_EQ(Loaded().last_began, 7u);
  Succeed(9);
  EXPECT_EQ(SyncOfNumber(1).outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_EQ(Loaded().last_began, 9u);
  Fail();
  ASSERT_TRUE(Loaded().last_sync.has_value());
  EXPECT_EQ(Loaded().last_sync->outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

TEST_F(SessionRowsTest, WhatAnEarlierServerWroteIsLookedUp) {
  Succeed(7);
  SessionRows unfinished = Load(v1::SYNC_TYPE_AUTO);
  unfinished.sync().set_start_revision(8);
  Commit(unfinished.Begin(Durability::kBuffered));
  // That server knows nothing of the field: it is absent, or as the sync before left it.
  store::DeviceReport report = Report();
  for (const bool left : {false, true}) {
    report.clear_last_succeeded();
    if (left) report.mutable_last_succeeded()->set_number(1);
    Commit(fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, kDevice, DevicePart::kReport),
                        report.SerializeAsString()));
    ASSERT_TRUE(Loaded().last_sync.has_value());
    EXPECT_EQ(Loaded().last_sync->outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
    EXPECT_EQ(Loaded().last_began, 8u);
  }
}

TEST_F(SessionRowsTest, ASessionThatAnotherOneReplacedWritesNoMore) {
  SessionRows first = Load(v1::SYNC_TYPE_STANDARD);
  Commit(first.Begin(Durability::kDurable));
  SessionRows second = Load(v1::SYNC_TYPE_AUTO);
  Commit(second.Begin(Durability::kDurable));
  first.MarkSuccess(now_);
  EXPECT_EQ(fakes::CommitAndWait(store_, first.Update(Durability::kDurable)).outcome,
            storage::CommitOutcome::kConflict);
  EXPECT_EQ(Report().last_success_us(), 0);
  second.MarkSuccess(now_);
  Commit(second.Update(Durability::kDurable));
  EXPECT_EQ(Report().last_success_us(), base::ToStoredTime(now_));
}

TEST_F(SessionRowsTest, NothingIsSaidOfACopyThatTheDeviceDropped) {
  Sync(v1::SYNC_TYPE_AUTO, kAnn);
  Sync(v1::SYNC_TYPE_AUTO, kBob);
  SessionRows rows = Load(v1::SYNC_TYPE_AUTO, kBob);
  rows.ForgetCopy(kAnn.ToString());
  Commit(rows.Begin(Durability::kDurable));
  ASSERT_EQ(Report().copies_size(), 1);
  EXPECT_EQ(Report().copies(0).carer_id(), kBob.ToString());
}

// It confirmed that it held the copy, then was told to drop it, while an upload was still to be taken.
TEST_F(SessionRowsTest, ASuccessAfterItsCopyWasDroppedIsTheDevicesAlone) {
  SessionRows rows = Load(v1::SYNC_TYPE_STANDARD, kAnn);
  Commit(rows.Begin(Durability::kDurable));
  rows.copy().set_revision(7);
  rows.ForgetCopy(kAnn.ToString());
  // An acknowledgement that was sent before.
  rows.copy().set_revision(8);
  rows.MarkSuccess(now_);
  Commit(rows.Update(Durability::kDurable));
  EXPECT_EQ(Report().copies_size(), 0);
  EXPECT_EQ(Report().last_success_us(), base::ToStoredTime(now_));
}

TEST_F(SessionRowsTest, EventsThatAreAskedForMakeNoCopy) {
  SessionRows rows = Load(v1::SYNC_TYPE_AUTO);
  rows.WantResend();
  rows.WantResendOfAll();
  Commit(rows.Begin(Durability::kDurable));
  EXPECT_EQ(Report().copies_size(), 0);
  EXPECT_TRUE(Load(v1::SYNC_TYPE_AUTO).resend_wanted());
}

TEST_F(SessionRowsTest, EventsAreAskedForUntilTheyCameWhateverCopiesAreDropped) {
  Sync(v1::SYNC_TYPE_AUTO);
  SessionRows rows = Load(v1::SYNC_TYPE_AUTO);
  rows.WantResend();
  rows.ForgetCopy(kAnn.ToString());
  EXPECT_TRUE(rows.resend_wanted());
  Commit(rows.Begin(Durability::kDurable));
  EXPECT_EQ(Report().copies_size(), 0);
  EXPECT_FALSE(Load(v1::SYNC_TYPE_AUTO, kBob).resend_wanted());
  SessionRows next = Load(v1::SYNC_TYPE_AUTO);
  ASSERT_TRUE(next.resend_wanted());
  next.ResendComplete();
  EXPECT_FALSE(next.resend_wanted());
  // The token that told of the loss tells nothing new in this opening.
  next.WantResend();
  Commit(next.Begin(Durability::kDurable));
  EXPECT_FALSE(Load(v1::SYNC_TYPE_AUTO).resend_wanted());
}

TEST_F(SessionRowsTest, WhereAllAreAskedItIsWhoeverMayHaveSyncedOnTheDevice) {
  Sync(v1::SYNC_TYPE_AUTO, kAnn);
  // Bob holds a copy and is no user; Cat's was dropped; Dan is neither known nor refused yet.
  Sync(v1::SYNC_TYPE_AUTO, kBob);
  store::Device device = *Rows().device;
  device.add_drops()->set_carer_id(kCat.ToString());
  storage::Commit drop;
  drop.writes.push_back({storage::Space::kDevices, base::keys::DeviceRow(tenant_, kDevice, DevicePart::kDevice),
                         device.SerializeAsString()});
  Commit(std::move(drop));
  SessionRows rows = Load(v1::SYNC_TYPE_AUTO, kDan);
  rows.WantResendOfAll();
  Commit(rows.Begin(Durability::kDurable));
  for (const base::Uuid& carer : {kAnn, kBob, kCat, kDan}) {
    EXPECT_TRUE(Load(v1::SYNC_TYPE_AUTO, carer).resend_wanted()) << carer.ToString();
  }
}

TEST_F(SessionRowsTest, NothingIsKeptOfWhatCameInAnEarlierOpening) {
  SessionRows rows = Load(v1::SYNC_TYPE_AUTO);
  rows.WantResend();
  rows.ResendComplete();
  Commit(rows.Begin(Durability::kDurable));
  EXPECT_EQ(Report().resends_size(), 1);
  opening_ = "the next opening";
  Commit(Load(v1::SYNC_TYPE_AUTO, kBob).Begin(Durability::kDurable));
  EXPECT_EQ(Report().resends_size(), 0);
}

TEST_F(SessionRowsTest, WhatThePhonesSystemAllowsIsReportedUntilItSaysOtherwise) {
  const absl::Time allowed = now_ + absl::Hours(3) + absl::Milliseconds(250);
  *start_.mutable_earliest_next_sync() = base::ToTimestamp(allowed);
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().earliest_next_sync_us(), base::ToStoredTime(allowed));
  *start_.mutable_earliest_next_sync() = base::ToTimestamp(allowed + absl::Hours(1));
  Sync(v1::SYNC_TYPE_STANDARD, kBob);
  EXPECT_EQ(Report().earliest_next_sync_us(), base::ToStoredTime(allowed + absl::Hours(1)));
  // A phone whose clock is wrong.
  *start_.mutable_earliest_next_sync() = base::ToTimestamp(now_ + absl::Hours(24 * 3650));
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().earliest_next_sync_us(), base::ToStoredTime(now_ + base::limits::kNextSyncAhead));
  start_.clear_earliest_next_sync();
  Sync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(Report().earliest_next_sync_us(), 0);
}

TEST_F(SessionRowsTest, ATimeThatIsNoneAllowsTheNextSyncAtOnce) {
  *start_.mutable_earliest_next_sync() = base::ToTimestamp(now_ + absl::Hours(3));
  Sync(v1::SYNC_TYPE_AUTO);
  for (const auto& [seconds, nanos] : std::vector<std::pair<int64_t, int32_t>>{
           {253'402'300'800, 0}, {-62'135'596'801, 0}, {0, 1'000'000'000}, {0, -1}, {INT64_MAX, INT32_MAX}}) {
    start_.mutable_earliest_next_sync()->set_seconds(seconds);
    start_.mutable_earliest_next_sync()->set_nanos(nanos);
    Sync(v1::SYNC_TYPE_AUTO);
    EXPECT_EQ(Report().earliest_next_sync_us(), 0) << seconds << " s, " << nanos << " ns";
  }
}

// ---- Two phones with one UUID

TEST_F(SessionRowsTest, TakeOversPastTheBoundWithinAnHourMarkTheDeviceAsCloned) {
  Sync(v1::SYNC_TYPE_AUTO);
  for (size_t i = 0; i < base::limits::kTakeOversInAnHour; ++i) {
    EXPECT_FALSE(IsCloned(Rows(), /*displaced=*/true, now_, most_take_overs_));
    TakeOver();
    now_ += absl::Seconds(10);
  }
  EXPECT_FALSE(Rows().device->cloned());
  EXPECT_FALSE(IsCloned(Rows(), /*displaced=*/false, now_, most_take_overs_));
  EXPECT_TRUE(IsCloned(Rows(), /*displaced=*/true, now_, most_take_overs_));
  const storage::Commit commit = Load(v1::SYNC_TYPE_STANDARD, kAnn, true).Begin(Durability::kBuffered);
  EXPECT_EQ(commit.durability, Durability::kDurable);
  Commit(commit);
  EXPECT_TRUE(Rows().device->cloned());
  EXPECT_TRUE(IsCloned(Rows(), /*displaced=*/false, now_ + absl::Hours(48), most_take_overs_));
}

TEST_F(SessionRowsTest, TakeOversThatAreSpreadOutAreABadNetwork) {
  Sync(v1::SYNC_TYPE_AUTO);
  for (size_t i = 0; i < 3 * base::limits::kTakeOversInAnHour; ++i) {
    TakeOver();
    now_ += absl::Minutes(4);
  }
  EXPECT_FALSE(Rows().device->cloned());
  EXPECT_LE(static_cast<size_t>(Report().take_over_times_us_size()), base::limits::kTakeOversInAnHour + 1);
}

TEST_F(SessionRowsTest, TakeOversBeforeTheMarkWasClearedSpeakForNothing) {
  Sync(v1::SYNC_TYPE_AUTO);
  for (size_t i = 0; i <= base::limits::kTakeOversInAnHour; ++i) TakeOver();
  ASSERT_TRUE(Rows().device->cloned());
  store::Device device = *Rows().device;
  device.set_cloned(false);
  device.set_clone_cleared_us(base::ToStoredTime(now_));
  Commit(fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, kDevice, DevicePart::kDevice),
                      device.SerializeAsString()));
  now_ += absl::Minutes(1);
  EXPECT_FALSE(IsCloned(Rows(), /*displaced=*/true, now_, most_take_overs_));
  TakeOver();
  EXPECT_FALSE(Rows().device->cloned());
}

TEST_F(SessionRowsTest, AMarkThatWasClearedByAClockThatWasAheadDoesNotHideTwoPhones) {
  most_take_overs_ = 2;
  Sync(v1::SYNC_TYPE_AUTO);
  store::Device device = *Rows().device;
  device.set_clone_cleared_us(base::ToStoredTime(now_ + absl::Hours(24 * 365)));
  Commit(fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, kDevice, DevicePart::kDevice),
                      device.SerializeAsString()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Rows().device->cloned());
    TakeOver();
    now_ += absl::Minutes(1);
  }
  EXPECT_TRUE(Rows().device->cloned());
}

TEST_F(SessionRowsTest, TheBoundOfTakeOversIsTheCallers) {
  most_take_overs_ = 2;
  Sync(v1::SYNC_TYPE_AUTO);
  TakeOver();
  TakeOver();
  EXPECT_FALSE(Rows().device->cloned());
  TakeOver();
  EXPECT_TRUE(Rows().device->cloned());
}

}  // namespace
}  // namespace caresync::devices

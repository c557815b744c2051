// What the task of a tenant's mismatches does as time goes by.
#include "server/mismatch/looks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/devices/syncs_under_way.h"
#include "tests/fakes/commits.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using storage::Space;
using testing::IsEmpty;

constexpr absl::Duration kMoment = absl::Microseconds(1);

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

class LooksTest : public testing::Test {
 protected:
  // `count` visits at nine, of carer 1; the first is visit 1.
  // The server is down for so long.
  void StayDown(absl::Duration duration) {
    bench_.Stop();
    bench_.clock().Advance(duration);
    bench_.Start();
  }

  MismatchBench bench_;
};

// ---- What is opened

TEST_F(LooksTest, OpensWhatIsDueAndNotBefore) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20) - kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.Advance(kMoment);
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), store::Mismatch::OPEN);
  EXPECT_EQ(row.opened_us(), Us(At(6, 20)));
  EXPECT_EQ(row.due_us(), 0);
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  EXPECT_EQ(bench_.CountListed(false), 1u);
}

TEST_F(LooksTest, OpensOnesOfCarersWhoHaveNoDeviceOrOneThatHoldsNothing) {
  bench_.SignIn(2, 2);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  EXPECT_EQ(bench_.OpenOf(2), std::set<int>{1});
}

TEST_F(LooksTest, ItComesBeforeTheVisitWhereverTheChangeCameTwoMinutesBeforeIt) {
  bench_.Advance(limits::kMismatchesRest);
  const absl::Time change = bench_.clock().Now();
  std::vector<store::Record> visits;
  std::vector<absl::Time> starts;
  for (const int minutes : {2, 3, 10, 31, 33, 45, 60, 600, 1'500, 3'000}) {
    starts.push_back(change + absl::Minutes(minutes));
    visits.push_back(VisitAt(static_cast<int>(starts.size()), starts.back()));
  }
  bench_.Put(visits);
  for (size_t i = 0; i < starts.size(); ++i) {
    bench_.AdvanceTo(starts[i]);
    EXPECT_TRUE(bench_.OpenOf(1).contains(static_cast<int>(i) + 1)) << starts[i];
  }
}

TEST_F(LooksTest, ADeviceThatAcknowledgedInTimeRaisesNone) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AdvanceTo(At(6, 20) - kMoment);
  bench_.Acknowledge(1, 1, bench_.EntryOf(1, 1).position);
  bench_.Advance(kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{2});
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{2});
}

TEST_F(LooksTest, AnAckOfWhatCameBeforeTheChangeDoesNotCount) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(11))});
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

TEST_F(LooksTest, AnAckBetweenItsReadAndItsCommitRaisesNone) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20) - kMoment);
  const size_t before = bench_.looks();
  bool acknowledged = false;
  bench_.BeforeNextLookCommits([&] {
    bench_.AcknowledgeAll(1, 1);
    acknowledged = true;
  });
  bench_.Advance(kMoment);
  EXPECT_TRUE(acknowledged);
  EXPECT_GE(bench_.looks(), before + 2) << "it runs again";
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.Get(1, 1).opened_us(), 0);
}

TEST_F(LooksTest, AFirstAckOfAllBetweenItsReadAndItsCommitRaisesNone) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20) - kMoment);
  bench_.BeforeNextLookCommits([&] { bench_.AcknowledgeAll(1, 1); });
  bench_.Advance(kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
}

TEST_F(LooksTest, ASignInOnADeviceThatHoldsItBetweenItsReadAndItsCommitRaisesNone) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 2);
  bench_.AdvanceTo(At(6, 20) - kMoment);
  bench_.BeforeNextLookCommits([&] { bench_.SignIn(1, 2); });
  bench_.Advance(kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::PENDING);
}

TEST_F(LooksTest, AFurtherChangeOpensAResolvedOneAgain) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Sync(1, 1);
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  bench_.Put({VisitAt(1, At(11))});
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  bench_.AdvanceTo(At(6, 40));
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
  EXPECT_EQ(bench_.Get(1, 1).opened_us(), Us(At(6, 40)));
  EXPECT_EQ(bench_.CountListed(false), 1u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
}

TEST_F(LooksTest, AFurtherChangeThatIsAcknowledgedInTimeLeavesItResolved) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Sync(1, 1);
  bench_.Put({VisitAt(1, At(11))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7));
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).ended_us(), Us(At(6, 20)));
}

// ---- After an opening of the store

TEST_F(LooksTest, OpensNothingWithinTwoMinutesOfAnOpening) {
  bench_.SignIn(1, 1);
  bench_.SignIn(2, 2);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  StayDown(absl::Minutes(30));
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.Advance(absl::Minutes(1));
  bench_.AcknowledgeAll(2, 2);  // It could not reach the server before.
  bench_.Advance(limits::kMismatchesRest - absl::Minutes(1) - kMoment);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.Advance(absl::Seconds(1));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  EXPECT_THAT(bench_.OpenOf(2), IsEmpty());
}

TEST_F(LooksTest, TheTwoMinutesAreNotThoseOfTheWallClock) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  StayDown(absl::Minutes(30));
  bench_.clock().SetNow(bench_.clock().Now() + absl::Hours(1));
  bench_.Advance(limits::kMismatchesRest - kMoment);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.Advance(absl::Minutes(2));
  EXPECT_EQ(bench_.CountOpen(), 1u);
}

TEST_F(LooksTest, WhatIsOpenAndWhatIsWaitedForSurvivesARestart) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9 + 48))});
  bench_.AdvanceTo(At(6, 20));
  StayDown(absl::Minutes(1));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  bench_.AdvanceTo(At(9 + 24) - kMoment);
  EXPECT_FALSE(bench_.OpenOf(1).contains(2));
  bench_.Advance(kMoment);
  EXPECT_TRUE(bench_.OpenOf(1).contains(2));
}

// ---- Steps and sleep

TEST_F(LooksTest, GoesThroughManyInSteps) {
  const int many = 2 * static_cast<int>(limits::kMismatchesLookedAt) + 50;
  bench_.PutMany(many, At(9));
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.CountOpen(), static_cast<size_t>(many));
  EXPECT_LE(bench_.most_in_a_look(), limits::kMismatchesLookedAt);
  EXPECT_EQ(bench_.CountLooks(), static_cast<size_t>(many));
}

TEST_F(LooksTest, SleepsAnHourAtMostSoThatAClockThatIsSetForwardIsNoticed) {
  bench_.Put({VisitAt(1, At(9 + 120))});
  EXPECT_LE(bench_.Looks().next_due_us(), Us(At(6) + limits::kMismatchSleep));
  EXPECT_GT(bench_.Looks().next_due_us(), Us(At(6)));
  bench_.clock().SetNow(At(9 + 97));
  bench_.Advance(limits::kMismatchSleep);
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

TEST_F(LooksTest, WithNothingToLookAtItDoesNotRun) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(12));
  EXPECT_EQ(bench_.CountLooks(), 0u);
  const base::Revision head = bench_.Head();
  bench_.Advance(absl::Hours(24));
  EXPECT_EQ(bench_.Head(), head);
  EXPECT_THAT(fakes::RowsOf(*bench_.Snapshot(), Space::kRecords, base::keys::AllTasks(bench_.tenant())), IsEmpty());
}

TEST_F(LooksTest, AClockSetBackOpensNothingTwice) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  bench_.Sync(1, 1);
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  bench_.clock().SetNow(At(5));
  bench_.Advance(absl::Hours(3));
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).opened_us(), Us(At(6, 20)));
  EXPECT_EQ(bench_.StateOf(2, 1), store::Mismatch::OPEN);
  EXPECT_EQ(bench_.Get(2, 1).opened_us(), Us(At(6, 20)));
  EXPECT_EQ(bench_.CountListed(false), 1u);
  EXPECT_EQ(bench_.CountListed(true), 1u);
}

TEST_F(LooksTest, OneThatAClockAheadPutOffIsOpenedInTimeOnceItIsSetBack) {
  bench_.clock().SetNow(At(6 + 72));
  bench_.Put({VisitAt(2, At(9 + 96))});
  bench_.clock().SetNow(At(6));
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 21));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

// A task that another one took the place of may still be run: what it was due for is looked at by the other.
TEST_F(LooksTest, ASupersededTaskDoesNothing) {
  bench_.Put({VisitAt(1, At(9))});
  const int64_t due = bench_.Looks().next_due_us();
  bench_.clock().Advance(absl::Minutes(20));
  const devices::SyncsUnderWay syncs{.opening = bench_.timeline()};
  const commit::TaskStep step = LookStep(bench_.clock(), bench_.opened(), syncs);
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
  const auto writes = [&](const std::string& payload) {
    commit::Transaction transaction(*snapshot, bench_.tenant(), bench_.Head() + 1, bench_.clock().Now());
    EXPECT_TRUE(step(transaction, payload).ok());
    return transaction.wrote();
  };
  EXPECT_FALSE(writes(std::to_string(due - 1)));
  EXPECT_FALSE(writes(std::to_string(due + 1)));
  EXPECT_TRUE(writes(std::to_string(due)));
}

TEST_F(LooksTest, OneThatIsFurtherAheadThanAnyIsPutIsReplacedAtStart) {
  bench_.Put({VisitAt(1, At(9))});
  store::MismatchLooks looks = bench_.Looks();
  looks.set_next_due_us(Us(At(6 + 72)));
  bench_.Write({storage::Space::kRecords, base::keys::MismatchLooks(bench_.tenant()), looks.SerializeAsString()});
  StayDown(absl::Minutes(1));
  bench_.SweepAtStart();
  EXPECT_LE(bench_.Looks().next_due_us(), Us(bench_.clock().Now() + limits::kMismatchSleep));
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

// ---- The end of a visit

TEST_F(LooksTest, RowsGoAtTheVisitsEnd) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(10) - kMoment);
  EXPECT_TRUE(bench_.Find(1, 1).has_value());
  bench_.AdvanceTo(At(10, 1));
  EXPECT_FALSE(bench_.Find(1, 1).has_value());
  EXPECT_EQ(bench_.CountLooks(), 0u);
}

TEST_F(LooksTest, OnesThatWereOpenGoThirtyDaysLater) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(10) + limits::kMismatchKept - kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  EXPECT_EQ(bench_.StateOf(2, 1), store::Mismatch::OPEN);
  bench_.Advance(absl::Minutes(1));
  EXPECT_FALSE(bench_.Find(1, 1).has_value());
  EXPECT_FALSE(bench_.Find(2, 1).has_value());
  EXPECT_EQ(bench_.CountLooks(), 0u);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(false), 0u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
}

TEST_F(LooksTest, AnOpenOneIsPutBehindTheOthersAtItsVisitsEndAndNobodyIsToldAnew) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const base::Revision told = bench_.Get(1, 1).told_revision();
  bench_.AdvanceTo(At(10) - kMoment);
  EXPECT_FALSE(bench_.Get(1, 1).over());
  bench_.Advance(kMoment);
  EXPECT_TRUE(bench_.Get(1, 1).over());
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
  EXPECT_EQ(bench_.Get(1, 1).told_revision(), told);
  EXPECT_EQ(bench_.Get(1, 1).look_us(), Us(At(10) + limits::kMismatchKept));
  EXPECT_EQ(bench_.CountListed(false), 1u);
  EXPECT_EQ(bench_.CountLooks(), 1u);
  bench_.Put({VisitAt(1, At(15))});
  EXPECT_FALSE(bench_.Get(1, 1).over());
  bench_.AdvanceTo(At(16));
  EXPECT_TRUE(bench_.Get(1, 1).over());
}

TEST_F(LooksTest, AVisitThatIsMovedToALaterDayKeepsItsRowUntilThen) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7));
  bench_.Put({VisitAt(1, At(9 + 24))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(10 + 24) - kMoment);
  EXPECT_TRUE(bench_.Find(1, 1).has_value());
  bench_.AdvanceTo(At(10 + 24, 1));
  EXPECT_FALSE(bench_.Find(1, 1).has_value());
}

// ---- Trouble

TEST_F(LooksTest, ARowThatCannotBeReadHoldsNoOtherUp) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.Write({Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)), "\xFF\xFF"});
  bench_.AdvanceTo(At(6, 21));
  EXPECT_TRUE(bench_.OpenOf(1).contains(2));
}

TEST_F(LooksTest, AVisitThatCannotBeReadHoldsNoOtherUp) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Write({Space::kRecords, base::keys::Record(bench_.tenant(), MismatchBench::Visit(1)), "\xFF\xFF"});
  bench_.Put({VisitAt(3, At(9))});
  bench_.AdvanceTo(At(6, 21));
  EXPECT_TRUE(bench_.OpenOf(1).contains(3));
  EXPECT_FALSE(bench_.OpenOf(1).contains(2));
}

TEST_F(LooksTest, AStoreThatIsFullPutsItOffUntilThereIsRoom) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 19));
  bench_.store().SetFull(true);
  bench_.Advance(absl::Minutes(5));
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.store().SetFull(false);
  bench_.Advance(absl::Minutes(10));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

}  // namespace
}  // namespace caresync::mismatch

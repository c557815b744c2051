// Open mismatches that a device has put right.
#include "server/mismatch/resolving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/fakes/counting_reader.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using storage::Space;
using testing::IsEmpty;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

// ---- One row

TEST(ResolveTest, AnOpenOneIsResolvedAndNothingIsWaitedFor) {
  store::Mismatch row;
  row.set_state(store::Mismatch::OPEN);
  row.set_opened_us(Us(At(6, 20)));
  row.set_due_us(Us(At(7)));
  Resolve(At(6, 30), row);
  EXPECT_EQ(row.state(), store::Mismatch::RESOLVED);
  EXPECT_EQ(row.ended_us(), Us(At(6, 30)));
  EXPECT_EQ(row.opened_us(), Us(At(6, 20)));
  EXPECT_EQ(row.due_us(), 0);
}

TEST(ResolveTest, OneThatIsNotOpenStaysAsItIsAndNothingIsWaitedFor) {
  store::Mismatch pending;
  pending.set_due_us(Us(At(7)));
  Resolve(At(6, 30), pending);
  EXPECT_EQ(pending.state(), store::Mismatch::PENDING);
  EXPECT_EQ(pending.ended_us(), 0);
  EXPECT_EQ(pending.due_us(), 0);
  store::Mismatch resolved;
  resolved.set_state(store::Mismatch::RESOLVED);
  resolved.set_ended_us(Us(At(6, 25)));
  resolved.set_due_us(Us(At(7)));
  Resolve(At(6, 30), resolved);
  EXPECT_EQ(resolved.state(), store::Mismatch::RESOLVED);
  EXPECT_EQ(resolved.ended_us(), Us(At(6, 25)));
  EXPECT_EQ(resolved.due_us(), 0);
}

class ResolvingTest : public testing::Test {
 protected:
  void SetUp() override { bench_.SignAllIn(); }
  // As many visits of carer 1 that it has not acknowledged, the first of them visit 1, all open.
  void OpenMany(int count) {
    bench_.PutMany(count, At(9));
    bench_.AdvanceTo(At(6, 20));
    ASSERT_EQ(bench_.CountOpen(), static_cast<size_t>(count));
  }
  // Visits 1 and 2 of carers 1 and 2, all four open.
  void OpenFour() {
    bench_.Put({VisitAt(1, At(9), {1, 2}), VisitAt(2, At(11), {1, 2})});
    bench_.AdvanceTo(At(6, 20));
    ASSERT_EQ(bench_.CountOpen(), 4u);
  }
  bool IsSettledRow(int carer, int visit) const {
    const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
    Delivery delivery(*snapshot, bench_.tenant());
    const auto settled = delivery.IsSettled(MismatchBench::Of(carer, visit));
    EXPECT_TRUE(settled.ok()) << settled.status();
    return settled.ok() && *settled;
  }

  MismatchBench bench_;
};

TEST_F(ResolvingTest, ARowIsSettledAsTheVisitAndItsFeedAreNow) {
  bench_.Put({VisitAt(1, At(9))});
  EXPECT_FALSE(IsSettledRow(1, 1));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettledRow(1, 1));
  bench_.Put({VisitAt(1, At(9), {2})});
  EXPECT_FALSE(IsSettledRow(1, 1));
  EXPECT_FALSE(IsSettledRow(2, 1));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettledRow(1, 1));
  EXPECT_FALSE(IsSettledRow(2, 1));
}

// ---- After an ack

TEST_F(ResolvingTest, ASyncResolvesOpenOnesOfItsCarer) {
  OpenFour();
  bench_.Advance(absl::Minutes(3));
  bench_.Sync(1, 1);
  for (const int visit : {1, 2}) {
    EXPECT_EQ(bench_.StateOf(1, visit), store::Mismatch::RESOLVED);
    EXPECT_EQ(bench_.Get(1, visit).ended_us(), Us(At(6, 23)));
    EXPECT_EQ(bench_.Get(1, visit).due_us(), 0);
    EXPECT_EQ(bench_.StateOf(2, visit), store::Mismatch::OPEN);
  }
  EXPECT_THAT(bench_.OpenOf(1), IsEmpty());
  EXPECT_EQ(bench_.OpenOf(2), (std::set<int>{1, 2}));
  EXPECT_EQ(bench_.CountListed(true), 2u);
  EXPECT_EQ(bench_.CountListed(false), 2u);
}

TEST_F(ResolvingTest, AnAckResolvesWhatItCoversThoughTheSyncThenFails) {
  OpenFour();
  bench_.Acknowledge(1, 1, bench_.EntryOf(1, 1).position);
  bench_.TellOfAck(1);
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{2});
}

TEST_F(ResolvingTest, AFailedSyncThatAcknowledgedNothingResolvesNone) {
  OpenFour();
  bench_.TellOfAck(1);
  EXPECT_EQ(bench_.OpenOf(1), (std::set<int>{1, 2}));
}

TEST_F(ResolvingTest, ASyncOfAnotherDeviceThanTheOneInUseResolvesNone) {
  OpenFour();
  bench_.Sync(1, 3);
  EXPECT_EQ(bench_.OpenOf(1), (std::set<int>{1, 2}));
}

TEST_F(ResolvingTest, OneOfAVisitThatIsGoneResolvesWhenTheDeviceHasTheRemoval) {
  OpenFour();
  bench_.Put({Cancelled(VisitAt(1, At(9), {1, 2}))});
  bench_.TellOfAck(1);
  EXPECT_EQ(bench_.OpenOf(1), (std::set<int>{1, 2}));
  bench_.Sync(1, 1);
  EXPECT_THAT(bench_.OpenOf(1), IsEmpty());
}

TEST_F(ResolvingTest, WhereNoneIsOpenItReadsOneRowAndCommitsNothing) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  const base::Revision head = bench_.Head();
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
  const fakes::CountingReader reader(*snapshot);
  const absl::Status resolved = ResolveAfterAck(reader, bench_.sequencer(), bench_.tenant(), MismatchBench::Carer(1));
  ASSERT_TRUE(resolved.ok()) << resolved;
  bench_.RunAll();
  EXPECT_EQ(reader.calls(), 1u);
  EXPECT_LE(reader.rows(), 1u);
  EXPECT_EQ(bench_.Head(), head);
}

TEST_F(ResolvingTest, AStoreThatCannotBeReadIsAnError) {
  OpenFour();
  bench_.AcknowledgeAll(1, 1);
  const auto snapshot = bench_.store().NewSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  bench_.store().FailReads(true);
  const absl::Status failed = ResolveAfterAck(**snapshot, bench_.sequencer(), bench_.tenant(), MismatchBench::Carer(1));
  bench_.store().FailReads(false);
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  bench_.TellOfAck(1);
  EXPECT_THAT(bench_.OpenOf(1), IsEmpty());
}

TEST_F(ResolvingTest, WhereNoneIsSettledItCommitsNothing) {
  OpenFour();
  const base::Revision head = bench_.Head();
  bench_.TellOfAck(1);
  EXPECT_EQ(bench_.Head(), head);
}

TEST_F(ResolvingTest, WhatCannotBeCommittedNowIsFoundByTheNextCall) {
  OpenFour();
  bench_.store().SetFull(true);
  bench_.Sync(1, 1);
  bench_.store().SetFull(false);
  EXPECT_EQ(bench_.OpenOf(1), (std::set<int>{1, 2}));
  bench_.TellOfAck(1);
  EXPECT_THAT(bench_.OpenOf(1), IsEmpty());
}

TEST_F(ResolvingTest, OneThatCannotBeReadHoldsNoOtherUp) {
  OpenFour();
  bench_.Write({Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)), "\xFF\xFF"});
  bench_.Sync(1, 1);
  EXPECT_FALSE(bench_.OpenOf(1).contains(2));
}

// ---- Many

TEST_F(ResolvingTest, MoreThanTheBoundBeginsASweepThatResolvesAllInSteps) {
  const int many = static_cast<int>(limits::kMismatchesOfSync) + 1;
  OpenMany(many);
  bench_.AcknowledgeAll(1, 1);
  bench_.RunAlone(
      [](commit::Transaction& transaction) { return ResolveSettled(transaction, MismatchBench::Carer(1)); });
  EXPECT_TRUE(bench_.Looks().sweeping());
  EXPECT_GE(bench_.CountOpen(), 1u) << "not all in the one commit";
  bench_.RunAll();
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(true), static_cast<size_t>(many));
  EXPECT_LE(bench_.most_in_a_look(), limits::kMismatchesLookedAt);
  EXPECT_FALSE(bench_.Looks().sweeping());
}

TEST_F(ResolvingTest, AsManyAsTheBoundAreResolvedByTheSync) {
  OpenMany(static_cast<int>(limits::kMismatchesOfSync));
  bench_.AcknowledgeAll(1, 1);
  bench_.RunAlone(
      [](commit::Transaction& transaction) { return ResolveSettled(transaction, MismatchBench::Carer(1)); });
  EXPECT_FALSE(bench_.Looks().sweeping());
  EXPECT_EQ(bench_.CountOpen(), 0u);
}

// ---- Sweeps

TEST_F(ResolvingTest, WhatWasAcknowledgedBeforeTheServerEndedIsSweptAtStart) {
  OpenFour();
  bench_.AcknowledgeAll(1, 1);
  bench_.Start();
  EXPECT_EQ(bench_.CountOpen(), 4u);
  bench_.SweepAtStart();
  EXPECT_THAT(bench_.OpenOf(1), IsEmpty());
  EXPECT_EQ(bench_.OpenOf(2), (std::set<int>{1, 2}));
  EXPECT_FALSE(bench_.Looks().sweeping());
}

TEST_F(ResolvingTest, WhatAServerPutElsewhereThatKnewOfNoVisitsEndGetsItsPlaceAtStart) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(20))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Stop();
  for (const int visit : {1, 2}) {
    store::Mismatch row = bench_.Get(1, visit);
    const auto look_of = [&](const std::optional<std::string>& value) {
      bench_.Write({Space::kRecords,
                    base::keys::MismatchLook(bench_.tenant(), row.look_us(), MismatchBench::Carer(1),
                                             MismatchBench::Visit(visit)),
                    value});
    };
    look_of(std::nullopt);
    row.set_look_us(absl::ToUnixMicros(EndOf(row)));
    look_of("");
    bench_.Write({Space::kRecords,
                  base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(visit)),
                  row.SerializeAsString()});
  }
  const base::Revision told = bench_.Get(1, 1).told_revision();
  bench_.clock().Advance(absl::Hours(6));
  bench_.Start();
  bench_.SweepAtStart();
  EXPECT_TRUE(bench_.Get(1, 1).over());
  EXPECT_EQ(bench_.Get(1, 1).told_revision(), told);
  EXPECT_FALSE(bench_.Get(1, 2).over());
  EXPECT_EQ(bench_.CountLooks(), 2u);
  EXPECT_EQ(bench_.CountListed(false), 2u);
  bench_.AdvanceTo(At(21));
  EXPECT_TRUE(bench_.Get(1, 2).over()) << "it is looked at then";
}

TEST_F(ResolvingTest, ASweepGoesInSteps) {
  const int many = 2 * static_cast<int>(limits::kMismatchesLookedAt) + 50;
  OpenMany(many);
  bench_.AcknowledgeAll(1, 1);
  bench_.Start();
  bench_.SweepAtStart();
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(true), static_cast<size_t>(many));
  EXPECT_LE(bench_.most_in_a_look(), limits::kMismatchesLookedAt);
}

TEST_F(ResolvingTest, ASweepThatFindsNothingEnds) {
  OpenMany(2 * static_cast<int>(limits::kMismatchesLookedAt) + 50);
  bench_.Start();
  const size_t before = bench_.looks();
  bench_.SweepAtStart();
  EXPECT_GE(bench_.looks(), before + 3);
  EXPECT_LE(bench_.looks(), before + 5);
  EXPECT_FALSE(bench_.Looks().sweeping());
  const base::Revision head = bench_.Head();
  bench_.RunAll();
  EXPECT_EQ(bench_.Head(), head);
}

TEST_F(ResolvingTest, ASweepThatACrashCutsShortGoesOn) {
  const int many = 2 * static_cast<int>(limits::kMismatchesLookedAt) + 50;
  OpenMany(many);
  bench_.AcknowledgeAll(1, 1);
  bench_.RunAlone([](commit::Transaction& transaction) { return BeginSweep(transaction); });
  bench_.Start();
  EXPECT_EQ(bench_.CountOpen(), 0u);
}

TEST_F(ResolvingTest, ATenantWithoutOpenOnesIsNotSwept) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.Start();
  const base::Revision head = bench_.Head();
  bench_.SweepAtStart();
  EXPECT_EQ(bench_.Head(), head);
}

// As one that a server put off for a year that did not know its kind.
TEST_F(ResolvingTest, ATaskThatIsLateRunsAtAStartWhateverBecameOfIt) {
  bench_.Put({VisitAt(1, At(9))});
  const int64_t due = bench_.Looks().next_due_us();
  bench_.Stop();
  bench_.Write({Space::kRecords, base::keys::Task(bench_.tenant(), due, kLookTask), std::nullopt});
  bench_.clock().Advance(absl::Minutes(30));
  bench_.Start();
  bench_.Advance(absl::Minutes(5));
  EXPECT_EQ(bench_.CountOpen(), 0u) << "there is no task";
  bench_.SweepAtStart();
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

TEST_F(ResolvingTest, ASweepLeavesTheNextDueOnesInTheirTime) {
  OpenFour();
  bench_.Put({VisitAt(3, At(9))});
  bench_.Start();
  bench_.SweepAtStart();
  bench_.AdvanceTo(At(6, 40) - absl::Microseconds(1));
  EXPECT_EQ(bench_.StateOf(1, 3), store::Mismatch::PENDING);
  bench_.Advance(absl::Microseconds(1));
  EXPECT_EQ(bench_.StateOf(1, 3), store::Mismatch::OPEN);
}

}  // namespace
}  // namespace caresync::mismatch

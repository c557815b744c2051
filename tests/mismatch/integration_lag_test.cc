#include "server/mismatch/integration_lag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/util/time_util.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/manual_clock.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::IsEmpty;

// The buckets that hold something: "3 x 1200s" are three of up to twenty minutes.
std::vector<std::string> FilledOf(const v1::LagHistogram& histogram) {
  std::vector<std::string> filled;
  for (const v1::LagBucket& bucket : histogram.buckets()) {
    if (bucket.count() == 0) continue;
    filled.push_back(std::to_string(bucket.count()) + " x " + std::to_string(bucket.at_most().seconds()) + "s");
  }
  return filled;
}

// ---- What is counted as what

class IntegrationLagTest : public testing::Test {
 protected:
  // A change of so long ago, of a visit that starts so long after it.
  void Commit(absl::Duration lag, absl::Duration ahead) {
    const absl::Time made = clock_.Now() - lag;
    lag_.NoteCommitted(tenant_, {RotaChange{made, made + ahead}});
  }
  v1::LagToOneEnd Committed() const { return lag_.Of(tenant_).committed(); }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::ManualClock clock_;
  IntegrationLag lag_{clock_};
};

TEST_F(IntegrationLagTest, NothingIsCountedAtFirst) {
  const v1::IntegrationLag lag = lag_.Of(tenant_);
  EXPECT_EQ(base::FromTimestamp(lag.since_time()), clock_.Now());
  EXPECT_EQ(lag.committed().near().count(), 0u);
  EXPECT_EQ(lag.applied().ahead().count(), 0u);
  EXPECT_EQ(lag.committed().near().promise(), TimeUtil::MinutesToDuration(20));
  EXPECT_EQ(lag.committed().ahead().promise(), TimeUtil::HoursToDuration(24));
}

// Requirement: I4
TEST_F(IntegrationLagTest, AVisitWithin72HoursIsNearAndAnotherIsAhead) {
  Commit(absl::Minutes(1), absl::Hours(72));
  Commit(absl::Minutes(1), absl::Hours(72) + absl::Microseconds(1));
  Commit(absl::Minutes(1), absl::ZeroDuration());
  EXPECT_EQ(Committed().near().count(), 2u);
  EXPECT_EQ(Committed().ahead().count(), 1u);
}

TEST_F(IntegrationLagTest, WhatTookLongerThanItsPromiseIsLate) {
  Commit(absl::Minutes(20), absl::Hours(30));
  EXPECT_EQ(Committed().near().late(), 0u);
  Commit(absl::Minutes(20) + absl::Microseconds(1), absl::Hours(30));
  Commit(absl::Hours(25), absl::Hours(30));
  EXPECT_EQ(Committed().near().late(), 2u);
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 1200s", "1 x 3600s", "1 x 259200s"));

  Commit(absl::Hours(24), absl::Hours(100));
  EXPECT_EQ(Committed().ahead().late(), 0u);
  Commit(absl::Hours(24) + absl::Microseconds(1), absl::Hours(100));
  EXPECT_EQ(Committed().ahead().late(), 1u);
  EXPECT_EQ(Committed().ahead().count(), 2u);
}

TEST_F(IntegrationLagTest, ATimeThatLiesAheadIsCountedApart) {
  Commit(-limits::kLagClockAhead, absl::Hours(30));
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 10s")) << "clocks differ by as much";
  Commit(-limits::kLagClockAhead - absl::Microseconds(1), absl::Hours(30));
  // As a source that fills the field in with the last instant that there is.
  lag_.NoteCommitted(tenant_, {RotaChange{absl::FromUnixMicros(base::kLastInstantUs), clock_.Now()}});
  EXPECT_EQ(Committed().clock_ahead(), 2u);
  EXPECT_EQ(Committed().near().count(), 1u);
}

TEST_F(IntegrationLagTest, ATimeOfLongAgoIsCountedApart) {
  Commit(limits::kLagMost, limits::kLagMost + absl::Hours(1));
  EXPECT_THAT(FilledOf(Committed().ahead()), ElementsAre("1 x 604800s"));
  Commit(limits::kLagMost + absl::Microseconds(1), limits::kLagMost + absl::Hours(1));
  lag_.NoteCommitted(tenant_, {RotaChange{absl::FromUnixMicros(base::kFirstInstantUs), clock_.Now()}});
  EXPECT_EQ(Committed().too_long_ago(), 2u);
  EXPECT_EQ(Committed().ahead().count(), 1u);
}

TEST_F(IntegrationLagTest, OfAVisitThatHadBegunNothingIsPromised) {
  Commit(absl::Minutes(1), -absl::Microseconds(1));
  EXPECT_EQ(Committed().near().count() + Committed().ahead().count(), 0u);
  EXPECT_EQ(Committed().clock_ahead() + Committed().too_long_ago() + Committed().untimed(), 0u);
}

TEST_F(IntegrationLagTest, EachTenantAndEachEndIsCountedByItself) {
  const base::TenantId other = fakes::Tenant("other");
  lag_.NoteApplied(tenant_, {RotaChange{clock_.Now(), clock_.Now()}});
  lag_.NoteCommitted(other, {RotaChange{std::nullopt, clock_.Now()}});
  EXPECT_EQ(lag_.Of(tenant_).applied().near().count(), 1u);
  EXPECT_EQ(lag_.Of(tenant_).committed().near().count(), 0u);
  EXPECT_EQ(lag_.Of(tenant_).committed().untimed(), 0u);
  EXPECT_EQ(lag_.Of(other).committed().untimed(), 1u);
  EXPECT_EQ(lag_.Of(other).applied().near().count(), 0u);
}

// ---- What counts as committed

class CommittedLagTest : public testing::Test {
 protected:
  // A visit at nine of the day that changed so many minutes before the clock's time.
  store::Record ChangedBefore(int minutes, const std::string& notes = "notes") {
    store::Record visit = VisitAt(1, At(9), {1, 2}, notes);
    visit.mutable_origin()->set_changed_time_us(base::ToStoredTime(bench_.clock().Now() - absl::Minutes(minutes)));
    return visit;
  }
  v1::LagToOneEnd Committed() const { return bench_.lag().Of(bench_.tenant()).committed(); }

  MismatchBench bench_;
};

TEST_F(CommittedLagTest, AChangeOfAVisitIsCountedOnceWhoeverItIsFor) {
  bench_.Put({ChangedBefore(3)});
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 300s"));
  bench_.Put({ChangedBefore(30, "other notes")});
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 300s", "1 x 3600s"));
  EXPECT_EQ(Committed().near().late(), 1u);
}

TEST_F(CommittedLagTest, WhatIsSentAgainAsItWasIsNoChange) {
  bench_.Put({ChangedBefore(3)});
  bench_.AdvanceTo(At(8));
  bench_.Put({ChangedBefore(3)});
  EXPECT_EQ(Committed().near().count(), 1u);
}

TEST_F(CommittedLagTest, ACancelledVisitIsAChange) {
  bench_.Put({ChangedBefore(3)});
  bench_.Put({Cancelled(ChangedBefore(0))});
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 10s", "1 x 300s"));
}

TEST_F(CommittedLagTest, APublishedVisitIsAChange) {
  bench_.Put({Unpublished(ChangedBefore(3))});
  bench_.Put({ChangedBefore(30)});
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 300s", "1 x 3600s"));
}

TEST_F(CommittedLagTest, AVisitThatEntersOrLeavesTheWindowIsNoChange) {
  bench_.SetWindow(absl::Hours(1), absl::Hours(24));
  bench_.Put({ChangedBefore(3)});
  ASSERT_TRUE(bench_.Stored(1).outside_window());
  bench_.AdvanceTo(At(8, 30));
  ASSERT_FALSE(bench_.Stored(1).outside_window());
  bench_.AdvanceTo(At(9) + absl::Hours(30));
  ASSERT_TRUE(bench_.Stored(1).outside_window());
  EXPECT_THAT(FilledOf(Committed().near()), ElementsAre("1 x 300s"));
}

TEST_F(CommittedLagTest, AChangeWithoutATimeAndOneThatNoRotaMadeAreNotInTheHistogram) {
  bench_.Put({VisitAt(1, At(9))});
  EXPECT_EQ(Committed().untimed(), 1u);
  store::Record by_hand = VisitAt(2, At(9));
  by_hand.clear_origin();
  bench_.Put({by_hand});
  EXPECT_EQ(Committed().untimed(), 1u);
  EXPECT_THAT(FilledOf(Committed().near()), IsEmpty());
}

TEST_F(CommittedLagTest, WhatCouldNotBeCommittedIsNotCounted) {
  bench_.store().FailNext(fakes::Fault::kFull);
  const store::Record visit = ChangedBefore(3);
  const auto refused = bench_.Run(
      [&visit](commit::Transaction& transaction) { return records::RecordStore(transaction).Put(visit).status(); });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(Committed().near().count(), 0u);
}

TEST(LastRotaChangeTest, TellsWhenItWasMadeAndWhenTheVisitStarts) {
  store::Record visit = VisitAt(1, At(9), {1, 2});
  visit = Edited(visit, [](v1::Visit& payload) {
    *payload.mutable_assignments(1)->mutable_start_time() = base::ToTimestamp(At(8));
  });
  visit.mutable_origin()->set_changed_time_us(base::ToStoredTime(At(5)));
  const std::optional<RotaChange> change = LastRotaChange(visit);
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->made, At(5));
  EXPECT_EQ(change->start, At(8));
}

TEST(LastRotaChangeTest, OfWhatCannotBeReadThereIsNone) {
  store::Record damaged = VisitAt(1, At(9));
  damaged.set_payload("\xff\xff");
  EXPECT_FALSE(LastRotaChange(damaged).has_value());
  store::Record nobodys = Edited(VisitAt(1, At(9)), [](v1::Visit& payload) { payload.clear_assignments(); });
  EXPECT_FALSE(LastRotaChange(nobodys).has_value());
}

}  // namespace
}  // namespace caresync::mismatch

#include "server/mismatch/due.h"

#include <gtest/gtest.h>

#include "server/base/limits.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

const absl::Time kChange = At(6);

// How long after the change it is due, of a visit that starts so long after it.
absl::Duration DueAfter(absl::Duration start, const Timing& timing = {}) {
  return Due(kChange, kChange + start, timing) - kChange;
}

TEST(DueTest, IsTheGraceInsideTheLead) {
  EXPECT_EQ(DueAfter(absl::Hours(3)), limits::kMismatchGrace);
  EXPECT_EQ(DueAfter(absl::Hours(24)), limits::kMismatchGrace);
  EXPECT_EQ(DueAfter(limits::kMismatchLead + limits::kMismatchGrace), limits::kMismatchGrace);
}

TEST(DueTest, IsTheLeadBeforeAVisitFarAhead) {
  EXPECT_EQ(DueAfter(limits::kMismatchLead + limits::kMismatchGrace + absl::Microseconds(1)),
            limits::kMismatchGrace + absl::Microseconds(1));
  EXPECT_EQ(DueAfter(absl::Hours(72)), absl::Hours(72) - limits::kMismatchLead);
}

TEST(DueTest, IsHalfAnHourBeforeAVisitThatLeavesNoTimeForTheGrace) {
  EXPECT_EQ(DueAfter(absl::Minutes(50)), limits::kMismatchGrace);
  EXPECT_EQ(DueAfter(absl::Minutes(49)), absl::Minutes(19));
  EXPECT_EQ(DueAfter(absl::Minutes(33)), absl::Minutes(3));
}

TEST(DueTest, IsTwoMinutesAfterTheChangeWhereTheVisitIsNearer) {
  EXPECT_EQ(DueAfter(absl::Minutes(32)), limits::kMismatchSoonest);
  EXPECT_EQ(DueAfter(absl::Minutes(10)), limits::kMismatchSoonest);
  EXPECT_EQ(DueAfter(absl::Minutes(1)), limits::kMismatchSoonest);
  EXPECT_EQ(DueAfter(-absl::Hours(5)), limits::kMismatchSoonest);
}

TEST(DueTest, GoesByTheTenantsGraceAndLead) {
  const Timing timing = {.grace = absl::Minutes(45), .lead = absl::Hours(2)};
  EXPECT_EQ(DueAfter(absl::Minutes(90), timing), absl::Minutes(45));
  EXPECT_EQ(DueAfter(absl::Hours(3), timing), absl::Hours(1));
  EXPECT_EQ(DueAfter(absl::Hours(72), timing), absl::Hours(70));
  EXPECT_EQ(DueAfter(absl::Minutes(60), timing), absl::Minutes(30)) << "a visit that is near leaves less";
}

TEST(DueTest, IsNeverAfterTheStartWhereTheChangeCameTwoMinutesBeforeItNorSoonerThanThat) {
  for (const Timing& timing :
       {Timing(), Timing{.grace = limits::kMismatchGraceLeast, .lead = limits::kMismatchLeadLeast},
        Timing{.grace = limits::kMismatchGraceMost, .lead = limits::kMismatchLeadMost}}) {
    for (absl::Duration start = limits::kMismatchSoonest; start < absl::Hours(200); start += absl::Seconds(61)) {
      EXPECT_LE(DueAfter(start, timing), start) << start;
      EXPECT_GE(DueAfter(start, timing), limits::kMismatchSoonest) << start;
    }
  }
}

// ---- The start that counts

void SetStart(absl::Time start, store::VisitPart& part) {
  part.set_start_us(absl::ToUnixMicros(start));
  part.set_end_us(absl::ToUnixMicros(start + absl::Hours(1)));
}

// Of a row that last changed at 06:00.
store::Mismatch ChangedAtSix() {
  store::Mismatch row;
  row.set_first_change_us(absl::ToUnixMicros(At(5)));
  row.set_last_change_us(absl::ToUnixMicros(At(6)));
  return row;
}

TEST(StartThatCountsTest, IsTheEarlierOneOfWhatIsAcknowledgedAndPlanned) {
  store::Mismatch row = ChangedAtSix();
  SetStart(At(9), *row.mutable_acknowledged());
  SetStart(At(11), *row.mutable_now());
  EXPECT_EQ(StartThatCounts(row), At(9));
  SetStart(At(8), *row.mutable_now());
  EXPECT_EQ(StartThatCounts(row), At(8));
}

TEST(StartThatCountsTest, IsThatOfTheOnlyPartThereIs) {
  store::Mismatch planned = ChangedAtSix();
  SetStart(At(11), *planned.mutable_now());
  EXPECT_EQ(StartThatCounts(planned), At(11));
  store::Mismatch taken_away = ChangedAtSix();
  SetStart(At(9), *taken_away.mutable_acknowledged());
  EXPECT_EQ(StartThatCounts(taken_away), At(9));
  store::Mismatch never_had = ChangedAtSix();
  SetStart(At(10), *never_had.mutable_withdrawn());
  EXPECT_EQ(StartThatCounts(never_had), At(10));
}

TEST(StartThatCountsTest, OfAVisitThatIsGoneIsTheEarlierOneOfWhatIsAcknowledgedAndWasPlannedLast) {
  store::Mismatch row = ChangedAtSix();
  SetStart(At(9), *row.mutable_acknowledged());
  SetStart(At(8), *row.mutable_withdrawn());
  EXPECT_EQ(StartThatCounts(row), At(8));
  SetStart(At(12), *row.mutable_withdrawn());
  EXPECT_EQ(StartThatCounts(row), At(9));
}

TEST(StartThatCountsTest, IsNotOneThatHadPassedWhenTheLastChangeCame) {
  store::Mismatch row = ChangedAtSix();
  SetStart(At(5), *row.mutable_acknowledged());
  SetStart(At(33), *row.mutable_now());
  EXPECT_EQ(StartThatCounts(row), At(33));
}

TEST(StartThatCountsTest, IsOneThatHadPassedWhereThereIsNoOther) {
  store::Mismatch row = ChangedAtSix();
  SetStart(At(5), *row.mutable_acknowledged());
  EXPECT_EQ(StartThatCounts(row), At(5));
  SetStart(At(4), *row.mutable_now());
  EXPECT_EQ(StartThatCounts(row), At(4));
}

TEST(StartThatCountsTest, ARowWithoutAnyPartIsAboutNothing) {
  EXPECT_TRUE(PartsIn(ChangedAtSix()).empty());
  store::Mismatch acknowledged, now, withdrawn;
  SetStart(At(9), *acknowledged.mutable_acknowledged());
  SetStart(At(9), *now.mutable_now());
  SetStart(At(9), *withdrawn.mutable_withdrawn());
  EXPECT_EQ(PartsIn(acknowledged).size(), 1u);
  EXPECT_EQ(PartsIn(now).size(), 1u);
  EXPECT_EQ(PartsIn(withdrawn).size(), 1u);
}

}  // namespace
}  // namespace caresync::mismatch

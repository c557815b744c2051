#include "server/mismatch/stage.h"

#include <gtest/gtest.h>

#include "server/base/limits.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

// A visit that starts at 09:00 of the day after, changed at 06:00 today.
const absl::Time kStart = At(24 + 9);

void SetStart(absl::Time start, store::VisitPart& part) {
  part.set_start_us(absl::ToUnixMicros(start));
  part.set_end_us(absl::ToUnixMicros(start + absl::Hours(1)));
}

store::Mismatch Open() {
  store::Mismatch row;
  row.set_state(store::Mismatch::OPEN);
  row.set_first_change_us(absl::ToUnixMicros(At(6)));
  row.set_last_change_us(absl::ToUnixMicros(At(6)));
  return row;
}

// The device never had it.
store::Mismatch NewVisit() {
  store::Mismatch row = Open();
  SetStart(kStart, *row.mutable_now());
  return row;
}

// The device shows it at 09:00; it is at 11:00 now.
store::Mismatch MovedVisit() {
  store::Mismatch row = Open();
  SetStart(kStart, *row.mutable_acknowledged());
  SetStart(kStart + absl::Hours(2), *row.mutable_now());
  return row;
}

constexpr absl::Duration kMoment = absl::Microseconds(1);

// In a tenant that has not set its lead.
v1::MismatchState Stage(const store::Mismatch& row, absl::Time last_call, absl::Time now) {
  return StageOf(row, last_call, limits::kMismatchLead, now);
}

TEST(StageTest, IsChangedUntilTheLeadThenAtRiskUntilTheStart) {
  for (const store::Mismatch& row : {NewVisit(), MovedVisit()}) {
    EXPECT_EQ(Stage(row, At(6), At(7)), v1::MISMATCH_STATE_CHANGED);
    EXPECT_EQ(Stage(row, At(6), kStart - limits::kMismatchLead - kMoment), v1::MISMATCH_STATE_CHANGED);
    EXPECT_EQ(Stage(row, At(6), kStart - limits::kMismatchLead), v1::MISMATCH_STATE_AT_RISK);
    EXPECT_EQ(Stage(row, At(6), kStart - kMoment), v1::MISMATCH_STATE_AT_RISK);
  }
}

TEST(StageTest, TheTenantsLeadSaysWhenItIsAtRisk) {
  const absl::Duration lead = absl::Hours(2);
  EXPECT_EQ(StageOf(NewVisit(), At(6), lead, kStart - lead - kMoment), v1::MISMATCH_STATE_CHANGED);
  EXPECT_EQ(StageOf(NewVisit(), At(6), lead, kStart - lead), v1::MISMATCH_STATE_AT_RISK);
}

TEST(StageTest, OnceTheStartHasPassedItIsLikelyMissed) {
  EXPECT_EQ(Stage(NewVisit(), kStart + absl::Minutes(5), kStart + absl::Minutes(10)),
            v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
  EXPECT_EQ(Stage(MovedVisit(), kStart + absl::Minutes(5), kStart + absl::Minutes(10)),
            v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
}

TEST(StageTest, NobodyKnowsWhereTheDeviceShowsAnEarlierVersionAndHasNotCalledSinceTheStart) {
  EXPECT_EQ(Stage(MovedVisit(), kStart - absl::Hours(1), kStart + absl::Minutes(10)),
            v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT);
  EXPECT_EQ(Stage(MovedVisit(), absl::InfinitePast(), kStart + absl::Hours(10)),
            v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT);
}

TEST(StageTest, AVisitThatTheDeviceNeverHadIsLikelyMissedHoweverSilentItIs) {
  EXPECT_EQ(Stage(NewVisit(), kStart - absl::Hours(1), kStart + absl::Minutes(10)),
            v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
  EXPECT_EQ(Stage(NewVisit(), absl::InfinitePast(), kStart + absl::Minutes(10)),
            v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
}

TEST(StageTest, AVisitThatIsGoneIsAnUnneededJourneyAndNeverAMissedVisit) {
  for (const v1::VisitGone gone : {v1::VISIT_GONE_TAKEN_AWAY, v1::VISIT_GONE_CANCELLED, v1::VISIT_GONE_OUT_OF_WINDOW}) {
    store::Mismatch row = Open();
    SetStart(kStart, *row.mutable_acknowledged());
    row.set_gone(gone);
    for (const absl::Time now : {At(7), kStart - absl::Hours(1), kStart + absl::Hours(1), kStart + absl::Hours(100)}) {
      EXPECT_EQ(Stage(row, At(6), now), v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
      EXPECT_EQ(Stage(row, now, now), v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
    }
  }
}

TEST(StageTest, SaysWhenItMovesOnWithTheTime) {
  const absl::Duration lead = absl::Hours(2);
  EXPECT_EQ(StageEnds(NewVisit(), lead, kStart - lead - kMoment), kStart - lead);
  EXPECT_EQ(StageEnds(NewVisit(), lead, kStart - lead), kStart);
  EXPECT_EQ(StageEnds(MovedVisit(), lead, kStart - kMoment), kStart);
  EXPECT_EQ(StageEnds(NewVisit(), lead, kStart), absl::InfiniteFuture());
  for (const store::Mismatch::State state :
       {store::Mismatch::RESOLVED, store::Mismatch::SNOOZED, store::Mismatch::CLOSED}) {
    store::Mismatch row = NewVisit();
    row.set_state(state);
    EXPECT_EQ(StageEnds(row, lead, kStart - kMoment), absl::InfiniteFuture());
  }
  store::Mismatch gone = MovedVisit();
  gone.clear_now();
  EXPECT_EQ(StageEnds(gone, lead, kStart - kMoment), absl::InfiniteFuture());
}

TEST(StageTest, GoesByTheStartThatCounts) {
  store::Mismatch row = Open();
  // It was this morning, and is tomorrow.
  SetStart(At(5), *row.mutable_acknowledged());
  SetStart(kStart, *row.mutable_now());
  EXPECT_EQ(Stage(row, At(6), At(7)), v1::MISMATCH_STATE_CHANGED);
  // It was tomorrow, and is in two hours.
  SetStart(kStart, *row.mutable_acknowledged());
  SetStart(At(8), *row.mutable_now());
  EXPECT_EQ(Stage(row, At(6), At(7)), v1::MISMATCH_STATE_AT_RISK);
}

}  // namespace
}  // namespace caresync::mismatch

#include "server/deliveries/device_view.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "tests/deliveries/delivery_bench.h"

namespace caresync::deliveries {
namespace {

using store::CopyMark;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Known = DeviceView::Known;

class DeviceViewTest : public testing::Test {
 protected:
  DeviceView At(absl::Time time, const std::string& carer = "c1") const {
    const auto view = ReadDeviceView(*bench_.Snapshot(), bench_.tenant(), DeliveryBench::Device(1),
                                     DeliveryBench::Carer(carer), time);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.value_or(DeviceView());
  }
  DeviceView Now() const { return At(bench_.Now()); }

  // Each visit's notes as the device showed them; "?" before them where it may have had others, "-" for none.
  static std::map<std::string, std::string> NotesOf(const DeviceView& view) {
    std::map<std::string, std::string> notes;
    for (const char* name : {"a", "b", "c"}) {
      const auto held = view.visits.find(DeliveryBench::Visit(name));
      if (held == view.visits.end()) continue;
      v1::Visit visit;
      EXPECT_TRUE(visit.ParseFromString(held->second.payload.value_or("")));
      notes[name] = (held->second.certain ? "" : "?") + (held->second.payload.has_value() ? visit.notes() : "-");
    }
    return notes;
  }
  std::map<std::string, std::string> Shown() const {
    const DeviceView view = Now();
    EXPECT_EQ(view.known, Known::kAll);
    return NotesOf(view);
  }

  DeliveryBench bench_;
};

TEST_F(DeviceViewTest, ADeviceThatNeverCalledHeldNothing) {
  const DeviceView view = Now();
  EXPECT_EQ(view.known, Known::kNoCopy);
  EXPECT_FALSE(view.mark.has_value());
}

TEST_F(DeviceViewTest, ACopyOfWhichNothingIsKeptIsNotKnown) {
  bench_.PutReport(1, [](store::DeviceReport& report) {
    store::DeviceCopy& copy = *report.add_copies();
    copy.set_carer_id(DeliveryBench::Carer("c1").ToString());
    copy.set_timeline("timeline");
  });
  EXPECT_EQ(Now().known, Known::kNotKnown);
  EXPECT_EQ(At(bench_.Now(), "c2").known, Known::kNoCopy);
}

TEST_F(DeviceViewTest, AWholeMarkShowsTheFeedAsItWas) {
  const base::Revision first = bench_.Put("a", {"c1"}, "first");
  bench_.Put("b", {"c1"}, "b");
  bench_.Put("c", {"c2"}, "another's");
  const absl::Time at_first = bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("a", {"c1"}, "second");
  bench_.Cancel("b", {"c1"});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "first"), Pair("b", "b"))) << "it does not know of the changes";
  const HeldVisit held = Now().visits.at(DeliveryBench::Visit("a"));
  EXPECT_EQ(held.revision, first);
  EXPECT_LT(held.committed, at_first);

  const absl::Time later = bench_.Whole(bench_.Head());
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "second")));
  EXPECT_EQ(At(later).mark->row.time_us(), base::ToStoredTime(later));
  EXPECT_THAT(NotesOf(At(later - absl::Seconds(1))), ElementsAre(Pair("a", "first"), Pair("b", "b")));
  EXPECT_THAT(NotesOf(At(at_first)), ElementsAre(Pair("a", "first"), Pair("b", "b")));
}

TEST_F(DeviceViewTest, AnEmptyFeedIsAllThatItShowed) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_THAT(Shown(), IsEmpty());
}

TEST_F(DeviceViewTest, APartOfADeltaIsAddedToWhatWasThere) {
  bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision second = bench_.Put("b", {"c1"}, "b");
  bench_.Put("a", {"c1"}, "a again");
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {second, DeliveryBench::Visit("b")});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a"), Pair("b", "b")));
  bench_.Whole(bench_.Head());
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a again"), Pair("b", "b")));
}

TEST_F(DeviceViewTest, OfACommitItMayHoldOneVisitAndNotTheOther) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision both = bench_.PutBoth("a", "b", "new");
  const bool a_is_first = DeliveryBench::Visit("a") < DeliveryBench::Visit("b");
  bench_.Mark(CopyMark::APPLIED, both, {both, DeliveryBench::Visit(a_is_first ? "a" : "b")});
  EXPECT_THAT(Shown(), ElementsAre(Pair(a_is_first ? "a" : "b", "new")));
}

TEST_F(DeviceViewTest, ARemovalInAPartOfADeltaCounts) {
  bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision gone = bench_.Cancel("a", {"c1"});
  bench_.Put("b", {"c1"}, "b");
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {gone, DeliveryBench::Visit("a")});
  EXPECT_THAT(Shown(), IsEmpty());
}

// Acks of two batches that came as one: the first of them may have been read before the visit moved on.
TEST_F(DeviceViewTest, WhatMovedOnBetweenTwoBatchesIsNotCertainUntilTheNextMark) {
  bench_.Put("a", {"c1"}, "old");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("a", {"c1"}, "between");
  bench_.Put("c", {"c1"}, "between");
  const base::Revision other = bench_.Put("b", {"c1"}, "b");
  bench_.Put("a", {"c1"}, "new");
  bench_.Put("c", {"c1"}, "new");
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {other, DeliveryBench::Visit("b")});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "?old"), Pair("b", "b"), Pair("c", "?-")));
  bench_.Whole(bench_.Head());
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "new"), Pair("b", "b"), Pair("c", "new")));
}

TEST_F(DeviceViewTest, StepsBetweenSettleWhatItHeld) {
  bench_.Put("a", {"c1"}, "old");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision between = bench_.Put("a", {"c1"}, "between");
  const base::Revision other = bench_.Put("b", {"c1"}, "b");
  bench_.Mark(CopyMark::APPLIED, other, {between, DeliveryBench::Visit("a")});
  bench_.Put("a", {"c1"}, "new");
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {other, DeliveryBench::Visit("b")});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "between"), Pair("b", "b")));
}

TEST_F(DeviceViewTest, ADeviceThatWasPutBackShowsWhatItShowedThen) {
  bench_.Put("a", {"c1"}, "a");
  const base::Revision whole = bench_.Head();
  bench_.Whole(whole, CopyMark::SWAPPED);
  const base::Revision second = bench_.Put("a", {"c1"}, "a again");
  bench_.Put("b", {"c1"}, "b");
  const base::Revision read_at = bench_.Head();
  bench_.Mark(CopyMark::APPLIED, read_at, {second, DeliveryBench::Visit("a")});
  bench_.Whole(read_at);
  ASSERT_THAT(Shown(), ElementsAre(Pair("a", "a again"), Pair("b", "b")));

  bench_.Mark(CopyMark::FELL_BACK, read_at, {second, DeliveryBench::Visit("a")});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a again"))) << "as by the mark with the same token";
  bench_.Whole(whole, CopyMark::FELL_BACK);
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a")));
  bench_.Mark(CopyMark::APPLIED, read_at, {second, DeliveryBench::Visit("a")});
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a again"))) << "it goes on from there";
}

TEST_F(DeviceViewTest, APartThatNoMarkTellsOfIsNotKnown) {
  const base::Revision first = bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Mark(CopyMark::FELL_BACK, bench_.Head(), {first, DeliveryBench::Visit("a")});
  EXPECT_EQ(Now().known, Known::kNotKnown);
  EXPECT_TRUE(Now().mark.has_value());
  bench_.Whole(bench_.Head());
  EXPECT_EQ(Now().known, Known::kAll);
}

TEST_F(DeviceViewTest, ANewCopyTakesThePlaceOfTheOldOne) {
  bench_.Put("a", {"c1"}, "a");
  const absl::Time before = bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Cancel("a", {"c1"});
  bench_.Put("b", {"c1"}, "b");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_THAT(Shown(), ElementsAre(Pair("b", "b")));
  EXPECT_THAT(NotesOf(At(before)), ElementsAre(Pair("a", "a")));
}

TEST_F(DeviceViewTest, ACopyThatWasDroppedShowedNothing) {
  bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Nothing(CopyMark::EMPTY);
  EXPECT_EQ(Now().known, Known::kNoCopy);
  EXPECT_TRUE(Now().mark.has_value());
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a")));
}

TEST_F(DeviceViewTest, WhatNobodyKnowsIsNotGuessed) {
  const base::Revision first = bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Nothing(CopyMark::NOT_KNOWN);
  EXPECT_EQ(Now().known, Known::kNotKnown);
  bench_.Put("b", {"c1"}, "b");
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {first, DeliveryBench::Visit("a")});
  EXPECT_EQ(Now().known, Known::kNotKnown) << "a part on top of it";
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a"), Pair("b", "b")));
}

TEST_F(DeviceViewTest, BeforeTheFirstMarkOnlyAFirstSyncTellsThatItHeldNothing) {
  const absl::Time before = bench_.Now();
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_EQ(At(before).known, Known::kNoCopy);
  EXPECT_FALSE(At(before).mark.has_value());
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2");
  EXPECT_EQ(At(before, "c2").known, Known::kNotKnown) << "of the second sync";
}

TEST_F(DeviceViewTest, MarksThatWereLetGoLeaveWhatWasBeforeUnknown) {
  bench_.Put("a", {"c1"}, "a");
  const absl::Time first = bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c1"}, "b");
  const absl::Time second = bench_.Whole(bench_.Head());
  bench_.DeleteMark(1, "c1", 1);
  EXPECT_EQ(At(first).known, Known::kNotKnown);
  EXPECT_THAT(NotesOf(At(second)), ElementsAre(Pair("a", "a"), Pair("b", "b")));
}

TEST_F(DeviceViewTest, WhereEntriesWereLetGoOlderViewsAreNotKnown) {
  bench_.Put("a", {"c1"}, "a");
  const absl::Time first = bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision second = bench_.Put("a", {"c1"}, "a again");
  store::Keeping keeping;
  keeping.set_horizon_revision(second);
  bench_.PutKeeping(keeping);
  EXPECT_EQ(At(first).known, Known::kNotKnown);
  bench_.Whole(bench_.Head());
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a again")));
}

TEST_F(DeviceViewTest, ADeviceForWhichNothingChangedSinceIsKnownHoweverLongItWasSilent) {
  bench_.Put("a", {"c1"}, "a");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c2"}, "another's");
  store::Keeping keeping;
  keeping.set_horizon_revision(bench_.Head());
  bench_.PutKeeping(keeping);
  EXPECT_THAT(Shown(), ElementsAre(Pair("a", "a")));
}

TEST_F(DeviceViewTest, AMarkOfALostTimeSaysNothing) {
  bench_.Put("a", {"c1"}, "a");
  // A revision that this store never had.
  bench_.Whole(bench_.Head() + 100, CopyMark::SWAPPED);
  EXPECT_EQ(Now().known, Known::kNotKnown);
}

TEST_F(DeviceViewTest, WhatTheWindowMovedCountsAsWell) {
  bench_.Put("a", {"c1"}, "a");
  const base::Revision moved = bench_.MoveByWindow("a", "c1");
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_EQ(Now().visits.at(DeliveryBench::Visit("a")).revision, moved);
}

}  // namespace
}  // namespace caresync::deliveries

#include "tests/simulation/held_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace caresync::simulation {
namespace {

using deliveries::DeviceView;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Known = deliveries::DeviceView::Known;

absl::Time At(int minute) { return absl::UnixEpoch() + absl::Minutes(minute); }

base::RecordKey Visit(const std::string& name) { return {name}; }

std::shared_ptr<const HeldVisits> Holds(HeldVisits visits) {
  return std::make_shared<const HeldVisits>(std::move(visits));
}

// With all that the feed showed at the revision.
HeardCopy Whole(base::Revision revision, HeldVisits visits) {
  HeardCopy heard;
  heard.what = HeardCopy::What::kHolds;
  heard.visits = Holds(std::move(visits));
  heard.cursor = {"opening", revision};
  heard.position = feed::Position::EndOf(revision);
  return heard;
}

// With what the feed showed up to a position.
HeardCopy Part(base::Revision revision, base::Revision position, HeldVisits visits) {
  HeardCopy heard = Whole(revision, std::move(visits));
  heard.position = {position, Visit("some")};
  return heard;
}

HeardCopy Nothing() {
  HeardCopy heard;
  heard.what = HeardCopy::What::kNothing;
  return heard;
}

// A token that the store has lost.
HeardCopy Lost(HeldVisits visits) {
  HeardCopy heard = Whole(0, std::move(visits));
  heard.cursor = {};
  heard.position = {};
  heard.foreign = true;
  return heard;
}

class HeldCopiesTest : public ::testing::Test {
 protected:
  // By a commit with a mark, at its time.
  void Hear(const HeardCopy& heard, int minute) {
    EXPECT_TRUE(copies_.TakeMark(++marks_, At(minute)));
    copies_.Take(heard, At(minute));
  }

  const KeptCopy& Last() { return copies_.kept().back(); }

  HeldCopies copies_;
  uint64_t marks_ = 0;
};

TEST_F(HeldCopiesTest, ACopyCountsFromItsMarkUntilTheNext) {
  Hear(Whole(3, {{Visit("a"), "1"}}), 10);
  Hear(Whole(5, {{Visit("a"), "2"}}), 20);
  ASSERT_THAT(copies_.kept(), SizeIs(2));
  EXPECT_EQ(copies_.kept()[0].time, At(10));
  EXPECT_EQ(copies_.kept()[0].until, At(20));
  EXPECT_EQ(Last().time, At(20));
  EXPECT_EQ(Last().until, absl::InfiniteFuture());
  EXPECT_FALSE(Last().is_part);
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, WhatAClockShowsTwiceIsOfTheLaterMark) {
  Hear(Whole(3, {{Visit("a"), "1"}}), 10);
  Hear(Whole(4, {{Visit("a"), "2"}}), 30);
  Hear(Whole(5, {{Visit("a"), "3"}}), 20);
  ASSERT_THAT(copies_.kept(), SizeIs(2));
  EXPECT_EQ(copies_.kept()[0].until, At(20));
  EXPECT_EQ(Last().time, At(20));
}

TEST_F(HeldCopiesTest, WithoutAMarkItCountsFromTheCommit) {
  Hear(Whole(3, {}), 10);
  copies_.Take(Whole(7, {}), At(25));
  ASSERT_THAT(copies_.kept(), SizeIs(2));
  EXPECT_EQ(Last().time, At(25));
  EXPECT_EQ(copies_.kept()[0].until, absl::InfiniteFuture());
}

TEST_F(HeldCopiesTest, WithoutAMarkNothingIsKeptByAClockThatWasSetBack) {
  Hear(Whole(3, {}), 10);
  copies_.Take(Whole(7, {}), At(5));
  EXPECT_THAT(copies_.kept(), SizeIs(1));
}

TEST_F(HeldCopiesTest, WhatIsSaidAgainIsNotKeptAgain) {
  Hear(Whole(3, {{Visit("a"), "1"}}), 10);
  copies_.Take(Whole(3, {{Visit("a"), "1"}}), At(20));
  EXPECT_THAT(copies_.kept(), SizeIs(1));
  // As the device would have it that nobody was told of.
  copies_.Take(Whole(3, {{Visit("a"), "2"}}), At(30));
  EXPECT_THAT(copies_.kept(), SizeIs(2));
}

TEST_F(HeldCopiesTest, AMarkThatDoesNotComeBehindTheOthersShows) {
  EXPECT_TRUE(copies_.TakeMark(2, At(10)));
  EXPECT_FALSE(copies_.TakeMark(2, At(11)));
  EXPECT_FALSE(copies_.TakeMark(1, At(12)));
}

TEST_F(HeldCopiesTest, SomeOfTheWholePastAreKept) {
  for (int minute = 1; minute <= 40; ++minute) Hear(Whole(static_cast<base::Revision>(minute), {}), minute);
  EXPECT_EQ(Last().time, At(40));
  EXPECT_LT(copies_.kept().size(), 10u);
}

TEST_F(HeldCopiesTest, ADeviceWithoutAnyMarkNeedNotBeKnownToHoldNothing) {
  copies_.Take(Nothing(), At(10));
  ASSERT_THAT(copies_.kept(), SizeIs(1));
  EXPECT_EQ(Last().visits, nullptr);
  EXPECT_TRUE(Last().may_be_unknown);
  Hear(Whole(3, {}), 20);
  Hear(Nothing(), 30);
  EXPECT_EQ(Last().visits, nullptr);
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, PartOfADeltaIsToBeKnown) {
  Hear(Whole(3, {}), 10);
  Hear(Part(9, 5, {{Visit("a"), "1"}}), 20);
  EXPECT_TRUE(Last().is_part);
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, PartOfADeltaAfterARestoreNeedNotBeKnownUntilTheCopyIsWhole) {
  Hear(Whole(3, {}), 10);
  copies_.Break();
  Hear(Part(9, 5, {}), 20);
  EXPECT_TRUE(Last().may_be_unknown);
  Hear(Whole(9, {}), 30);
  EXPECT_FALSE(Last().may_be_unknown);
  Hear(Part(12, 10, {}), 40);
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, PartOfADeltaThatAPhoneFallsBackToNeedNotBeKnown) {
  Hear(Whole(9, {}), 10);
  HeardCopy back = Part(8, 5, {});
  back.put_back = true;
  Hear(back, 20);
  ASSERT_THAT(copies_.kept(), SizeIs(2));
  EXPECT_TRUE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, AWholeCopyEndsADoubtWhereAMarkSaysSo) {
  Hear(Whole(3, {}), 10);
  Hear(Lost({}), 20);
  copies_.Take(Whole(3, {}), At(30));
  EXPECT_TRUE(Last().may_be_unknown);
  HeardCopy back = Whole(2, {});
  back.put_back = true;
  Hear(back, 40);
  EXPECT_TRUE(Last().may_be_unknown);
  Hear(Whole(4, {}), 50);
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, PartOfADeltaIsNotComparedWhereThePhoneWasPutBackAndIsAhead) {
  Hear(Whole(3, {}), 10);
  HeardCopy ahead = Part(8, 5, {});
  ahead.put_back = true;
  Hear(ahead, 20);
  Hear(Part(8, 6, {}), 30);
  EXPECT_THAT(copies_.kept(), SizeIs(1));
  EXPECT_EQ(Last().until, At(20));
  Hear(Whole(8, {}), 40);
  EXPECT_THAT(copies_.kept(), SizeIs(2));
}

TEST_F(HeldCopiesTest, OfTwoPhonesWithOneUuidWholeCopiesAreCompared) {
  HeardCopy part = Part(8, 5, {});
  part.of_pair = true;
  Hear(part, 10);
  EXPECT_THAT(copies_.kept(), SizeIs(0));
  HeardCopy whole = Whole(8, {});
  whole.of_pair = true;
  Hear(whole, 20);
  ASSERT_THAT(copies_.kept(), SizeIs(1));
  EXPECT_FALSE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, ATokenThatTheStoreHasLostCountsWhereItIsBelieved) {
  copies_.Take(Lost({{Visit("a"), "1"}}), At(5));
  EXPECT_THAT(copies_.kept(), SizeIs(0));
  Hear(Whole(3, {}), 10);
  copies_.Take(Lost({{Visit("a"), "1"}}), At(20));
  ASSERT_THAT(copies_.kept(), SizeIs(2));
  EXPECT_TRUE(Last().may_be_unknown);
}

TEST_F(HeldCopiesTest, WhatIsNotJudgedEndsWhatWasHeardBefore) {
  Hear(Whole(3, {}), 10);
  HeardCopy heard = Whole(5, {});
  heard.what = HeardCopy::What::kNotJudged;
  Hear(heard, 20);
  ASSERT_THAT(copies_.kept(), SizeIs(1));
  EXPECT_EQ(Last().until, At(20));
}

// ---- The comparison

class JudgeTest : public ::testing::Test {
 protected:
  JudgeTest() {
    kept_.visits = Holds({{Visit("a"), "1"}, {Visit("b"), "1"}});
    Show("a", "1");
    Show("b", "1");
    view_.known = Known::kAll;
  }

  void Show(const std::string& visit, const std::optional<std::string>& payload, bool certain = true) {
    deliveries::HeldVisit& shown = view_.visits[Visit(visit)];
    shown.payload = payload;
    shown.certain = certain;
  }

  std::string Fault() { return Judge(kept_, view_).fault; }

  KeptCopy kept_;
  DeviceView view_;
};

TEST_F(JudgeTest, AViewOfWhatTheDeviceHeldIsRight) {
  EXPECT_EQ(Fault(), "");
  EXPECT_EQ(Judge(kept_, view_).visits, 2u);
  EXPECT_EQ(Judge(kept_, view_).uncertain, 0u);
}

TEST_F(JudgeTest, OneVisitMoreOrLessOrOfAnotherVersionIsAFault) {
  Show("a", "2");
  EXPECT_THAT(Fault(), HasSubstr("another version"));
  Show("a", "1");
  Show("c", "1");
  EXPECT_THAT(Fault(), HasSubstr("did not hold"));
  view_.visits.erase(Visit("c"));
  view_.visits.erase(Visit("b"));
  EXPECT_THAT(Fault(), HasSubstr("is not shown"));
}

TEST_F(JudgeTest, AVisitThatIsNotCertainMayHaveBeenAnyVersionOrNone) {
  Show("a", "2", false);
  Show("c", std::nullopt, false);
  EXPECT_EQ(Fault(), "");
  EXPECT_EQ(Judge(kept_, view_).uncertain, 2u);
}

TEST_F(JudgeTest, WhatIsNotKnownIsAFaultWhereItIsToBe) {
  view_.known = Known::kNotKnown;
  EXPECT_THAT(Fault(), HasSubstr("not known"));
  kept_.may_be_unknown = true;
  EXPECT_EQ(Fault(), "");
}

TEST_F(JudgeTest, ACopyIsNotTakenForNone) {
  view_.known = Known::kNoCopy;
  kept_.may_be_unknown = true;
  EXPECT_THAT(Fault(), HasSubstr("none is shown"));
}

TEST_F(JudgeTest, NoCopyIsNotTakenForOne) {
  kept_.visits = nullptr;
  EXPECT_THAT(Fault(), HasSubstr("held no copy"));
  view_.known = Known::kNoCopy;
  EXPECT_EQ(Fault(), "");
}

}  // namespace
}  // namespace caresync::simulation

#include "loadtest/deadlines.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const absl::Time kChange = absl::FromUnixSeconds(1'800'000'000);
const CarerVisit kFirst = {"ann", "visit 1"};
const CarerVisit kSecond = {"ann", "visit 2"};

// Both are due ten minutes after the change.
Starts TwoVisits() { return {{kFirst, kChange + absl::Minutes(40)}, {kSecond, kChange + absl::Minutes(40)}}; }

ToldMismatch Told(absl::Duration opened_late, absl::Duration told_late) {
  const absl::Time due = kChange + absl::Minutes(10);
  return {kChange, due + opened_late, due + told_late};
}

TEST(DueOf, IsHalfAnHourBeforeAVisitThatIsNear) {
  EXPECT_EQ(DueOf(kChange, kChange + absl::Minutes(40)), kChange + absl::Minutes(10));
}

TEST(DueOf, LeavesTheDeviceTwoMinutes) {
  EXPECT_EQ(DueOf(kChange, kChange + absl::Minutes(25)), kChange + absl::Minutes(2));
}

TEST(DueOf, IsTheGraceWhereThereIsTimeAndTheLeadWhereThereIsMuch) {
  EXPECT_EQ(DueOf(kChange, kChange + absl::Hours(5)), kChange + absl::Minutes(20));
  EXPECT_EQ(DueOf(kChange, kChange + absl::Hours(30)), kChange + absl::Hours(6));
}

TEST(LatenessOf, IsCountedFromWhenEachWasDue) {
  const ToldMismatches told = {{kFirst, Told(absl::Milliseconds(3), absl::Milliseconds(5))},
                               {kSecond, Told(absl::Milliseconds(40), absl::Milliseconds(80))}};
  const Lateness lateness = LatenessOf(TwoVisits(), told);
  EXPECT_EQ(lateness.opened.count(), 2u);
  EXPECT_EQ(lateness.opened.max(), absl::Milliseconds(40));
  EXPECT_EQ(lateness.told.count(), 2u);
  EXPECT_EQ(lateness.told.max(), absl::Milliseconds(80));
}

TEST(LatenessOf, LeavesOutWhatWasNotToldAndWhatWasDueAtAnotherTime) {
  const ToldMismatches told = {{kFirst, Told(absl::Seconds(2), absl::Seconds(2))}};
  const absl::Time due = kChange + absl::Minutes(10);
  EXPECT_EQ(LatenessOf(TwoVisits(), told, due, due + absl::Seconds(1)).told.count(), 1u);
  EXPECT_EQ(LatenessOf(TwoVisits(), told, due + absl::Seconds(1)).told.count(), 0u);
  EXPECT_EQ(LatenessOf(TwoVisits(), told, absl::InfinitePast(), due).told.count(), 0u);
}

class FaultsOfMismatchesTest : public testing::Test {
 protected:
  std::vector<std::string> Faults() const { return FaultsOfMismatches(TwoVisits(), told_, listed_, {"ann"}); }

  ToldMismatches told_ = {{kFirst, Told(absl::Milliseconds(1), absl::Milliseconds(1))},
                          {kSecond, Told(absl::ZeroDuration(), absl::Milliseconds(1))}};
  std::set<CarerVisit> listed_ = {kFirst, kSecond};
};

TEST_F(FaultsOfMismatchesTest, AreNoneWhereExactlyThoseAreOpen) { EXPECT_THAT(Faults(), IsEmpty()); }

TEST_F(FaultsOfMismatchesTest, AreThoseThatAreMissing) {
  listed_.erase(kFirst);
  told_.erase(kSecond);
  EXPECT_THAT(Faults(), UnorderedElementsAre(HasSubstr("is not in the list: carer ann, visit visit 1"),
                                             HasSubstr("was not told: carer ann, visit visit 2")));
}

TEST_F(FaultsOfMismatchesTest, AreThoseThatAreOneTooMany) {
  listed_.insert({"ann", "another"});
  told_[{"ann", "a third"}] = Told(absl::ZeroDuration(), absl::ZeroDuration());
  EXPECT_THAT(Faults(), UnorderedElementsAre(HasSubstr("open that is none: carer ann, visit another"),
                                             HasSubstr("open that is none: carer ann, visit a third")));
}

TEST_F(FaultsOfMismatchesTest, AreNotThoseOfACarerWithoutADevice) {
  listed_.insert({"ben", "visit 1"});
  EXPECT_THAT(Faults(), IsEmpty());
}

TEST_F(FaultsOfMismatchesTest, AreThoseThatWereOpenBeforeTheyWereDue) {
  told_[kFirst] = Told(-absl::Seconds(3), -absl::Seconds(2));
  EXPECT_THAT(Faults(), UnorderedElementsAre(HasSubstr("open 3s before it was due: carer ann, visit visit 1")));
}

}  // namespace
}  // namespace caresync::loadtest

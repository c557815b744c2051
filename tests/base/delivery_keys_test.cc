// The keys of the proof of delivery.
#include <cstdint>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

TEST(Keys, VisitEntriesOfACarerLieInTheOrderOfTheFeed) {
  const std::string first = VisitEntry(kTenant, kDevice, 255, kOther);
  const std::string second = VisitEntry(kTenant, kDevice, 256, kVisit);
  EXPECT_LT(first, second);
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 0, RecordKey()), first));
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 255, RecordKey()), first));
  EXPECT_FALSE(In(VisitEntriesOf(kTenant, kDevice, 255, kOther), first));
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 255, kOther), second));
  EXPECT_FALSE(In(VisitEntriesOf(kTenant, kDevice, 0, RecordKey()), VisitEntry(kTenant, kLastDevice, 255, kOther)));
  Uuid carer;
  Revision revision = 0;
  RecordKey visit;
  ASSERT_TRUE(ParseVisitEntry(second, &carer, &revision, &visit));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kDevice, Revision{256}, kVisit));
  EXPECT_FALSE(ParseVisitEntry(second + "x", &carer, &revision, &visit));
  EXPECT_FALSE(ParseVisitEntry(VisitEntryByVisit(kTenant, kVisit, kDevice, 256), &carer, &revision, &visit));
}

TEST(Keys, VisitEntriesAreFoundByVisitAndByRevision) {
  const std::string of_carer = VisitEntryByVisit(kTenant, kVisit, kDevice, 9);
  const std::string of_another = VisitEntryByVisit(kTenant, kVisit, kLastDevice, 8);
  EXPECT_LT(of_carer, of_another);
  EXPECT_TRUE(In(VisitEntriesOfVisit(kTenant, kVisit), of_carer));
  EXPECT_FALSE(In(VisitEntriesOfVisit(kTenant, kOther), of_carer));
  EXPECT_FALSE(In(AllVisitEntriesByVisit(kTenant, of_carer), of_carer));
  EXPECT_TRUE(In(AllVisitEntriesByVisit(kTenant, of_carer), of_another));
  const std::string early = VisitEntryByRevision(kTenant, 8, kLastDevice, kVisit);
  const std::string late = VisitEntryByRevision(kTenant, 9, kDevice, kVisit);
  EXPECT_LT(early, late);
  EXPECT_FALSE(In(AllVisitEntriesByRevision(kTenant, early), early));
  EXPECT_TRUE(In(AllVisitEntriesByRevision(kTenant, early), late));
  Uuid carer;
  Revision revision = 0;
  RecordKey visit;
  ASSERT_TRUE(ParseVisitEntryByVisit(of_another, &visit, &carer, &revision));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kLastDevice, Revision{8}, kVisit));
  ASSERT_TRUE(ParseVisitEntryByRevision(late, &revision, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kDevice, Revision{9}, kVisit));
  EXPECT_FALSE(ParseVisitEntryByVisit(late, &visit, &carer, &revision));
  EXPECT_FALSE(ParseVisitEntryByRevision(of_another, &revision, &carer, &visit));
}

TEST(Keys, MarksOfACopyLieInTheOrderOfTheirNumbers) {
  const std::string first = CopyMark(kTenant, kDevice, kDevice, 255);
  const std::string second = CopyMark(kTenant, kDevice, kDevice, 256);
  const std::string of_another = CopyMark(kTenant, kDevice, kLastDevice, 257);
  EXPECT_LT(first, second);
  EXPECT_FALSE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 255), first));
  EXPECT_TRUE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 255), second));
  EXPECT_TRUE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 0), first));
  EXPECT_FALSE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 0), of_another));
  EXPECT_TRUE(In(AllCopyMarks(kTenant, second), of_another));
  EXPECT_FALSE(In(AllCopyMarks(kTenant, second), second));
  EXPECT_TRUE(In(AllUntoldMarks(kTenant), UntoldMark(kTenant, kDevice, kLastDevice, 257)));
  Uuid device;
  Uuid carer;
  uint64_t number = 0;
  ASSERT_TRUE(ParseCopyMark(of_another, &device, &carer, &number));
  EXPECT_EQ(std::tuple(device, carer, number), std::tuple(kDevice, kLastDevice, uint64_t{257}));
  EXPECT_FALSE(ParseUntoldMark(of_another, &device, &carer, &number));
  ASSERT_TRUE(ParseUntoldMark(UntoldMark(kTenant, kLastDevice, kDevice, 3), &device, &carer, &number));
  EXPECT_EQ(std::tuple(device, carer, number), std::tuple(kLastDevice, kDevice, uint64_t{3}));
}

TEST(Keys, ToldMarksLieByRevisionAndNumber) {
  const std::string first = ToldMark(kTenant, 9, 2);
  const std::string second = ToldMark(kTenant, 10, 1);
  EXPECT_LT(first, second);
  EXPECT_FALSE(In(ToldMarks(kTenant, first), first));
  EXPECT_TRUE(In(ToldMarks(kTenant, first), second));
}

}  // namespace
}  // namespace caresync::base::keys

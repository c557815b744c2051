// The keys of sync mismatches.
#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "storage/store.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

TEST(Keys, MismatchesLieByCarerAndAreReadOnBehindAVisit) {
  const std::string first = Mismatch(kTenant, kDevice, kVisit);
  const std::string second = Mismatch(kTenant, kDevice, kOther);
  const std::string of_another = Mismatch(kTenant, kLastDevice, kVisit);
  ASSERT_LT(first, second);
  for (const std::string& key : {first, second}) EXPECT_TRUE(In(MismatchesOf(kTenant, kDevice, RecordKey()), key));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, RecordKey()), of_another));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, kVisit), first));
  EXPECT_TRUE(In(MismatchesOf(kTenant, kDevice, kVisit), second));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, kVisit), of_another));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseMismatch(second, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kOther));
  EXPECT_FALSE(ParseMismatch(OpenMismatch(kTenant, kDevice, kVisit), &carer, &visit));
}

TEST(Keys, MismatchesAreLookedAtInTheOrderOfTheirTimes) {
  const std::vector<std::string> keys = {
      MismatchLook(kTenant, -7, kLastDevice, kOther), MismatchLook(kTenant, 5, kDevice, kVisit),
      MismatchLook(kTenant, 5, kDevice, kOther), MismatchLook(kTenant, 5, kLastDevice, kVisit)};
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  for (const std::string& key : keys) EXPECT_TRUE(In(AllMismatchLooks(kTenant, ""), key));
  EXPECT_FALSE(In(AllMismatchLooks(kTenant, keys[1]), keys[1]));
  EXPECT_TRUE(In(AllMismatchLooks(kTenant, keys[1]), keys[2]));
  int64_t time = 0;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseMismatchLook(keys[0], &time, &carer, &visit));
  EXPECT_EQ(std::tuple(time, carer, visit), std::tuple(-7, kLastDevice, kOther));
  EXPECT_FALSE(ParseMismatchLook(keys[0] + "x", &time, &carer, &visit));
  EXPECT_FALSE(ParseMismatchLook(OpenMismatch(kTenant, kDevice, kVisit), &time, &carer, &visit));
}

TEST(Keys, OpenMismatchesLieByCarerAndAreReadOnBehindOne) {
  const std::string first = OpenMismatch(kTenant, kDevice, kVisit);
  const std::string second = OpenMismatch(kTenant, kDevice, kOther);
  const std::string last = OpenMismatch(kTenant, kLastDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_LT(second, last);
  EXPECT_TRUE(In(OpenMismatchesOf(kTenant, kDevice), second));
  EXPECT_FALSE(In(OpenMismatchesOf(kTenant, kDevice), last));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, ""), first));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, ""), last));
  EXPECT_FALSE(In(AllOpenMismatches(kTenant, second), second));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, second), last));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseOpenMismatch(second, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kOther));
  EXPECT_FALSE(ParseOpenMismatch(Mismatch(kTenant, kDevice, kVisit), &carer, &visit));
}

// A row that is damaged, or a page token of an older form, may hold whatever bytes.
TEST(Keys, WhatLiesBehindAKeyOfAnotherTableIsOfThisOneAllTheSame) {
  const storage::KeyRange all = AllOpenMismatches(kTenant, "");
  const storage::KeyRange behind_an_earlier = AllOpenMismatches(kTenant, std::string(1, '\0'));
  EXPECT_EQ(behind_an_earlier.begin, all.begin);
  EXPECT_EQ(behind_an_earlier.end, all.end);
  const storage::KeyRange behind_a_later = AllOpenMismatches(kTenant, std::string(9, '\xFF'));
  EXPECT_EQ(behind_a_later.begin, all.end);
  EXPECT_EQ(behind_a_later.end, all.end);
}

TEST(Keys, ListedMismatchesLieByRankTheSnoozedOnesBehindAndTheEndedOnesApart) {
  const std::string first = ListedMismatch(kTenant, MismatchGroup::kOpen, -9, kLastDevice, kOther);
  const std::string second = ListedMismatch(kTenant, MismatchGroup::kOpen, 4, kDevice, kVisit);
  const std::string snoozed = ListedMismatch(kTenant, MismatchGroup::kSnoozed, -20, kDevice, kVisit);
  const std::string ended = ListedMismatch(kTenant, MismatchGroup::kEnded, -30, kDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_LT(second, snoozed);
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, second), snoozed));
  EXPECT_FALSE(In(ListedMismatches(kTenant, true, ""), snoozed));
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, ""), first));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, ""), ended));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, first), first));
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, first), second));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, second), ended));
  EXPECT_TRUE(In(ListedMismatches(kTenant, true, ""), ended));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseListedMismatch(first, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kLastDevice, kOther));
  ASSERT_TRUE(ParseListedMismatch(ended, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kVisit));
  EXPECT_FALSE(ParseListedMismatch(first.substr(0, first.size() - 1), &carer, &visit));
}

TEST(Keys, ToldMismatchesLieByRevision) {
  const std::string first = ToldMismatch(kTenant, 9, kLastDevice, kOther);
  const std::string second = ToldMismatch(kTenant, 10, kDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_TRUE(In(ToldMismatches(kTenant, ""), first));
  EXPECT_FALSE(In(ToldMismatches(kTenant, first), first));
  EXPECT_TRUE(In(ToldMismatches(kTenant, first), second));
  EXPECT_FALSE(In(ToldMismatches(kTenant, ""), MismatchLooks(kTenant)));
  Revision revision = 0;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseToldMismatch(first, &revision, &carer, &visit));
  EXPECT_EQ(std::tuple(revision, carer, visit), std::tuple(Revision{9}, kLastDevice, kOther));
  EXPECT_FALSE(ParseToldMismatch(OpenMismatch(kTenant, kDevice, kVisit), &revision, &carer, &visit));
}

}  // namespace
}  // namespace caresync::base::keys

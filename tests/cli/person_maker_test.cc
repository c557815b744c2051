#include "tools/caresync/person_maker.h"

#include <set>

#include "absl/time/civil_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using ::testing::StartsWith;

// Written out anew from the NHS Data Dictionary.
bool PassesModulus11(const std::string& digits) {
  if (digits.size() != 10) return false;
  int sum = 0;
  for (int i = 0; i < 9; ++i) sum += (10 - i) * (digits[i] - '0');
  int check = 11 - sum % 11;
  if (check == 11) check = 0;
  return check != 10 && check == digits[9] - '0';
}

TEST(PersonMaker, TheSameSeedGivesTheSamePerson) {
  EXPECT_EQ(MadeUpName("003-rome/p1"), MadeUpName("003-rome/p1"));
  EXPECT_EQ(MadeUpAddress("003-rome/p1", "Rome"), MadeUpAddress("003-rome/p1", "Rome"));
  EXPECT_EQ(MadeUpPhone("003-rome/p1"), MadeUpPhone("003-rome/p1"));
}

TEST(PersonMaker, APersonIsTheSameOnEveryMachine) {
  EXPECT_EQ(MadeUpName("003-rome/p1"), "Edwin Dawson");
  EXPECT_EQ(MadeUpName("003-rome/c1"), "Albert Rowe");
  EXPECT_EQ(MadeUpAddress("003-rome/p1", "Rome"), "72 School Lane\nRome");
}

TEST(PersonMaker, SeedsGiveManyNames) {
  std::set<std::string> names;
  for (int i = 0; i < 300; ++i) names.insert(MadeUpName("p" + std::to_string(i)));
  EXPECT_GT(names.size(), 250u);
}

TEST(PersonMaker, DatesOfBirthAreValidAndOfOlderPeople) {
  for (int i = 0; i < 500; ++i) {
    const v1::Date date = MadeUpDateOfBirth("p" + std::to_string(i));
    const absl::CivilDay day(date.year(), date.month(), date.day());
    EXPECT_EQ(day.month(), date.month());
    EXPECT_EQ(day.day(), date.day());
    EXPECT_GE(date.year(), 1926);
    EXPECT_LE(date.year(), 1961);
  }
}

TEST(PersonMaker, AnAddressEndsWithItsTown) { EXPECT_THAT(MadeUpAddress("p1", "Rome"), testing::EndsWith("\nRome")); }

TEST(PersonMaker, NhsNumbersPassTheModulus11CheckAndAreOfTheTestRange) {
  size_t invalid = 0;
  for (uint32_t number = 0; number < 10'000; ++number) {
    const std::optional<std::string> digits = NhsNumber(number);
    if (!digits) {
      ++invalid;
      continue;
    }
    EXPECT_TRUE(PassesModulus11(*digits)) << *digits;
    EXPECT_THAT(*digits, StartsWith("999"));
  }
  // One in eleven has the check digit 10.
  EXPECT_GT(invalid, 800u);
  EXPECT_LT(invalid, 1'000u);
}

TEST(PersonMaker, ACheckDigitOfElevenCountsAsNought) {
  bool seen = false;
  for (uint32_t number = 0; number < 100; ++number) {
    const std::optional<std::string> digits = NhsNumber(number);
    seen = seen || (digits && digits->back() == '0');
  }
  EXPECT_TRUE(seen);
}

TEST(PersonMaker, NoTwoPeopleOfABlockOrOfNeighbouringBlocksShareANumber) {
  std::set<std::string> numbers;
  for (const uint32_t block : {3u, 4u}) {
    for (uint32_t index = 0; index < 900; ++index) {
      EXPECT_TRUE(numbers.insert(MadeUpNhsNumber(block, index)).second) << block << " " << index;
    }
  }
}

}  // namespace
}  // namespace caresync::cli

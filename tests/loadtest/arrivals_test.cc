#include "loadtest/arrivals.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Arrival At(size_t device, const std::string& visit, uint64_t revision) { return {device, visit, revision, Instant()}; }

SentChange Of(const std::string& visit, size_t devices) { return {visit, devices, Instant(), Instant()}; }

// Visit a, of two devices, changed at 5 and 7; visit b, of one, at 6.
SentChanges Changes() { return {{5, Of("a", 2)}, {6, Of("b", 1)}, {7, Of("a", 2)}}; }

TEST(LackingOf, NothingWhereTheLastVersionCameToEveryDevice) {
  EXPECT_EQ(LackingOf(Changes(), {}), 3u);
  // The second device was given a's two changes as one.
  const std::vector<Arrival> all = {At(0, "a", 5), At(2, "b", 6), At(0, "a", 7), At(1, "a", 7)};
  EXPECT_EQ(LackingOf(Changes(), all), 0u);
  EXPECT_THAT(FaultsOfArrivals(Changes(), all), IsEmpty());
}

TEST(LackingOf, WhatCameTwiceToOneDeviceDoesNotStandForAnother) {
  const std::vector<Arrival> doubled = {At(0, "a", 5), At(0, "a", 7), At(0, "a", 7), At(2, "b", 6)};
  EXPECT_EQ(LackingOf(Changes(), doubled), 1u);
  EXPECT_THAT(FaultsOfArrivals(Changes(), doubled), ElementsAre(HasSubstr("device 0 with revision 7 behind 7")));
}

TEST(FaultsOfArrivals, NameVersionsThatNobodyMadeAndThatAreOutOfOrder) {
  EXPECT_THAT(FaultsOfArrivals(Changes(), {At(0, "a", 6)}), ElementsAre(HasSubstr("which did not change it")));
  EXPECT_THAT(FaultsOfArrivals(Changes(), {At(0, "a", 8)}), ElementsAre(HasSubstr("which did not change it")));
  EXPECT_THAT(FaultsOfArrivals(Changes(), {At(0, "a", 7), At(0, "a", 5)}),
              ElementsAre(HasSubstr("with revision 5 behind 7")));
}

}  // namespace
}  // namespace caresync::loadtest

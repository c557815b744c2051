#include "server/notifications/gathering.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "server/base/limits.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::notifications {
namespace {

namespace limits = base::limits;
using mismatch::At;

store::ToldHour HourOf(absl::Time began, uint32_t notices, uint32_t held = 0) {
  store::ToldHour hour;
  hour.set_began_us(absl::ToUnixMicros(began));
  hour.set_notices(notices);
  hour.set_held(held);
  return hour;
}

TEST(ToldHourTest, ItBeginsWhenSomethingIsToldAndLastsAnHour) {
  const store::ToldHour first = HourAt(store::ToldHour(), At(9));
  EXPECT_EQ(first.SerializeAsString(), HourOf(At(9), 0).SerializeAsString());
  EXPECT_EQ(HourEnds(first), At(10));
  const store::ToldHour told = HourOf(At(9), 3, 1);
  EXPECT_EQ(HourAt(told, At(9, 59)).SerializeAsString(), told.SerializeAsString());
  EXPECT_EQ(HourAt(told, At(10)).SerializeAsString(), HourOf(At(10), 0).SerializeAsString());
}

TEST(ToldHourTest, FromTheBoundOnItHoldsBack) {
  EXPECT_FALSE(HoldsBack(HourOf(At(9), limits::kNoticesInAnHour - 1)));
  EXPECT_TRUE(HoldsBack(HourOf(At(9), limits::kNoticesInAnHour)));
}

TEST(ToldHourTest, OneThatFollowsTooMuchHoldsBackFromItsBeginningOn) {
  EXPECT_TRUE(HoldsBack(HourAt(HourOf(At(9), limits::kNoticesInAnHour, 1), At(10))));
  EXPECT_TRUE(HoldsBack(HourAt(HourOf(At(9), 1, limits::kNoticesInAnHour), At(10, 59))));
  EXPECT_FALSE(HoldsBack(HourAt(HourOf(At(9), limits::kNoticesInAnHour), At(10)))) << "it was not more";
  EXPECT_FALSE(HoldsBack(HourAt(HourOf(At(9), limits::kNoticesInAnHour, 99), At(11)))) << "an hour was quiet";
}

TEST(ToldHourTest, OneOfAClockThatWasSetBackSinceIsOver) {
  const store::ToldHour hour = HourAt(HourOf(At(9), limits::kNoticesInAnHour, 99), At(8));
  EXPECT_EQ(hour.SerializeAsString(), HourOf(At(8), 0).SerializeAsString());
}

TEST(ToldHourTest, WhatIsHeldBackIsToldBeforeTheLastMinutes) {
  EXPECT_TRUE(IsNear(At(9) + limits::kToldAtOnce, At(9)));
  EXPECT_FALSE(IsNear(At(9) + limits::kToldAtOnce + absl::Microseconds(1), At(9)));
  EXPECT_TRUE(IsNear(At(8), At(9))) << "it has begun";
  EXPECT_GE(limits::kToldAtOnce, limits::kToldHour + limits::kMismatchLatest);
}

}  // namespace
}  // namespace caresync::notifications

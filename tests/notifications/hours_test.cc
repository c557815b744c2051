#include "server/notifications/hours.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/time/civil_time.h"

namespace caresync::notifications {
namespace {

class HoursTest : public testing::Test {
 protected:
  HoursTest() { EXPECT_TRUE(absl::LoadTimeZone("Europe/London", &zone_)); }

  void Add(v1::Weekday weekday, int from_hour, int from_minute, int to_hour, int to_minute) {
    store::NotificationHours& hours = *settings_.add_hours();
    hours.set_weekday(weekday);
    hours.set_from_minute(from_hour * 60 + from_minute);
    hours.set_to_minute(to_hour * 60 + to_minute);
  }

  static absl::Time Utc(int month, int day, int hour, int minute) {
    return absl::FromCivil(absl::CivilMinute(2026, month, day, hour, minute), absl::UTCTimeZone());
  }
  // "03-29 01:00", in UTC.
  std::string Next(absl::Time now) const {
    return absl::FormatTime("%m-%d %H:%M", NextOpen(settings_, zone_, now), absl::UTCTimeZone());
  }

  std::string Until(absl::Time now) const {
    return absl::FormatTime("%m-%d %H:%M", OpenUntil(settings_, zone_, now), absl::UTCTimeZone());
  }

  absl::TimeZone zone_;
  store::NotificationSettings settings_;
};

TEST_F(HoursTest, WithoutHoursItIsAtAnyTime) { EXPECT_EQ(Next(Utc(3, 2, 3, 0)), "03-02 03:00"); }

// 2 March 2026 is a Monday, and London's clock is UTC's.
TEST_F(HoursTest, TheyBeginWithTheirFirstMinuteAndEndBeforeTheirLast) {
  Add(v1::WEEKDAY_MONDAY, 8, 0, 18, 0);
  EXPECT_EQ(Next(Utc(3, 2, 7, 59)), "03-02 08:00");
  EXPECT_EQ(Next(Utc(3, 2, 8, 0)), "03-02 08:00");
  EXPECT_EQ(Next(Utc(3, 2, 17, 59)), "03-02 17:59");
  EXPECT_EQ(Next(Utc(3, 2, 18, 0)), "03-09 08:00");
}

TEST_F(HoursTest, TheFirstOfSeveralCounts) {
  Add(v1::WEEKDAY_WEDNESDAY, 9, 0, 12, 0);
  Add(v1::WEEKDAY_MONDAY, 14, 0, 24, 0);
  Add(v1::WEEKDAY_MONDAY, 8, 0, 12, 0);
  EXPECT_EQ(Next(Utc(3, 2, 12, 30)), "03-02 14:00");
  EXPECT_EQ(Next(Utc(3, 2, 23, 59)), "03-02 23:59");
  EXPECT_EQ(Next(Utc(3, 3, 0, 0)), "03-04 09:00");
}

// On 29 March 2026, a Sunday, 01:00 to 02:00 is skipped; on 25 October it is shown twice.
TEST_F(HoursTest, TheyFollowTheZonesClockWhenItIsSet) {
  Add(v1::WEEKDAY_SATURDAY, 8, 0, 9, 0);
  Add(v1::WEEKDAY_SUNDAY, 8, 0, 9, 0);
  EXPECT_EQ(Next(Utc(3, 28, 0, 0)), "03-28 08:00");
  EXPECT_EQ(Next(Utc(3, 29, 0, 0)), "03-29 07:00");
  EXPECT_EQ(Next(Utc(10, 24, 0, 0)), "10-24 07:00");
  EXPECT_EQ(Next(Utc(10, 25, 0, 0)), "10-25 08:00");
}

TEST_F(HoursTest, WhatTheClockSkipsIsTheMomentAtWhichItSkips) {
  Add(v1::WEEKDAY_SUNDAY, 1, 30, 4, 0);
  EXPECT_EQ(Next(Utc(3, 29, 0, 0)), "03-29 01:00");
}

TEST_F(HoursTest, HoursThatAreSkippedWhollyComeAWeekLater) {
  Add(v1::WEEKDAY_SUNDAY, 1, 15, 1, 45);
  EXPECT_EQ(Next(Utc(3, 29, 0, 0)), "04-05 00:15");
}

TEST_F(HoursTest, WhatTheClockShowsTwiceOpensTheFirstTimeAndClosesTheSecond) {
  Add(v1::WEEKDAY_SUNDAY, 1, 15, 1, 45);
  EXPECT_EQ(Next(Utc(10, 25, 0, 0)), "10-25 00:15");
  EXPECT_EQ(Next(Utc(10, 25, 1, 0)), "10-25 01:00");
  EXPECT_EQ(Next(Utc(10, 25, 1, 45)), "11-01 01:15");
}

// ---- Until when they last

TEST_F(HoursTest, WithoutHoursTheyHaveNoEnd) {
  EXPECT_EQ(OpenUntil(settings_, zone_, Utc(3, 2, 3, 0)), absl::InfiniteFuture());
}

// 6 March 2026 is a Friday.
TEST_F(HoursTest, ThoseThatFollowEachOtherEndWithTheLast) {
  Add(v1::WEEKDAY_MONDAY, 12, 0, 18, 0);
  Add(v1::WEEKDAY_MONDAY, 8, 0, 12, 0);
  Add(v1::WEEKDAY_MONDAY, 19, 0, 20, 0);
  Add(v1::WEEKDAY_SATURDAY, 0, 0, 6, 0);
  Add(v1::WEEKDAY_FRIDAY, 20, 0, 24, 0);
  EXPECT_EQ(Until(Utc(3, 2, 8, 0)), "03-02 18:00");
  EXPECT_EQ(Until(Utc(3, 2, 17, 59)), "03-02 18:00");
  EXPECT_EQ(Until(Utc(3, 2, 18, 0)), "03-02 18:00") << "now lies in none";
  EXPECT_EQ(Until(Utc(3, 6, 21, 0)), "03-07 06:00");
}

TEST_F(HoursTest, ThoseOfEveryDayAreLookedAtUntilTomorrow) {
  for (int day = v1::WEEKDAY_MONDAY; day <= v1::WEEKDAY_SUNDAY; ++day) Add(static_cast<v1::Weekday>(day), 0, 0, 24, 0);
  EXPECT_EQ(Until(Utc(3, 2, 8, 0)), "03-04 00:00");
}

}  // namespace
}  // namespace caresync::notifications

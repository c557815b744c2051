#include "tools/caresync/notification_hours.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

v1::NotificationSettings Settings(const std::vector<std::string>& texts) {
  v1::NotificationSettings settings;
  for (const std::string& text : texts) {
    const auto hours = ParseHours(text);
    EXPECT_TRUE(hours.ok()) << hours.status();
    if (!hours.ok()) continue;
    for (const v1::NotificationHours& of_day : *hours) *settings.add_hours() = of_day;
  }
  return settings;
}

TEST(NotificationHoursTest, DaysInARowAreOneEntryEach) {
  const auto hours = ParseHours("mon-fri 08:00-18:30");
  ASSERT_TRUE(hours.ok()) << hours.status();
  ASSERT_EQ(hours->size(), 5u);
  EXPECT_EQ(hours->front().weekday(), v1::WEEKDAY_MONDAY);
  EXPECT_EQ(hours->back().weekday(), v1::WEEKDAY_FRIDAY);
  EXPECT_EQ(hours->front().from_minute(), 8 * 60);
  EXPECT_EQ(hours->back().to_minute(), 18 * 60 + 30);
}

TEST(NotificationHoursTest, DaysGoOverSundayAndHoursToMidnight) {
  const auto hours = ParseHours("Sat-Mon 9:00-24:00");
  ASSERT_TRUE(hours.ok()) << hours.status();
  ASSERT_EQ(hours->size(), 3u);
  EXPECT_EQ((*hours)[0].weekday(), v1::WEEKDAY_SATURDAY);
  EXPECT_EQ((*hours)[1].weekday(), v1::WEEKDAY_SUNDAY);
  EXPECT_EQ((*hours)[2].weekday(), v1::WEEKDAY_MONDAY);
  EXPECT_EQ((*hours)[2].to_minute(), 24 * 60);
}

TEST(NotificationHoursTest, WhatIsNoDayOrNoTimeIsRefused) {
  for (const std::string wrong : {"", "mon", "08:00-18:00", "mon-funday 08:00-18:00", "mon 8-18", "mon 08:00-18:60",
                                  "mon 25:00-26:00", "mon 08:00-18:00 sun", "mon 08:0-18:00", "mon -1:00-18:00"}) {
    EXPECT_FALSE(ParseHours(wrong).ok()) << wrong;
  }
}

TEST(NotificationHoursTest, HoursThatEndBeforeTheyBeginAreRefusedInTheirOwnWords) {
  for (const std::string wrong : {"mon 18:00-08:00", "mon-fri 08:00-08:00"}) {
    const auto hours = ParseHours(wrong);
    ASSERT_FALSE(hours.ok()) << wrong;
    EXPECT_NE(hours.status().message().find("over midnight give two"), absl::string_view::npos) << hours.status();
  }
}

TEST(NotificationHoursTest, IsShownAsItIsWritten) {
  EXPECT_EQ(HoursText({}), "always");
  EXPECT_EQ(HoursText(Settings({"mon-fri 08:00-18:00", "sat 09:00-12:00"})), "mon-fri 08:00-18:00, sat 09:00-12:00");
  EXPECT_EQ(HoursText(Settings({"mon 08:00-12:00", "mon 14:00-24:00", "wed 08:00-12:00"})),
            "mon 08:00-12:00 14:00-24:00, wed 08:00-12:00");
}

}  // namespace
}  // namespace caresync::cli

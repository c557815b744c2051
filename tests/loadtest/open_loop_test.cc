#include "loadtest/open_loop.h"

#include <chrono>
#include <optional>

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

TEST(OpenLoop, GivesEachArrivalOnceWithTheTimeUntilIt) {
  OpenLoop arrivals(0.1, absl::Seconds(200));
  uint64_t next = 0;
  while (const std::optional<OpenLoop::Arrival> arrival = arrivals.Take()) {
    EXPECT_GE(arrival->number, next);
    next = arrival->number + 1;
    EXPECT_GE(arrival->pause, absl::ZeroDuration());
    EXPECT_LE(arrival->pause, absl::Seconds(10 * arrival->number));
  }
  EXPECT_EQ(next, 20u);
  // All, but for a first one that a slow machine was late for.
  EXPECT_GE(arrivals.taken(), 19u);
  EXPECT_EQ(arrivals.taken() + arrivals.missed(), 20u);
}

TEST(OpenLoop, WhatNobodyWasFreeForIsCountedAndNotMadeUpFor) {
  OpenLoop arrivals(1'000, absl::Hours(1));
  ASSERT_TRUE(arrivals.Take().has_value());
  ASSERT_TRUE(WaitUntil(Now() + std::chrono::milliseconds(300)));
  const std::optional<OpenLoop::Arrival> arrival = arrivals.Take();
  ASSERT_TRUE(arrival.has_value());
  EXPECT_GT(arrival->number, 100u);
  EXPECT_EQ(arrivals.taken(), 2u);
  EXPECT_EQ(arrivals.taken() + arrivals.missed(), arrival->number + 1);
}

TEST(Schedule, WaitsForWhatIsNotDueYet) {
  Schedule schedule(100);
  const std::optional<Instant> first = schedule.WaitForNext();
  const std::optional<Instant> second = schedule.WaitForNext();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*second - *first, std::chrono::milliseconds(10));
  EXPECT_GE(Now(), *second);
}

TEST(Schedule, KnowsWhetherItWouldWait) {
  Schedule schedule(0.01);
  EXPECT_TRUE(schedule.IsDue());
  ASSERT_TRUE(schedule.WaitForNext().has_value());
  EXPECT_FALSE(schedule.IsDue());
}

TEST(Schedule, WhatItIsLateForStaysDueWhenItWas) {
  Schedule schedule(100);
  const std::optional<Instant> first = schedule.WaitForNext();
  ASSERT_TRUE(first.has_value());
  // As behind an answer that takes its time.
  ASSERT_TRUE(WaitUntil(*first + std::chrono::milliseconds(55)));
  for (int i = 1; i <= 5; ++i) {
    const std::optional<Instant> due = schedule.WaitForNext();
    ASSERT_TRUE(due.has_value());
    EXPECT_EQ(*due - *first, std::chrono::milliseconds(10 * i));
  }
}

}  // namespace
}  // namespace caresync::loadtest

#include "loadtest/open_loop.h"

#include <chrono>
#include <optional>

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

TEST(OpenLoop, GivesEachArrivalOnceWithTheTimeUntilIt) {
  OpenLoop arrivals(10, absl::Seconds(2));
  for (uint64_t i = 0; i < 20; ++i) {
    const std::optional<OpenLoop::Arrival> arrival = arrivals.Take();
    ASSERT_TRUE(arrival.has_value());
    EXPECT_EQ(arrival->number, i);
    EXPECT_LE(arrival->pause, i * absl::Milliseconds(100));
    EXPECT_GE(arrival->pause, absl::ZeroDuration());
  }
  EXPECT_FALSE(arrivals.Take().has_value());
  EXPECT_EQ(arrivals.taken(), 20u);
  EXPECT_EQ(arrivals.missed(), 0u);
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

}  // namespace
}  // namespace caresync::loadtest

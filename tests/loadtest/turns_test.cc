#include "loadtest/turns.h"

#include <optional>

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

TEST(TurnsTest, WhoIsDoneMakesRoomForTheOneThatHasWaitedLongest) {
  Turns turns(4, 2);
  EXPECT_EQ(turns.Next(0), 0u);
  EXPECT_EQ(turns.Next(1), 1u);
  EXPECT_EQ(turns.Next(2), std::nullopt);
  EXPECT_EQ(turns.Next(3), std::nullopt);
  // Done: 2 is to be asked, and begins.
  EXPECT_EQ(turns.Next(1), 2u);
  EXPECT_EQ(turns.Next(2), 2u);
  EXPECT_EQ(turns.Next(0), 3u);
  EXPECT_EQ(turns.Next(3), 3u);
  EXPECT_EQ(turns.Next(3), 1u);
  EXPECT_EQ(turns.Next(1), 1u);
  EXPECT_EQ(turns.Next(2), 0u);
}

TEST(TurnsTest, WhereNobodyWaitsADeviceGoesOn) {
  Turns turns(1, 2);
  EXPECT_EQ(turns.Next(0), 0u);
  EXPECT_EQ(turns.Next(0), 0u);
}

}  // namespace
}  // namespace caresync::loadtest

#include "loadtest/stopwatch.h"

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

TEST(Pace, LetsOneThroughInItsInterval) {
  Pace pace(0.001);
  EXPECT_TRUE(pace.TakeOne());
  EXPECT_FALSE(pace.TakeOne());
}

TEST(Pace, LetsTheNextThroughAfterIt) {
  Pace pace(1e9);
  EXPECT_TRUE(pace.TakeOne());
  const Instant began = Now();
  while (Since(began) < absl::Microseconds(1)) {
  }
  EXPECT_TRUE(pace.TakeOne());
}

TEST(Deadline, PassesWithTheTime) {
  EXPECT_TRUE(Deadline(absl::ZeroDuration()).passed());
  EXPECT_FALSE(Deadline(absl::Hours(1)).passed());
}

TEST(WaitUntil, ReturnsWhenTheTimeHasCome) {
  const Instant time = Now() + std::chrono::milliseconds(5);
  EXPECT_TRUE(WaitUntil(time));
  EXPECT_GE(Now(), time);
}

}  // namespace
}  // namespace caresync::loadtest

#include "server/base/clock.h"

#include <gtest/gtest.h>

namespace caresync::base {
namespace {

TEST(StoredTime, ComesBack) {
  const absl::Time time = absl::FromUnixMicros(1'772'431'200'000'123);
  EXPECT_EQ(ToStoredTime(time), 1'772'431'200'000'123);
  EXPECT_EQ(FromStoredTime(ToStoredTime(time)), time);
}

TEST(StoredTime, ZeroIsNever) {
  EXPECT_EQ(ToStoredTime(absl::InfinitePast()), 0);
  EXPECT_EQ(FromStoredTime(0), absl::InfinitePast());
}

TEST(SystemClock, TheMonotonicTimeDoesNotGoBack) {
  SystemClock clock;
  const absl::Duration first = clock.Monotonic();
  EXPECT_GE(clock.Monotonic(), first);
  EXPECT_GT(clock.Now(), absl::FromCivil(absl::CivilDay(2024, 1, 1), absl::UTCTimeZone()));
}

}  // namespace
}  // namespace caresync::base

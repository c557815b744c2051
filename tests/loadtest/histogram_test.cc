#include "loadtest/histogram.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

TEST(Histogram, OfNothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), absl::ZeroDuration());
  EXPECT_EQ(histogram.Percentile(99), absl::ZeroDuration());
}

TEST(Histogram, TellsShortLatenciesExactly) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Add(absl::Microseconds(i));
  EXPECT_EQ(histogram.Percentile(50), absl::Microseconds(50));
  EXPECT_EQ(histogram.Percentile(99), absl::Microseconds(99));
  EXPECT_EQ(histogram.Percentile(100), absl::Microseconds(100));
  EXPECT_EQ(histogram.Percentile(0.1), absl::Microseconds(1));
}

TEST(Histogram, IsAtMostASixtyFourthAboveTheTruth) {
  std::mt19937 random(1);
  std::lognormal_distribution<double> latencies(8, 3);
  Histogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 10'000; ++i) {
    all.push_back(static_cast<int64_t>(latencies(random)));
    histogram.Add(absl::Microseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const int64_t truth = all[static_cast<size_t>(percent / 100 * 10'000) - 1];
    const int64_t told = absl::ToInt64Microseconds(histogram.Percentile(percent));
    EXPECT_GE(told, truth) << percent;
    EXPECT_LE(told, truth + truth / 64 + 1) << percent;
  }
  EXPECT_EQ(absl::ToInt64Microseconds(histogram.max()), all.back());
}

TEST(Histogram, TakesEveryPowerOfTwoAndWhatLiesAroundIt) {
  for (int bits = 0; bits <= 39; ++bits) {
    for (const int64_t off : {-1, 0, 1}) {
      const int64_t latency = (int64_t{1} << bits) + off;
      Histogram histogram;
      histogram.Add(absl::Microseconds(latency));
      EXPECT_EQ(histogram.Percentile(50), absl::Microseconds(latency));
    }
  }
}

TEST(Histogram, CountsWhatIsPastItsEndsAtThem) {
  Histogram histogram;
  histogram.Add(absl::Microseconds(-5));
  histogram.Add(absl::Hours(24 * 365));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.Percentile(50), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::Microseconds((int64_t{1} << 40) - 1));
}

TEST(Histogram, MergedTellsOfBoth) {
  Histogram short_ones;
  Histogram long_ones;
  for (int i = 0; i < 90; ++i) short_ones.Add(absl::Microseconds(10));
  for (int i = 0; i < 10; ++i) long_ones.Add(absl::Microseconds(100));
  short_ones.Merge(long_ones);
  EXPECT_EQ(short_ones.count(), 100u);
  EXPECT_EQ(short_ones.Percentile(90), absl::Microseconds(10));
  EXPECT_EQ(short_ones.Percentile(91), absl::Microseconds(100));
  EXPECT_EQ(short_ones.max(), absl::Microseconds(100));
}

}  // namespace
}  // namespace caresync::loadtest

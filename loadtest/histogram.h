// Latencies, counted in buckets: memory does not grow with what is added, and a percentile is at most 1/64 above the
// true one.
#ifndef CARESYNC_LOADTEST_HISTOGRAM_H_
#define CARESYNC_LOADTEST_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace caresync::loadtest {

// In microseconds, from 0 to about twelve days; shorter and longer ones count as these. Not thread-safe.
class Histogram {
 public:
  void Add(absl::Duration latency);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // The longest one that was added; zero where there is none.
  absl::Duration max() const { return absl::Microseconds(max_); }
  // So many in a hundred took no longer than this. `percent` is more than 0 and at most 100; zero where nothing was
  // added.
  absl::Duration Percentile(double percent) const;

 private:
  // Below kExact every microsecond has a bucket; above it, every power of two has kExact / 2.
  static constexpr uint64_t kExact = 128;
  static constexpr int kMostBits = 40;
  static constexpr size_t kBuckets = kExact + (kMostBits - 7) * (kExact / 2);

  static size_t BucketOf(uint64_t microseconds);
  // The longest latency that counts in this bucket.
  static uint64_t LongestOf(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_HISTOGRAM_H_

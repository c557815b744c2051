#include "loadtest/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace caresync::loadtest {

size_t Histogram::BucketOf(uint64_t microseconds) {
  if (microseconds < kExact) return microseconds;
  // The upper seven bits say which of its power of two's buckets it is.
  const int shift = std::bit_width(microseconds) - 7;
  return static_cast<size_t>(shift) * (kExact / 2) + (microseconds >> shift);
}

uint64_t Histogram::LongestOf(size_t bucket) {
  if (bucket < kExact) return bucket;
  const uint64_t shift = bucket / (kExact / 2) - 1;
  const uint64_t upper_bits = bucket - shift * (kExact / 2);
  return ((upper_bits + 1) << shift) - 1;
}

void Histogram::Add(absl::Duration latency) {
  const int64_t most = (int64_t{1} << kMostBits) - 1;
  const int64_t microseconds = std::clamp<int64_t>(absl::ToInt64Microseconds(latency), 0, most);
  ++buckets_[BucketOf(static_cast<uint64_t>(microseconds))];
  ++count_;
  max_ = std::max(max_, microseconds);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

absl::Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return absl::ZeroDuration();
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(absl::Microseconds(LongestOf(i)), max());
  }
  return max();
}

}  // namespace caresync::loadtest

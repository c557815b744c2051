// Randomness that a seed repeats.
#ifndef CARESYNC_TESTS_FAKES_SEEDED_RANDOM_H_
#define CARESYNC_TESTS_FAKES_SEEDED_RANDOM_H_

#include <cstdint>
#include <random>
#include <string>

#include "server/base/random.h"
#include "storage/mutex.h"

namespace caresync::fakes {

// Thread-safe; the bytes depend on the order of the calls.
class SeededRandom : public base::RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : generator_(seed) {}

  std::string Bytes(size_t length) override ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    std::string bytes;
    for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(generator_()));
    return bytes;
  }

 private:
  storage::Mutex mutex_;
  std::mt19937_64 generator_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_SEEDED_RANDOM_H_

// The seam for randomness.
#ifndef CARESYNC_SERVER_BASE_RANDOM_H_
#define CARESYNC_SERVER_BASE_RANDOM_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"

namespace caresync::base {

// Thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  // `length` bytes that nobody can guess.
  virtual std::string Bytes(size_t length) = 0;
};

class SystemRandom : public RandomSource {
 public:
  std::string Bytes(size_t length) override;
};

// At least `least` and less than `spread` more, each whole millisecond of it as likely as the others. `spread` is at
// least a millisecond.
absl::Duration RandomDuration(RandomSource& random, absl::Duration least, absl::Duration spread);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_RANDOM_H_

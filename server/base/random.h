// The seam for randomness.
#ifndef CARESYNC_SERVER_BASE_RANDOM_H_
#define CARESYNC_SERVER_BASE_RANDOM_H_

#include <cstddef>
#include <string>

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

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_RANDOM_H_

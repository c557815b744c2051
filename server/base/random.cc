#include "server/base/random.h"

#include <openssl/rand.h>

#include <cstdint>
#include <cstring>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {

std::string SystemRandom::Bytes(size_t length) {
  std::string bytes(length, '\0');
  // Going on with bytes that can be guessed would let anyone forge what is made of them.
  ABSL_RAW_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(length)) == 1,
                 "the system has no randomness");
  return bytes;
}

absl::Duration RandomDuration(RandomSource& random, absl::Duration least, absl::Duration spread) {
  uint64_t number = 0;
  std::memcpy(&number, random.Bytes(sizeof(number)).data(), sizeof(number));
  const uint64_t milliseconds = static_cast<uint64_t>(absl::ToInt64Milliseconds(spread));
  return least + absl::Milliseconds(static_cast<int64_t>(number % milliseconds));
}

}  // namespace caresync::base

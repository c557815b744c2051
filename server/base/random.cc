#include "server/base/random.h"

#include <openssl/rand.h>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {

std::string SystemRandom::Bytes(size_t length) {
  std::string bytes(length, '\0');
  // Going on with bytes that can be guessed would let anyone forge what is made of them.
  ABSL_RAW_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(length)) == 1,
                 "the system has no randomness");
  return bytes;
}

}  // namespace caresync::base

// What a fuzz target makes of its bytes: numbers and texts, one after the other, whatever the bytes are.
//
//   byte    one byte; 0 behind the end
//   number  8 bytes, big-endian
//   chunk   a length as two bytes, big-endian, and so many bytes; what there is of them
#ifndef CARESYNC_TESTS_FUZZ_INPUT_H_
#define CARESYNC_TESTS_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/status.h"
#include "server/base/errors.h"

namespace caresync::fuzz {

class Input {
 public:
  // The bytes must outlive it.
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool AtEnd() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const uint8_t byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  size_t Short() {
    const size_t high = Byte();
    return high << 8 | Byte();
  }
  uint64_t Number() {
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = number << 8 | Byte();
    return number;
  }
  std::string Chunk() {
    const size_t length = std::min(Short(), rest_.size());
    const std::string chunk(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return chunk;
  }
  std::string Rest() { return std::string(std::exchange(rest_, {})); }

 private:
  std::string_view rest_;
};

// Ends the process where it does not hold: the fuzzer, and the test of a corpus, take that for a finding.
inline void Require(bool holds, const char* what) { ABSL_RAW_CHECK(holds, what); }

// Whatever was asked got a value, or an error that a caller can be told by name.
inline void RequireNamed(const absl::Status& status) {
  if (status.ok() || !base::Reason(base::Named(status)).empty()) return;
  ABSL_RAW_LOG(FATAL, "an error without a name: %s", status.ToString().c_str());
}

}  // namespace caresync::fuzz

#endif  // CARESYNC_TESTS_FUZZ_INPUT_H_

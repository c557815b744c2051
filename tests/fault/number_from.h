// Numbers that whoever runs a test may give it.
#ifndef CARESYNC_TESTS_FAULT_NUMBER_FROM_H_
#define CARESYNC_TESTS_FAULT_NUMBER_FROM_H_

#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace caresync::fault {

// The number in an environment variable; `otherwise` where it holds none.
inline uint64_t NumberFrom(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  uint64_t number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

}  // namespace caresync::fault

#endif  // CARESYNC_TESTS_FAULT_NUMBER_FROM_H_

#include "server/base/app_version.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "server/base/limits.h"

namespace caresync::base {
namespace {

constexpr size_t kDigits = 9;

struct Version {
  std::array<uint32_t, limits::kAppVersionNumbers> numbers = {};
  size_t count = 0;
  // What comes after the numbers.
  std::string_view rest;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The numbers that `text` begins with.
Version Read(std::string_view text) {
  Version version{.rest = text};
  while (version.count < version.numbers.size()) {
    std::string_view next = version.rest;
    if (version.count > 0) {
      if (next.empty() || next.front() != '.') break;
      next.remove_prefix(1);
    }
    size_t digits = 0;
    uint32_t number = 0;
    for (; digits < next.size() && digits < kDigits && IsDigit(next[digits]); ++digits) {
      number = number * 10 + static_cast<uint32_t>(next[digits] - '0');
    }
    const bool too_long = digits < next.size() && IsDigit(next[digits]);
    if (digits == 0 || too_long) break;
    version.numbers[version.count++] = number;
    version.rest = next.substr(digits);
  }
  return version;
}

}  // namespace

bool IsAppVersion(std::string_view text) {
  const Version version = Read(text);
  return version.count > 0 && version.rest.empty();
}

bool IsOlderApp(std::string_view app, std::string_view least) { return Read(app).numbers < Read(least).numbers; }

}  // namespace caresync::base

#include "server/base/uuid.h"

#include <uuid/uuid.h>

#include <algorithm>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {
namespace {

constexpr size_t kTextLength = 36;

bool IsHyphensPlace(size_t place) { return place == 8 || place == 13 || place == 18 || place == 23; }

constexpr uint8_t kNoDigit = 0xFF;

// What each letter stands for as a hexadecimal digit.
constexpr std::array<uint8_t, 256> DigitsOfLetters() {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (uint8_t i = 0; i < 10; ++i) digits['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) digits['a' + i] = digits['A' + i] = static_cast<uint8_t>(10 + i);
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = DigitsOfLetters();

}  // namespace

// Not by libuuid, which takes several times as long: whoever reads a record parses some.
std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  Uuid parsed;
  size_t place = 0;
  for (uint8_t& byte : parsed.bytes_) {
    if (IsHyphensPlace(place) && text[place++] != '-') return std::nullopt;
    const uint8_t high = kDigits[static_cast<uint8_t>(text[place++])];
    const uint8_t low = kDigits[static_cast<uint8_t>(text[place++])];
    if (high == kNoDigit || low == kNoDigit) return std::nullopt;
    byte = static_cast<uint8_t>(high << 4 | low);
  }
  if (parsed == Uuid()) return std::nullopt;
  return parsed;
}

std::optional<Uuid> Uuid::FromBytes(std::string_view bytes) {
  Uuid uuid;
  if (bytes.size() != uuid.bytes_.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), uuid.bytes_.begin());
  return uuid;
}

Uuid Uuid::Random(RandomSource& random) {
  std::optional<Uuid> uuid = FromBytes(random.Bytes(16));
  ABSL_RAW_CHECK(uuid.has_value(), "a random source gave another number of bytes than it was asked for");
  uuid->bytes_[6] = (uuid->bytes_[6] & 0x0F) | 0x40;
  uuid->bytes_[8] = (uuid->bytes_[8] & 0x3F) | 0x80;
  return *uuid;
}

Uuid Uuid::Derived(const Uuid& space, std::string_view name) {
  Uuid derived;
  uuid_generate_sha1(derived.bytes_.data(), space.bytes_.data(), name.data(), name.size());
  return derived;
}

std::string Uuid::ToString() const {
  char text[kTextLength + 1];
  uuid_unparse_lower(bytes_.data(), text);
  return std::string(text, kTextLength);
}

}  // namespace caresync::base

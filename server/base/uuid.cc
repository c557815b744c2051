#include "server/base/uuid.h"

#include <uuid/uuid.h>

#include <algorithm>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {
namespace {

constexpr size_t kTextLength = 36;

}  // namespace

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  Uuid parsed;
  if (uuid_parse_range(text.data(), text.data() + text.size(), parsed.bytes_.data()) != 0) return std::nullopt;
  if (uuid_is_null(parsed.bytes_.data())) return std::nullopt;
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

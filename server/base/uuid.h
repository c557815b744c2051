// UUIDs: of records, devices, events, sessions.
#ifndef CARESYNC_SERVER_BASE_UUID_H_
#define CARESYNC_SERVER_BASE_UUID_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/random.h"

namespace caresync::base {

// A value; compares bytewise, which is also the order of its text.
class Uuid {
 public:
  // The nil UUID.
  Uuid() = default;

  // Any letter case; the 36-character form with hyphens only. The nil UUID is not accepted.
  static std::optional<Uuid> Parse(std::string_view text);
  // From its 16 bytes.
  static std::optional<Uuid> FromBytes(std::string_view bytes);
  // Version 4.
  static Uuid Random(RandomSource& random);
  // Version 5 (RFC 4122, section 4.3): the same for the same namespace and name.
  static Uuid Derived(const Uuid& space, std::string_view name);

  // Lower case, 36 characters.
  std::string ToString() const;
  // Its 16 bytes.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

  auto operator<=>(const Uuid&) const = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_UUID_H_

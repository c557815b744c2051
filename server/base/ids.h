// The identifiers that every room uses, each a type of its own.
#ifndef CARESYNC_SERVER_BASE_IDS_H_
#define CARESYNC_SERVER_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace caresync::base {

// An agency's name in keys and tokens: 1 to 63 characters of a-z, 0-9 and '-', beginning with a letter.
class TenantId {
 public:
  TenantId() = default;
  // Errors: INVALID_TENANT_ID.
  static absl::StatusOr<TenantId> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  auto operator<=>(const TenantId&) const = default;

 private:
  explicit TenantId(std::string_view text) : text_(text) {}
  std::string text_;
};

// Who has a feed. Opaque bytes to commit/ and feed/; server/records/ makes them.
struct ReceiverId {
  std::string bytes;
  auto operator<=>(const ReceiverId&) const = default;
};

// Names a record within a tenant. Opaque bytes to feed/, ordered bytewise; server/records/ makes them. Never empty for
// a record.
struct RecordKey {
  std::string bytes;
  auto operator<=>(const RecordKey&) const = default;
};

// A place in a tenant's order of commits, from 1; 0 is before the first.
using Revision = uint64_t;

// A revision on a timeline; what a cursor is made of.
struct CommitPoint {
  std::string timeline;
  Revision revision = 0;
  bool operator==(const CommitPoint&) const = default;
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_IDS_H_

// What a change reads of the store as it was before it: a snapshot, and what of it was read already, which nothing
// changes. The changes of one message ask for the same rows again and again, and most of all for rows that are not
// there.
#ifndef CARESYNC_SERVER_COMMIT_REMEMBERED_BASE_H_
#define CARESYNC_SERVER_COMMIT_REMEMBERED_BASE_H_

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/store.h"

namespace caresync::commit {

// Answers as the snapshot does, but that a row which was read before is not looked at for damage again. What it keeps
// is bounded; of what was read beyond that it asks the snapshot each time.
//
// Used by one thread at a time.
class RememberedBase : public storage::Reader {
 public:
  // `snapshot` must outlive its last use, and nothing changes what it shows.
  explicit RememberedBase(const storage::Reader& snapshot) : snapshot_(snapshot) {}

  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override;
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override;
  // `visit` may read from it.
  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override;

 private:
  // All rows that there are between two keys.
  struct Stretch {
    // Behind the last key of it; empty: there is no key behind it.
    std::string end;
    std::vector<std::pair<std::string, std::string>> rows;
  };
  // By the first key of each; no key lies in two.
  using Stretches = std::map<std::string, std::shared_ptr<const Stretch>, std::less<>>;
  using Values = absl::flat_hash_map<std::string, std::optional<std::string>>;

  // The one that the key lies in; nullptr: none.
  std::shared_ptr<const Stretch> StretchAt(storage::Space space, std::string_view key) const;
  absl::Status ScanSnapshot(storage::Space space, const storage::KeyRange& range, size_t limit,
                            storage::RowVisitor visit) const;
  // nullopt: not known.
  std::optional<std::optional<std::string>> Find(storage::Space space, std::string_view key) const;
  void Keep(storage::Space space, std::string_view key, const std::optional<std::string>& value) const;
  void KeepStretch(storage::Space space, const std::string& begin, Stretch stretch, size_t bytes) const;

  const storage::Reader& snapshot_;
  mutable std::array<Values, storage::kSpaceCount> values_;
  mutable std::array<Stretches, storage::kSpaceCount> stretches_;
  mutable size_t kept_bytes_ = 0;
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_REMEMBERED_BASE_H_

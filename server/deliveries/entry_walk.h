// Entries in the order in which a list of them has them, by their places alone.
#ifndef CARESYNC_SERVER_DELIVERIES_ENTRY_WALK_H_
#define CARESYNC_SERVER_DELIVERIES_ENTRY_WALK_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::deliveries {

// A clock that is set back leaves commits whose times do not rise. By more than this it is not looked for: what was
// committed then may be left out of a list by time.
inline constexpr absl::Duration kClockSetBack = absl::Hours(1);

struct EntryPlace {
  base::Uuid carer;
  base::RecordKey visit;
  base::Revision revision = 0;
  // The row by which it was found.
  std::string key;
};

// Whose entries are walked over.
struct WalkOver {
  // Those of one visit come one carer after the other. nullopt: of all.
  std::optional<base::RecordKey> visit;
  std::optional<base::Uuid> carer;
  // Those that were committed before need not be met. Of one visit it is of no effect.
  absl::Time from = absl::InfinitePast();
};

// For one request and one thread. What it was made with must outlive it. Errors are those of reading, and DAMAGED_ROW.
class EntryWalk {
 public:
  EntryWalk(const storage::Reader& reader, const base::TenantId& tenant, const WalkOver& over)
      : reader_(reader), tenant_(tenant), over_(over) {}

  // Goes on behind the key of a place (empty: begins). PAGE_TOKEN_NOT_VALID where the walk has no such key.
  absl::Status GoOnAfter(const std::string& key);
  // At most `most` more; fewer: there are no others.
  absl::StatusOr<std::vector<EntryPlace>> Next(size_t most);

 private:
  bool Parse(std::string_view key, EntryPlace& place) const;
  // All that the walk may meet.
  storage::KeyRange All() const;
  // The first key of the walk, by its time.
  absl::StatusOr<std::string> Begin() const;
  // The first revision of an entry that was committed at `time` or later, as far as the clock went on.
  absl::StatusOr<base::Revision> RevisionAt(absl::Time time) const;
  // The first entry of anybody's at `revision` or later was committed at `time` or later, or there is none.
  absl::StatusOr<bool> IsSince(absl::Time time, base::Revision revision) const;

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const WalkOver& over_;
  storage::KeyRange left_;
};

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_ENTRY_WALK_H_

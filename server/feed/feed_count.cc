#include "server/feed/feed_count.h"

#include <limits>

#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_reader.h"

namespace caresync::feed {

absl::StatusOr<uint64_t> CountAfter(const storage::Reader& reader, const base::TenantId& tenant,
                                    const base::ReceiverId& receiver, const Position& after, uint32_t level,
                                    uint64_t most) {
  ASSIGN_OR_RETURN(const FeedSummary summary, ReadSummary(reader, tenant, receiver));
  if (most == 0 || summary.EndsBy(after)) return 0;
  const Position from = summary.horizon > after ? Position() : after;
  const bool new_copy = from == Position();

  uint64_t count = 0;
  absl::Status damage;
  const auto visit = [&](std::string_view, std::string_view value) {
    const absl::StatusOr<store::FeedEntry> entry = base::ParseStored<store::FeedEntry>(value);
    damage = entry.status();
    if (!entry.ok()) return false;
    const bool held_back = level != 0 && entry->level_above_first() >= level;
    if (!held_back && !(new_copy && entry->removal())) ++count;
    return count < most;
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kFeeds,
                              base::keys::FeedEntriesAfter(tenant, receiver, from.revision, from.record),
                              std::numeric_limits<size_t>::max(), visit));
  RETURN_IF_ERROR(damage);
  return count;
}

}  // namespace caresync::feed

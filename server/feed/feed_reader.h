// A batch of a feed from a position. Delta, rebuild and live sync all read by this.
#ifndef CARESYNC_SERVER_FEED_FEED_READER_H_
#define CARESYNC_SERVER_FEED_FEED_READER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::feed {

struct ReadFrom {
  // Entries strictly after it.
  Position after;
  // Set during a rebuild: the revision S at which it began. Removals up to S are passed over.
  std::optional<base::Revision> rebuild_began;
  // Entries above it are passed over, removals too.
  Level level = kAllLevels;
};

struct FeedBatch {
  std::vector<Entry> entries;
  // Where the next batch begins: the last entry read, passed-over ones included; `after` where nothing was read.
  Position end;
  // True where the snapshot shows nothing after `end`. Where much was passed over, a batch may be empty and yet not the
  // last.
  bool nothing_left = false;
  // What the copy amounts to once nothing is left: the upserts up to the reader's level.
  Totals summary;
  // A removal that the reader may need has been forgotten: entries are empty, and the copy must be made anew.
  bool horizon_passed = false;
};

// The head row; all zero where the receiver has no feed yet.
absl::StatusOr<FeedSummary> ReadSummary(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::ReceiverId& receiver);

// Of `records`, in their order, those that the receiver may see, as their entries; what lies above `level` is left out.
// Errors are those of reading.
absl::StatusOr<std::vector<Entry>> ReadHeld(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::ReceiverId& receiver,
                                            const std::vector<base::RecordKey>& records, Level level);

// Reads at most `most_entries` entries whose payloads come to at most `most_bytes` (`entry_overhead` is counted for
// each besides), or one entry alone if it is larger. Errors are those of reading.
absl::StatusOr<FeedBatch> ReadBatch(const storage::Reader& reader, const base::TenantId& tenant,
                                    const base::ReceiverId& receiver, const ReadFrom& from, size_t most_entries,
                                    size_t most_bytes, size_t entry_overhead);

// The record's entry, where the feed has one: an upsert, or a removal that is not forgotten. Errors are those of
// reading.
absl::StatusOr<std::optional<Entry>> ReadEntry(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::ReceiverId& receiver, const base::RecordKey& record);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_READER_H_

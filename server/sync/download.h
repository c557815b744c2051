// A batch of a carer's feed with the records' payloads, all from one snapshot.
#ifndef CARESYNC_SERVER_SYNC_DOWNLOAD_H_
#define CARESYNC_SERVER_SYNC_DOWNLOAD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/integration_lag.h"
#include "storage/store.h"

namespace caresync::sync {

// Bounds of what a serialized `changes` holds beside the payloads.
// An upsert's kind (2 bytes), ID (38), revision (11) and the lengths of the payload and of itself (4 each); a removal
// has less.
inline constexpr size_t kUpsertOverhead = 59;
// What the session sets: a resume token of at most 202 bytes with its length, three numbers (11 each) and a flag (2).
inline constexpr size_t kChangesOverhead = 240;

struct DownloadBatch {
  // Upserts and removals; token, numbers and progress are the session's to set.
  v1::Changes changes;
  // The carer's next visits and what belongs to them, from the same snapshot, where they were asked for: upserts alone,
  // no larger than a batch. nullopt where there are none, or where the batch leaves nothing that could be waited
  // for.
  std::optional<v1::Changes> next_visits;
  // Of the visits among the upserts of a delta that come as the rota changed them last, those changes.
  std::vector<mismatch::RotaChange> rota_changes;
  // Of the feed: where the batch ends, whether anything is left, count and sum.
  feed::FeedBatch feed;
  // The head in the snapshot.
  base::CommitPoint head;
  // Why the carer may get nothing on this device in this snapshot (WhyNotPermitted, WhyTooOld), and nothing else is
  // filled in then; or, where the session asked for room, why it gets none of a copy now.
  absl::Status refusal;
  // An unfinished fan-out concerns the carer in this snapshot: there is no batch, and nothing else is filled in.
  bool must_wait = false;
};

// What is read of a feed.
struct DownloadWish {
  feed::ReadFrom from;
  // The most that `changes`, and `next_visits`, come to when they are sent, unless one record alone is larger.
  size_t batch_bytes = base::limits::kBatchBytes;
  // The next visits too: `from` is the beginning of a new copy, and the phone holds nothing.
  bool next_visits = false;
  // Of the device, as its start says.
  std::string app_version = {};
};

// A device that is not known yet is being made known by this carer's sync, which permits it. `now`: for what is due by
// time, and for which visits are the next. Errors: DAMAGED_ROW where an entry has no record; those of reading.
absl::StatusOr<DownloadBatch> ReadDownload(const storage::Reader& reader, const base::TenantId& tenant,
                                           const base::Uuid& device, const base::Uuid& carer, const DownloadWish& wish,
                                           absl::Time now);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_DOWNLOAD_H_

// Forgets old removals, so that a feed never outgrows the receiver's records plus recent removals.
#ifndef CARESYNC_SERVER_FEED_FEED_COMPACTION_H_
#define CARESYNC_SERVER_FEED_FEED_COMPACTION_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"

namespace caresync::feed {

// Deletes at most `most` removals of `receiver`'s feed, oldest first, none after `up_to`, and moves the horizon to the
// last one deleted. Returns how many it deleted. Errors are those of reading, and DAMAGED_ROW where the head row counts
// fewer.
absl::StatusOr<size_t> Compact(commit::Transaction& transaction, const base::ReceiverId& receiver,
                               const Position& up_to, size_t most);

// Makes a task of kind kCompactionTask that runs CompactionStep for the receiver's feed.
void ScheduleCompaction(commit::Transaction& transaction, const base::ReceiverId& receiver);

// One step of the task kCompactionTask: forgets the oldest removals until half of limits::kFeedRemovals are left.
// Errors as for Compact, and DAMAGED_ROW where the head row counts more of them than there are.
absl::Status CompactionStep(commit::Transaction& transaction, const std::string& payload);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_COMPACTION_H_

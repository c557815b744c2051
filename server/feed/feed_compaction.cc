#include "server/feed/feed_compaction.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/tasks.h"
#include "server/feed/feed_reader.h"
#include "server/feed/feed_rows.h"
#include "server/feed/feed_writer.h"

namespace caresync::feed {

void ScheduleCompaction(commit::Transaction& transaction, const base::ReceiverId& receiver) {
  // Due since the hour began, so that a feed which hovers around the bound has one task and not one a change.
  const absl::Duration since_epoch = transaction.now() - absl::UnixEpoch();
  const absl::Time due = absl::UnixEpoch() + absl::Floor(since_epoch, absl::Hours(1));
  commit::ScheduleTask(transaction, due, absl::StrCat(kCompactionTask, "/", receiver.bytes), kCompactionTask,
                       receiver.bytes);
}

absl::StatusOr<size_t> Compact(commit::Transaction& transaction, const base::ReceiverId& receiver,
                               const Position& up_to, size_t most) {
  if (most == 0) return 0;
  ASSIGN_OR_RETURN(FeedSummary summary, ReadSummary(transaction, transaction.tenant(), receiver));
  std::vector<Position> old;
  absl::Status damage;
  auto collect = [&](std::string_view key, std::string_view value) {
    absl::StatusOr<Entry> entry = ParseEntryRow(key, value);
    damage = entry.status();
    if (!entry.ok() || entry->position > up_to) return false;
    if (entry->removal) old.push_back(std::move(entry->position));
    return old.size() < most;
  };
  // All removals lie after the horizon: it moves over the oldest first, and new entries come at the end.
  RETURN_IF_ERROR(transaction.Scan(
      storage::Space::kFeeds,
      base::keys::FeedEntriesAfter(transaction.tenant(), receiver, summary.horizon.revision, summary.horizon.record),
      std::numeric_limits<size_t>::max(), collect));
  RETURN_IF_ERROR(damage);
  if (old.empty()) return 0;
  if (summary.removals < old.size()) {
    return base::errors::DamagedRow("a feed's head row, which counts too few removals");
  }
  for (const Position& position : old) ForgetEntry(transaction, receiver, position);
  summary.removals -= old.size();
  summary.horizon = old.back();
  PutSummary(transaction, receiver, summary);
  return old.size();
}

absl::Status CompactionStep(commit::Transaction& transaction, const std::string& payload) {
  constexpr uint64_t kKept = base::limits::kFeedRemovals / 2;
  const base::ReceiverId receiver{payload};
  ASSIGN_OR_RETURN(const FeedSummary summary, ReadSummary(transaction, transaction.tenant(), receiver));
  if (summary.removals <= kKept) return absl::OkStatus();
  const uint64_t too_many = summary.removals - kKept;
  const size_t most = std::min<uint64_t>(too_many, base::limits::kCompactedPerCommit);
  ASSIGN_OR_RETURN(const size_t forgotten,
                   Compact(transaction, receiver, Position::EndOf(summary.last_revision), most));
  // Another step would find as little, and another one.
  if (forgotten == 0) return base::errors::DamagedRow("a feed's head row, which counts too many removals");
  if (too_many > most) ScheduleCompaction(transaction, receiver);
  return absl::OkStatus();
}

}  // namespace caresync::feed

#include "server/feed/feed_writer.h"

#include <optional>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_reader.h"
#include "server/feed/feed_rows.h"

namespace caresync::feed {
namespace {

bool StandsFor(const Entry& entry, const RecordVersion& version) {
  // One revision may write a record twice, so its number alone does not tell two versions apart.
  return !entry.removal && entry.version == version.version && entry.fingerprint == version.fingerprint &&
         entry.payload_bytes == version.payload_bytes && entry.level == version.level;
}

bool HasTooManyRemovals(const FeedSummary& summary) {
  return summary.removals > summary.count + base::limits::kFeedRemovals;
}

// A compaction that was parked, and so lost, is asked for again at each further step of removals.
bool IsNextStep(const FeedSummary& summary, const Entry& added) {
  return added.removal && summary.removals % base::limits::kFeedRemovals == 0;
}

absl::Status TakeOut(FeedSummary& summary, const Entry& entry) {
  if (entry.removal) {
    if (summary.removals == 0) return base::errors::DamagedRow("a feed's head row, which counts too few removals");
    --summary.removals;
    return absl::OkStatus();
  }
  if (summary.count == 0 || summary.payload_bytes < entry.payload_bytes) {
    return base::errors::DamagedRow("a feed's head row, which counts too few records");
  }
  --summary.count;
  summary.sum -= entry.fingerprint;
  summary.payload_bytes -= entry.payload_bytes;
  if (entry.level == kFirstLevel) return absl::OkStatus();
  Totals& level = summary.above_first[entry.level];
  if (level.count == 0 || level.payload_bytes < entry.payload_bytes) {
    return base::errors::DamagedRow("a feed's head row, which does not count what a data level needs");
  }
  --level.count;
  level.sum -= entry.fingerprint;
  level.payload_bytes -= entry.payload_bytes;
  if (level.count == 0) summary.above_first.erase(entry.level);
  return absl::OkStatus();
}

void PutIn(FeedSummary& summary, const Entry& entry) {
  summary.last_revision = entry.position.revision;
  if (entry.removal) {
    ++summary.removals;
    return;
  }
  ++summary.count;
  summary.sum += entry.fingerprint;
  summary.payload_bytes += entry.payload_bytes;
  if (entry.level == kFirstLevel) return;
  Totals& level = summary.above_first[entry.level];
  ++level.count;
  level.sum += entry.fingerprint;
  level.payload_bytes += entry.payload_bytes;
}

// Puts `entry` in the place of `before`, at the end of the feed.
absl::Status Move(commit::Transaction& transaction, const base::ReceiverId& receiver,
                  const std::optional<Entry>& before, const Entry& entry) {
  ASSIGN_OR_RETURN(FeedSummary summary, ReadSummary(transaction, transaction.tenant(), receiver));
  const bool had_too_many = HasTooManyRemovals(summary);
  if (before.has_value()) {
    RETURN_IF_ERROR(TakeOut(summary, *before));
    DeleteEntry(transaction, receiver, before->position);
  }
  PutIn(summary, entry);
  PutEntry(transaction, receiver, entry);
  PutSummary(transaction, receiver, summary);
  transaction.Announce(receiver);
  if (HasTooManyRemovals(summary) && (!had_too_many || IsNextStep(summary, entry))) {
    ScheduleCompaction(transaction, receiver);
  }
  return absl::OkStatus();
}

// The receiver never had what this revision alone showed it: no removal tells of it, and an older one (`first`) stays
// where it was.
absl::Status PutBack(commit::Transaction& transaction, const base::ReceiverId& receiver, const Entry& entry,
                     const std::optional<Entry>& first) {
  ASSIGN_OR_RETURN(FeedSummary summary, ReadSummary(transaction, transaction.tenant(), receiver));
  RETURN_IF_ERROR(TakeOut(summary, entry));
  ForgetEntry(transaction, receiver, entry.position);
  if (first.has_value()) {
    ++summary.removals;
    PutEntry(transaction, receiver, *first);
  }
  PutSummary(transaction, receiver, summary);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Moved> FeedWriter::Upsert(const base::ReceiverId& receiver, const RecordVersion& version) {
  ASSIGN_OR_RETURN(const std::optional<Entry> before,
                   ReadEntryOf(transaction_, transaction_.tenant(), receiver, version.record));
  if (before.has_value() && StandsFor(*before, version)) return Moved::kNot;
  RETURN_IF_ERROR(Move(transaction_, receiver, before,
                       {.position = {.revision = transaction_.revision(), .record = version.record},
                        .version = version.version,
                        .fingerprint = version.fingerprint,
                        .payload_bytes = version.payload_bytes,
                        .level = version.level}));
  ++moved_;
  return before.has_value() && !before->removal ? Moved::kAgain : Moved::kAppeared;
}

absl::StatusOr<Moved> FeedWriter::Remove(const base::ReceiverId& receiver, const base::RecordKey& record) {
  ASSIGN_OR_RETURN(const std::optional<Entry> before,
                   ReadEntryOf(transaction_, transaction_.tenant(), receiver, record));
  if (!before.has_value() || before->removal) return Moved::kNot;
  const bool moved_now = before->position.revision == transaction_.revision();
  if (moved_now) {
    ASSIGN_OR_RETURN(const std::optional<Entry> first,
                     ReadEntryOf(transaction_.base(), transaction_.tenant(), receiver, record));
    if (!first.has_value() || first->removal) {
      RETURN_IF_ERROR(PutBack(transaction_, receiver, *before, first));
      return Moved::kDisappeared;
    }
  }
  RETURN_IF_ERROR(Move(
      transaction_, receiver, before,
      {.position = {.revision = transaction_.revision(), .record = record}, .removal = true, .level = before->level}));
  ++moved_;
  return Moved::kDisappeared;
}

}  // namespace caresync::feed

#include "server/feed/feed_writer.h"

#include <optional>

#include "absl/base/internal/raw_logging.h"
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
         entry.payload_bytes == version.payload_bytes;
}

bool HasTooManyRemovals(const FeedSummary& summary) {
  return summary.removals > summary.count + base::limits::kFeedRemovals;
}

void TakeOut(FeedSummary& summary, const Entry& entry) {
  if (entry.removal) {
    ABSL_RAW_CHECK(summary.removals > 0, "a feed's head row does not count a removal that the feed has");
    --summary.removals;
    return;
  }
  ABSL_RAW_CHECK(summary.count > 0 && summary.payload_bytes >= entry.payload_bytes,
                 "a feed's head row does not count a record that the feed has");
  --summary.count;
  summary.sum -= entry.fingerprint;
  summary.payload_bytes -= entry.payload_bytes;
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
}

// Puts `entry` in the place of `before`, at the end of the feed.
absl::Status Move(commit::Transaction& transaction, const base::ReceiverId& receiver,
                  const std::optional<Entry>& before, const Entry& entry) {
  ASSIGN_OR_RETURN(FeedSummary summary, ReadSummary(transaction, transaction.tenant(), receiver));
  const bool had_too_many = HasTooManyRemovals(summary);
  if (before.has_value()) {
    TakeOut(summary, *before);
    DeleteEntry(transaction, receiver, before->position);
  }
  PutIn(summary, entry);
  PutEntry(transaction, receiver, entry);
  PutSummary(transaction, receiver, summary);
  transaction.Announce(receiver);
  if (HasTooManyRemovals(summary) && !had_too_many) ScheduleCompaction(transaction, receiver);
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
                        .payload_bytes = version.payload_bytes}));
  ++moved_;
  return before.has_value() && !before->removal ? Moved::kAgain : Moved::kAppeared;
}

absl::StatusOr<Moved> FeedWriter::Remove(const base::ReceiverId& receiver, const base::RecordKey& record) {
  ASSIGN_OR_RETURN(const std::optional<Entry> before,
                   ReadEntryOf(transaction_, transaction_.tenant(), receiver, record));
  if (!before.has_value() || before->removal) return Moved::kNot;
  RETURN_IF_ERROR(Move(transaction_, receiver, before,
                       {.position = {.revision = transaction_.revision(), .record = record}, .removal = true}));
  ++moved_;
  return Moved::kDisappeared;
}

}  // namespace caresync::feed

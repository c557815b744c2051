#include "server/feed/feed_writer.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_reader.h"
#include "server/feed/feed_rows.h"

namespace caresync::feed {
namespace {

// Head rows kept at hand: a fan-out walks over fewer carers together.
constexpr size_t kHeadsKept = 256;

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

bool HaveOneForm(const Entry& entry, const Entry& other) {
  return entry.position.revision == other.position.revision && entry.removal == other.removal &&
         entry.version == other.version && entry.fingerprint == other.fingerprint &&
         entry.payload_bytes == other.payload_bytes && entry.level == other.level;
}

}  // namespace

absl::Status FeedWriter::ReadAhead(absl::Span<const base::ReceiverId> receivers,
                                   absl::Span<const base::RecordKey> records) {
  const base::TenantId& tenant = transaction_.tenant();
  std::vector<std::string> keys;
  keys.reserve(receivers.size() * (records.size() + 1));
  for (const base::ReceiverId& receiver : receivers) {
    if (HeadAtHand(receiver) == nullptr) keys.push_back(base::keys::FeedHead(tenant, receiver));
    // A feed's places lie side by side: in this order they are found in the same blocks.
    for (const base::RecordKey& record : records) keys.push_back(base::keys::FeedPlace(tenant, receiver, record));
  }
  return transaction_.ReadAhead(storage::Space::kFeeds, std::move(keys));
}

FeedWriter::Head* FeedWriter::HeadAtHand(const base::ReceiverId& receiver) {
  const auto known = heads_.find(receiver);
  return known != heads_.end() && transaction_.Stands(known->second.row) ? &known->second : nullptr;
}

absl::StatusOr<FeedWriter::Head*> FeedWriter::HeadOf(const base::ReceiverId& receiver) {
  if (Head* const known = HeadAtHand(receiver); known != nullptr) return known;
  ASSIGN_OR_RETURN(FeedSummary summary, ReadSummary(transaction_, transaction_.tenant(), receiver));
  if (heads_.size() >= kHeadsKept) heads_.clear();
  return &(heads_[receiver] = {.summary = std::move(summary), .row = {}, .announced = false});
}

void FeedWriter::PutHead(const base::ReceiverId& receiver, FeedSummary summary, Head& head) {
  if (transaction_.Stands(head.row)) {
    PutSummaryAgain(transaction_, head.row, summary);
  } else {
    head.row = PutSummary(transaction_, receiver, summary);
  }
  head.summary = std::move(summary);
}

const EntryForms& FeedWriter::FormsAtHand(const Entry& entry) {
  if (!formed_.has_value() || !HaveOneForm(*formed_, entry)) {
    forms_ = FormsOf(entry);
    formed_ = entry;
  }
  return forms_;
}

absl::Status FeedWriter::Move(const base::ReceiverId& receiver, const std::optional<Entry>& before,
                              const Entry& entry) {
  ASSIGN_OR_RETURN(Head* const head, HeadOf(receiver));
  // A copy: what is kept at hand stays as the row is, should this fail.
  FeedSummary summary = head->summary;
  const bool had_too_many = HasTooManyRemovals(summary);
  if (before.has_value()) {
    RETURN_IF_ERROR(TakeOut(summary, *before));
    DeleteEntry(transaction_, receiver, before->position);
  }
  PutIn(summary, entry);
  PutEntry(transaction_, receiver, entry.position, FormsAtHand(entry));
  const bool too_many_now = HasTooManyRemovals(summary) && (!had_too_many || IsNextStep(summary, entry));
  PutHead(receiver, std::move(summary), *head);
  if (!head->announced) transaction_.Announce(receiver);
  head->announced = true;
  if (too_many_now) ScheduleCompaction(transaction_, receiver);
  return absl::OkStatus();
}

absl::Status FeedWriter::PutBack(const base::ReceiverId& receiver, const Entry& entry,
                                 const std::optional<Entry>& first) {
  ASSIGN_OR_RETURN(Head* const head, HeadOf(receiver));
  FeedSummary summary = head->summary;
  RETURN_IF_ERROR(TakeOut(summary, entry));
  ForgetEntry(transaction_, receiver, entry.position);
  if (first.has_value()) {
    ++summary.removals;
    PutEntry(transaction_, receiver, *first);
  }
  PutHead(receiver, std::move(summary), *head);
  return absl::OkStatus();
}

absl::StatusOr<Moved> FeedWriter::Upsert(const base::ReceiverId& receiver, const RecordVersion& version) {
  ASSIGN_OR_RETURN(const std::optional<Entry> before,
                   ReadEntryOf(transaction_, transaction_.tenant(), receiver, version.record));
  if (before.has_value() && StandsFor(*before, version)) return Moved::kNot;
  RETURN_IF_ERROR(Move(receiver, before,
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
      RETURN_IF_ERROR(PutBack(receiver, *before, first));
      return Moved::kDisappeared;
    }
  }
  RETURN_IF_ERROR(Move(
      receiver, before,
      {.position = {.revision = transaction_.revision(), .record = record}, .removal = true, .level = before->level}));
  ++moved_;
  return Moved::kDisappeared;
}

}  // namespace caresync::feed

#include "server/feed/feed_reader.h"

#include "absl/base/internal/raw_logging.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_rows.h"

namespace caresync::feed {
namespace {

// Rows read for each entry wanted: what a rebuild passes over costs time as well.
constexpr size_t kRowsPerEntry = 4;

// The earliest position whose removals the reader still needs.
Position NeedsRemovalsAfter(const ReadFrom& from) {
  return from.rebuild_began.has_value() ? Position::EndOf(*from.rebuild_began) : from.after;
}

// A copy never had what its app cannot keep; one that is being made never had what was removed before it was begun.
bool PassedOver(const Entry& entry, const ReadFrom& from) {
  if (entry.level > from.level) return true;
  if (!entry.removal || !from.rebuild_began.has_value()) return false;
  return entry.position.revision <= *from.rebuild_began ||
         base::HasPlantedBug(base::PlantedBug::kRebuildWithoutLateRemovals);
}

}  // namespace

absl::StatusOr<FeedSummary> ReadSummary(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::ReceiverId& receiver) {
  ASSIGN_OR_RETURN(
      const std::optional<store::FeedHead> head,
      base::GetStored<store::FeedHead>(reader, storage::Space::kFeeds, base::keys::FeedHead(tenant, receiver)));
  if (!head.has_value()) return FeedSummary{};
  // Whoever made a copy anew would be past it again: without end.
  if (head->horizon_revision() > head->last_revision()) {
    return base::errors::DamagedRow("a feed's head row, whose horizon lies behind its last entry");
  }
  FeedSummary summary{
      .count = head->count(),
      .sum = head->sum(),
      .payload_bytes = head->payload_bytes(),
      .above_first = {},
      .removals = head->removals(),
      .last_revision = head->last_revision(),
      .horizon = {.revision = head->horizon_revision(), .record = {head->horizon_record()}},
  };
  for (const store::FeedHead::LevelSum& level : head->levels()) {
    summary.above_first[level.level()] = {level.count(), level.sum(), level.payload_bytes()};
  }
  return summary;
}

absl::StatusOr<std::vector<Entry>> ReadHeld(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::ReceiverId& receiver,
                                            const std::vector<base::RecordKey>& records, Level level) {
  ASSIGN_OR_RETURN(std::vector<std::optional<Entry>> entries, ReadEntriesOf(reader, tenant, receiver, records));
  std::vector<Entry> held;
  for (std::optional<Entry>& entry : entries) {
    if (entry.has_value() && !entry->removal && entry->level <= level) held.push_back(*std::move(entry));
  }
  return held;
}

absl::StatusOr<FeedBatch> ReadBatch(const storage::Reader& reader, const base::TenantId& tenant,
                                    const base::ReceiverId& receiver, const ReadFrom& from, size_t most_entries,
                                    size_t most_bytes, size_t entry_overhead) {
  ABSL_RAW_CHECK(most_entries > 0, "a batch holds at least one entry");
  FeedBatch batch;
  batch.end = from.after;
  ASSIGN_OR_RETURN(const FeedSummary summary, ReadSummary(reader, tenant, receiver));
  batch.summary = summary.Through(from.level);
  if (summary.horizon > NeedsRemovalsAfter(from)) {
    batch.horizon_passed = true;
    if (!base::HasPlantedBug(base::PlantedBug::kHorizonAtStartOnly)) return batch;
  }

  batch.nothing_left = true;
  // A caught-up device asks no more than that: the rows of removals that were compacted since are not met.
  if (summary.EndsBy(from.after)) return batch;

  const size_t most_rows = kRowsPerEntry * most_entries;
  size_t rows = 0;
  size_t bytes = 0;
  absl::Status damage;
  auto add = [&](std::string_view key, std::string_view value) {
    absl::StatusOr<Entry> entry = ParseEntryRow(key, value);
    damage = entry.status();
    if (!entry.ok()) return false;
    const bool passed_over = PassedOver(*entry, from);
    const size_t size = entry->payload_bytes + entry_overhead;
    const bool full = batch.entries.size() == most_entries || (!batch.entries.empty() && bytes + size > most_bytes);
    if (rows == most_rows || (full && !passed_over)) {
      batch.nothing_left = false;
      return false;
    }
    ++rows;
    batch.end = entry->position;
    if (passed_over) return true;
    bytes += size;
    batch.entries.push_back(*std::move(entry));
    return true;
  };
  // One row more than are used shows whether anything is left.
  RETURN_IF_ERROR(reader.Scan(storage::Space::kFeeds,
                              base::keys::FeedEntriesAfter(tenant, receiver, from.after.revision, from.after.record),
                              most_rows + 1, add));
  RETURN_IF_ERROR(damage);
  return batch;
}

absl::StatusOr<std::optional<Entry>> ReadEntry(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::ReceiverId& receiver, const base::RecordKey& record) {
  return ReadEntryOf(reader, tenant, receiver, record);
}

}  // namespace caresync::feed

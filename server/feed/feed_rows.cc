#include "server/feed/feed_rows.h"

#include <string>
#include <utility>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::feed {
namespace {

constexpr storage::Space kSpace = storage::Space::kFeeds;

Entry FromStored(Position position, const store::FeedEntry& stored) {
  return {.position = std::move(position),
          .removal = stored.removal(),
          .version = stored.version(),
          .fingerprint = stored.fingerprint(),
          .payload_bytes = stored.payload_bytes(),
          .level = kFirstLevel + stored.level_above_first()};
}

store::FeedEntry ToStored(const Entry& entry) {
  store::FeedEntry stored;
  stored.set_removal(entry.removal);
  stored.set_version(entry.version);
  stored.set_fingerprint(entry.fingerprint);
  stored.set_payload_bytes(entry.payload_bytes);
  stored.set_level_above_first(entry.level - kFirstLevel);
  return stored;
}

std::string FormOf(const FeedSummary& summary) {
  store::FeedHead head;
  head.set_count(summary.count);
  head.set_sum(summary.sum);
  head.set_payload_bytes(summary.payload_bytes);
  head.set_removals(summary.removals);
  head.set_last_revision(summary.last_revision);
  head.set_horizon_revision(summary.horizon.revision);
  head.set_horizon_record(summary.horizon.record.bytes);
  for (const auto& [level, totals] : summary.above_first) {
    store::FeedHead::LevelSum& stored = *head.add_levels();
    stored.set_level(level);
    stored.set_count(totals.count);
    stored.set_sum(totals.sum);
    stored.set_payload_bytes(totals.payload_bytes);
  }
  return head.SerializeAsString();
}

}  // namespace

absl::StatusOr<Entry> ParseEntryRow(std::string_view key, std::string_view value) {
  Position position;
  if (!base::keys::ParseFeedEntry(key, &position.revision, &position.record)) {
    return base::errors::DamagedRow("a feed entry's key");
  }
  ASSIGN_OR_RETURN(const store::FeedEntry stored, base::ParseStored<store::FeedEntry>(value));
  return FromStored(std::move(position), stored);
}

absl::StatusOr<std::optional<Entry>> ReadEntryOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const base::ReceiverId& receiver, const base::RecordKey& record) {
  ASSIGN_OR_RETURN(const std::optional<store::FeedPlace> place,
                   base::GetStored<store::FeedPlace>(reader, kSpace, base::keys::FeedPlace(tenant, receiver, record)));
  if (!place.has_value()) return std::nullopt;
  return FromStored({.revision = place->revision(), .record = record}, place->entry());
}

absl::StatusOr<std::vector<std::optional<Entry>>> ReadEntriesOf(const storage::Reader& reader,
                                                                const base::TenantId& tenant,
                                                                const base::ReceiverId& receiver,
                                                                const std::vector<base::RecordKey>& records) {
  std::vector<std::string> keys;
  keys.reserve(records.size());
  for (const base::RecordKey& record : records) keys.push_back(base::keys::FeedPlace(tenant, receiver, record));
  ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> rows, reader.MultiGet(kSpace, keys));
  std::vector<std::optional<Entry>> entries(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    if (!rows[i].has_value()) continue;
    ASSIGN_OR_RETURN(const store::FeedPlace place, base::ParseStored<store::FeedPlace>(*rows[i]));
    entries[i] = FromStored({.revision = place.revision(), .record = records[i]}, place.entry());
  }
  return entries;
}

EntryForms FormsOf(const Entry& entry) {
  store::FeedPlace place;
  place.set_revision(entry.position.revision);
  *place.mutable_entry() = ToStored(entry);
  return {.entry = place.entry().SerializeAsString(), .place = place.SerializeAsString()};
}

void PutEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Entry& entry) {
  PutEntry(transaction, receiver, entry.position, FormsOf(entry));
}

void PutEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position,
              EntryForms forms) {
  const auto& [revision, record] = position;
  transaction.Put(kSpace, base::keys::FeedEntry(transaction.tenant(), receiver, revision, record),
                  std::move(forms.entry));
  transaction.Put(kSpace, base::keys::FeedPlace(transaction.tenant(), receiver, record), std::move(forms.place));
}

void DeleteEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position) {
  transaction.Delete(kSpace, base::keys::FeedEntry(transaction.tenant(), receiver, position.revision, position.record));
}

void ForgetEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position) {
  DeleteEntry(transaction, receiver, position);
  transaction.Delete(kSpace, base::keys::FeedPlace(transaction.tenant(), receiver, position.record));
}

commit::Transaction::PutRow PutSummary(commit::Transaction& transaction, const base::ReceiverId& receiver,
                                       const FeedSummary& summary) {
  return transaction.Put(kSpace, base::keys::FeedHead(transaction.tenant(), receiver), FormOf(summary));
}

void PutSummaryAgain(commit::Transaction& transaction, commit::Transaction::PutRow& row, const FeedSummary& summary) {
  transaction.PutAgain(row, FormOf(summary));
}

}  // namespace caresync::feed

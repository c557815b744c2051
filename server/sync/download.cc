#include "server/sync/download.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/timeline.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"
#include "server/records/fan_out.h"
#include "server/records/next_visits.h"
#include "server/records/record_key.h"
#include "server/sync/start_check.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {
namespace {

// What a batch has for its upserts and removals.
size_t RoomOf(const DownloadWish& wish) {
  return wish.batch_bytes > kChangesOverhead ? wish.batch_bytes - kChangesOverhead : 0;
}

absl::StatusOr<records::RecordName> NameOfEntry(const feed::Entry& entry) {
  const std::optional<records::RecordName> name = records::NameOf(entry.position.record);
  if (!name.has_value()) return base::errors::DamagedRow("a feed entry's record key");
  return *name;
}

// `rota_changes` gets those by which visits have the place in the feed that they have; nullptr: nobody asks.
absl::Status FillChanges(const storage::Reader& reader, const base::TenantId& tenant,
                         const std::vector<feed::Entry>& entries, v1::Changes& changes,
                         std::vector<mismatch::RotaChange>* rota_changes) {
  std::vector<std::string> keys;
  for (const feed::Entry& entry : entries) {
    if (!entry.removal) keys.push_back(base::keys::Record(tenant, entry.position.record));
  }
  ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> rows, reader.MultiGet(storage::Space::kRecords, keys));
  size_t next = 0;
  for (const feed::Entry& entry : entries) {
    ASSIGN_OR_RETURN(records::RecordName name, NameOfEntry(entry));
    if (entry.removal) {
      v1::Removal* removal = changes.add_removals();
      removal->set_kind(name.kind);
      removal->set_record_id(name.id.ToString());
      continue;
    }
    const std::optional<std::string>& row = rows[next++];
    if (!row.has_value()) return base::errors::DamagedRow("a feed entry without its record");
    ASSIGN_OR_RETURN(store::Record record, base::ParseStored<store::Record>(*row));
    // Where no fan-out is under way, feeds and records changed in one commit: in one snapshot they cannot differ.
    if (record.version() != entry.version)
      return base::errors::DamagedRow("a feed entry of another version than its record");
    const bool is_as_placed =
        name.kind == v1::RECORD_KIND_VISIT && entry.position.revision == record.changed_revision();
    if (rota_changes != nullptr && is_as_placed) {
      const std::optional<mismatch::RotaChange> change = mismatch::LastRotaChange(record);
      if (change.has_value()) rota_changes->push_back(*change);
    }
    v1::Upsert* upsert = changes.add_upserts();
    upsert->set_kind(name.kind);
    upsert->set_record_id(name.id.ToString());
    upsert->set_revision(record.version());
    upsert->set_allocated_payload(record.release_payload());
  }
  return absl::OkStatus();
}

// As many of them as the bytes hold: what comes after is less urgent. nullopt where that is no visit at all.
absl::StatusOr<std::optional<v1::Changes>> ReadNextVisits(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer, const DownloadWish& wish,
                                                          absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<feed::Entry> entries, records::NextVisits(reader, tenant, carer, wish.from.level, now));
  size_t fitting = 0;
  size_t bytes = 0;
  bool any_visit = false;
  for (const feed::Entry& entry : entries) {
    bytes += entry.payload_bytes + kUpsertOverhead;
    if (bytes > RoomOf(wish)) break;
    ++fitting;
    ASSIGN_OR_RETURN(const records::RecordName name, NameOfEntry(entry));
    any_visit |= name.kind == v1::RECORD_KIND_VISIT;
  }
  if (!any_visit) return std::optional<v1::Changes>();
  entries.resize(fitting);
  v1::Changes changes;
  changes.set_next_visits(true);
  RETURN_IF_ERROR(FillChanges(reader, tenant, entries, changes, nullptr));
  return std::optional<v1::Changes>(std::move(changes));
}

}  // namespace

absl::StatusOr<DownloadBatch> ReadDownload(const storage::Reader& reader, const base::TenantId& tenant,
                                           const base::Uuid& device, const base::Uuid& carer, const DownloadWish& wish,
                                           absl::Time now) {
  DownloadBatch batch;
  ASSIGN_OR_RETURN(const std::optional<store::Device> device_row, devices::ReadDevice(reader, tenant, device));
  ASSIGN_OR_RETURN(const bool left, devices::HasLeft(reader, tenant, carer));
  batch.refusal = WhyNotPermitted(device_row, carer, left);
  if (!batch.refusal.ok()) return batch;
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  batch.refusal = WhyTooOld(preferences, wish.app_version);
  if (!batch.refusal.ok()) return batch;
  const base::ReceiverId receiver = records::CarerReceiver(carer);
  ASSIGN_OR_RETURN(batch.must_wait, records::MustWait(reader, tenant, receiver, now));
  if (batch.must_wait) return batch;
  ASSIGN_OR_RETURN(batch.head, commit::ReadHead(reader, tenant));
  ASSIGN_OR_RETURN(batch.feed, feed::ReadBatch(reader, tenant, receiver, wish.from, base::limits::kBatchRecords,
                                               RoomOf(wish), kUpsertOverhead));
  // What comes with a copy may have been changed at any time.
  const bool is_delta = !wish.from.rebuild_began.has_value();
  RETURN_IF_ERROR(
      FillChanges(reader, tenant, batch.feed.entries, batch.changes, is_delta ? &batch.rota_changes : nullptr));
  // What is whole with this batch is shown as soon.
  if (!wish.next_visits || batch.feed.horizon_passed || batch.feed.nothing_left) return batch;
  ASSIGN_OR_RETURN(batch.next_visits, ReadNextVisits(reader, tenant, carer, wish, now));
  return batch;
}

}  // namespace caresync::sync

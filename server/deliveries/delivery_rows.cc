#include "server/deliveries/delivery_rows.h"

#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::deliveries {

namespace keys = base::keys;
using storage::Space;

feed::Position Mark::position() const { return {row.position_revision(), {row.position_record()}}; }

bool Mark::is_whole() const { return position() >= feed::Position::EndOf(row.revision()); }

void PutEntry(commit::Transaction& transaction, const base::Uuid& carer, const base::RecordKey& visit,
              const store::VisitEntry& row) {
  const base::TenantId& tenant = transaction.tenant();
  const base::Revision revision = transaction.revision();
  transaction.Put(Space::kRecords, keys::VisitEntry(tenant, carer, revision, visit), row.SerializeAsString());
  transaction.Put(Space::kRecords, keys::VisitEntryByVisit(tenant, visit, carer, revision), std::string());
  transaction.Put(Space::kRecords, keys::VisitEntryByRevision(tenant, revision, carer, visit), std::string());
}

void DeleteEntry(commit::Transaction& transaction, const base::Uuid& carer, const base::RecordKey& visit,
                 base::Revision revision) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Delete(Space::kRecords, keys::VisitEntry(tenant, carer, revision, visit));
  transaction.Delete(Space::kRecords, keys::VisitEntryByVisit(tenant, visit, carer, revision));
  transaction.Delete(Space::kRecords, keys::VisitEntryByRevision(tenant, revision, carer, visit));
}

absl::StatusOr<std::optional<Entry>> GetEntry(const storage::Reader& reader, const base::TenantId& tenant,
                                              const base::Uuid& carer, base::Revision revision,
                                              const base::RecordKey& visit) {
  ASSIGN_OR_RETURN(
      std::optional<store::VisitEntry> row,
      base::GetStored<store::VisitEntry>(reader, Space::kRecords, keys::VisitEntry(tenant, carer, revision, visit)));
  if (!row.has_value()) return std::nullopt;
  return Entry{carer, visit, revision, *std::move(row)};
}

absl::StatusOr<std::vector<Entry>> ReadEntries(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::Uuid& carer, const feed::Position& after, size_t most) {
  std::vector<Entry> entries;
  absl::Status status;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::VisitEntriesOf(tenant, carer, after.revision, after.record), most,
                              [&](std::string_view key, std::string_view value) {
                                Entry& entry = entries.emplace_back();
                                if (!keys::ParseVisitEntry(key, &entry.carer, &entry.revision, &entry.visit)) {
                                  status = base::errors::DamagedRow("the key of a visit's entry");
                                  return false;
                                }
                                absl::StatusOr<store::VisitEntry> row = base::ParseStored<store::VisitEntry>(value);
                                status = row.status();
                                if (row.ok()) entry.row = *std::move(row);
                                return status.ok();
                              }));
  RETURN_IF_ERROR(status);
  return entries;
}

absl::StatusOr<std::vector<Mark>> ReadMarks(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::Uuid& device, const base::Uuid& carer, uint64_t after,
                                            size_t most) {
  std::vector<Mark> marks;
  absl::Status status;
  RETURN_IF_ERROR(reader.Scan(Space::kDevices, keys::CopyMarksAfter(tenant, device, carer, after), most,
                              [&](std::string_view key, std::string_view value) {
                                Mark& mark = marks.emplace_back();
                                base::Uuid of_device;
                                base::Uuid of_carer;
                                if (!keys::ParseCopyMark(key, &of_device, &of_carer, &mark.number)) {
                                  status = base::errors::DamagedRow("the key of a copy's mark");
                                  return false;
                                }
                                absl::StatusOr<store::CopyMark> row = base::ParseStored<store::CopyMark>(value);
                                status = row.status();
                                if (row.ok()) mark.row = *std::move(row);
                                return status.ok();
                              }));
  RETURN_IF_ERROR(status);
  return marks;
}

}  // namespace caresync::deliveries

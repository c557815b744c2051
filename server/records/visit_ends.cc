#include "server/records/visit_ends.h"

#include <set>
#include <string>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/record_key.h"

namespace caresync::records {
namespace {

constexpr storage::Space kSpace = storage::Space::kRecords;

// The index's keys that the record, as it is, stands under.
absl::StatusOr<std::set<std::string>> KeysOf(const base::TenantId& tenant, const store::Record& record) {
  std::set<std::string> keys;
  if (record.kind() != v1::RECORD_KIND_VISIT || !record.published() || record.cancelled()) return keys;
  const std::optional<base::Uuid> id = base::Uuid::Parse(record.record_id());
  if (!id.has_value()) return base::errors::DamagedRow("a visit's ID");
  const base::RecordKey key = KeyOf({v1::RECORD_KIND_VISIT, *id});
  ASSIGN_OR_RETURN(const v1::Visit visit, base::ParseStored<v1::Visit>(record.payload()));
  for (const v1::Assignment& assignment : visit.assignments()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(assignment.carer_id());
    const std::optional<absl::Time> end = base::FromTimestamp(assignment.end_time());
    if (!carer.has_value() || !end.has_value()) return base::errors::DamagedRow("a visit's assignment");
    keys.insert(base::keys::VisitEnd(tenant, *carer, base::ToStoredTime(*end), key));
  }
  return keys;
}

}  // namespace

absl::Status IndexVisitEnds(commit::Transaction& transaction, const std::optional<store::Record>& before,
                            const store::Record& after) {
  std::set<std::string> old_keys;
  if (before.has_value()) {
    ASSIGN_OR_RETURN(old_keys, KeysOf(transaction.tenant(), *before));
  }
  ASSIGN_OR_RETURN(const std::set<std::string> new_keys, KeysOf(transaction.tenant(), after));
  for (const std::string& key : old_keys) {
    if (!new_keys.contains(key)) transaction.Delete(kSpace, key);
  }
  for (const std::string& key : new_keys) {
    if (!old_keys.contains(key)) transaction.Put(kSpace, key, std::string());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int64_t>> FirstVisitEnd(const storage::Reader& reader, const base::TenantId& tenant,
                                                     const base::Uuid& carer, int64_t after_us, int64_t until_us) {
  std::optional<int64_t> first;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(kSpace, base::keys::VisitEndsAfter(tenant, carer, after_us), 1,
                              [&](std::string_view key, std::string_view) {
                                base::Uuid found;
                                base::RecordKey visit;
                                damaged = !base::keys::ParseVisitEnd(key, &found, &first.emplace(), &visit);
                                // It is the only one: a scan that is read to its end may be remembered.
                                return true;
                              }));
  if (damaged) return base::errors::DamagedRow("the end of a carer's visit");
  if (first.has_value() && *first > until_us) first.reset();
  return first;
}

}  // namespace caresync::records

#include "server/records/grants.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/groups.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using base::Uuid;
using storage::Space;

constexpr char kSelf[] = "self";
constexpr char kAccess[] = "access";

// An ID inside a stored record was resolved by this server: anything else is damage.
absl::StatusOr<Uuid> StoredId(std::string_view text) {
  const std::optional<Uuid> id = Uuid::Parse(text);
  if (!id.has_value()) return base::errors::DamagedRow("a record that holds an ID which is no UUID");
  return *id;
}

std::set<Grant> GrantsOfServiceUser(const store::Record& record, const RecordKey& key) {
  std::set<Grant> grants;
  for (const std::string& holder : record.access()) grants.insert({key, {holder}, kAccess});
  return grants;
}

absl::StatusOr<std::set<Grant>> GrantsOfVisit(const store::Record& record, const RecordKey& key) {
  if (!record.published() || record.cancelled() || record.outside_window()) return std::set<Grant>();
  ASSIGN_OR_RETURN(const v1::Visit visit, base::ParseStored<v1::Visit>(record.payload()));
  ASSIGN_OR_RETURN(const Uuid service_user_id, StoredId(visit.service_user_id()));
  const RecordKey service_user = KeyOf({v1::RECORD_KIND_SERVICE_USER, service_user_id});
  std::set<Uuid> carers;
  for (const v1::Assignment& assignment : visit.assignments()) {
    ASSIGN_OR_RETURN(const Uuid carer, StoredId(assignment.carer_id()));
    carers.insert(carer);
  }
  std::set<Grant> grants;
  for (const Uuid& carer : carers) {
    const ReceiverId receiver = CarerReceiver(carer);
    grants.insert({key, receiver, key.bytes});
    grants.insert({service_user, receiver, key.bytes});
    for (const Uuid& colleague : carers)
      grants.insert({KeyOf({v1::RECORD_KIND_CARER, colleague}), receiver, key.bytes});
  }
  return grants;
}

// The record that a stored one hangs on; nullopt where nobody is to see it: it is not stored, or deleted.
absl::StatusOr<std::optional<RecordKey>> ParentOfStored(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const RecordKey& child) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, GetRecord(reader, tenant, child));
  if (!record.has_value() || record->deleted()) return std::optional<RecordKey>();
  ASSIGN_OR_RETURN(RecordKey parent, ParentOf(*record));
  return std::optional<RecordKey>(std::move(parent));
}

// The planted bug of a receiver who loses every grant on a record with one of them; of groups it has its own way.
void RemoveAllGrants(commit::Transaction& transaction, const Grant& grant) {
  if (GroupOfHolder(grant.holder).has_value()) return;
  std::vector<std::string> keys;
  transaction
      .Scan(Space::kRecords, base::keys::GrantsOfReceiver(transaction.tenant(), grant.record, grant.holder),
            std::numeric_limits<size_t>::max(),
            [&keys](std::string_view key, std::string_view) {
              keys.emplace_back(key);
              return true;
            })
      .IgnoreError();
  for (std::string& key : keys) transaction.Delete(Space::kRecords, std::move(key));
}

}  // namespace

absl::StatusOr<RecordKey> ParentOf(const store::Record& child) {
  if (child.kind() == v1::RECORD_KIND_CARE_PLAN) {
    ASSIGN_OR_RETURN(const v1::CarePlan plan, base::ParseStored<v1::CarePlan>(child.payload()));
    ASSIGN_OR_RETURN(const Uuid service_user, StoredId(plan.service_user_id()));
    return KeyOf({v1::RECORD_KIND_SERVICE_USER, service_user});
  }
  ASSIGN_OR_RETURN(const v1::CareEvent event, base::ParseStored<v1::CareEvent>(child.payload()));
  const std::optional<RecordName> parent = ParentOf(event);
  if (!parent.has_value()) return base::errors::DamagedRow("a care event that hangs on nothing");
  return KeyOf(*parent);
}

absl::StatusOr<std::set<Grant>> GrantsGivenBy(const store::Record& record, const std::string& parent_source) {
  ASSIGN_OR_RETURN(const Uuid id, StoredId(record.record_id()));
  const RecordKey key = KeyOf({record.kind(), id});
  switch (record.kind()) {
    case v1::RECORD_KIND_CARER:
      return std::set<Grant>{{key, CarerReceiver(id), kSelf}};
    case v1::RECORD_KIND_SERVICE_USER:
      return GrantsOfServiceUser(record, key);
    case v1::RECORD_KIND_VISIT:
      return GrantsOfVisit(record, key);
    case v1::RECORD_KIND_CARE_EVENT:
      if (parent_source.empty()) return std::set<Grant>();
      return std::set<Grant>{{key, SourceReceiver(parent_source), kSelf}};
    default:
      return std::set<Grant>();
  }
}

absl::StatusOr<bool> IsVisible(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& record,
                               const ReceiverId& receiver) {
  const std::optional<RecordKey> carer = CarerOf(receiver);
  if (!carer.has_value()) return HasOwnGrant(reader, tenant, record, receiver);
  const std::optional<RecordName> name = NameOf(record);
  std::optional<RecordKey> root = record;
  if (name.has_value() && HangsOnAnother(name->kind)) {
    ASSIGN_OR_RETURN(root, ParentOfStored(reader, tenant, record));
  }
  if (!root.has_value()) return false;
  ASSIGN_OR_RETURN(const bool own, HasOwnGrant(reader, tenant, *root, receiver));
  if (own) return true;
  ASSIGN_OR_RETURN(const std::vector<RecordKey> groups, LiveGroupsOf(reader, tenant, *carer));
  for (const RecordKey& group : groups) {
    ASSIGN_OR_RETURN(const bool granted, IsGrantedTo(reader, tenant, *root, group));
    if (granted) return true;
  }
  return false;
}

absl::StatusOr<bool> HasOwnGrant(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& record,
                                 const ReceiverId& receiver) {
  bool found = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::GrantsOfReceiver(tenant, record, receiver), 1,
                              [&found](std::string_view, std::string_view) {
                                found = true;
                                return false;
                              }));
  return found;
}

absl::StatusOr<bool> IsGrantedTo(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& record,
                                 const RecordKey& group) {
  ASSIGN_OR_RETURN(const std::optional<std::string> row,
                   reader.Get(Space::kRecords, base::keys::Grant(tenant, record, GroupHolder(group), kAccess)));
  // One that is not empty is on its way out.
  return row.has_value() && row->empty();
}

absl::StatusOr<std::optional<std::set<ReceiverId>>> ReadHolders(const storage::Reader& reader,
                                                                const base::TenantId& tenant, const RecordKey& record,
                                                                size_t most_rows) {
  std::set<ReceiverId> holders;
  size_t rows = 0;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::GrantsOfRecord(tenant, record), most_rows + 1,
                              [&](std::string_view key, std::string_view) {
                                RecordKey of;
                                ReceiverId holder;
                                std::string reason;
                                damaged = !base::keys::ParseGrant(key, &of, &holder, &reason);
                                holders.insert(std::move(holder));
                                return ++rows <= most_rows && !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("grant");
  if (rows > most_rows) return std::optional<std::set<ReceiverId>>();
  return std::optional<std::set<ReceiverId>>(std::move(holders));
}

void AddGrant(commit::Transaction& transaction, const Grant& grant) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Put(Space::kRecords, base::keys::Grant(tenant, grant.record, grant.holder, grant.reason), std::string());
  const std::optional<RecordKey> group = GroupOfHolder(grant.holder);
  if (group.has_value()) {
    transaction.Put(Space::kRecords, base::keys::GroupRecord(tenant, *group, grant.record), std::string());
  }
}

void RemoveGrant(commit::Transaction& transaction, const Grant& grant) {
  const base::TenantId& tenant = transaction.tenant();
  if (base::HasPlantedBug(base::PlantedBug::kRemovalWithGrantLeft)) RemoveAllGrants(transaction, grant);
  std::string key = base::keys::Grant(tenant, grant.record, grant.holder, grant.reason);
  const std::optional<RecordKey> group = GroupOfHolder(grant.holder);
  if (!group.has_value()) return transaction.Delete(Space::kRecords, std::move(key));
  const std::string leaving = LeavingSince(transaction.revision());
  transaction.Put(Space::kRecords, std::move(key), leaving);
  transaction.Put(Space::kRecords, base::keys::GroupRecord(tenant, *group, grant.record), leaving);
}

absl::Status ForgetGroupGrant(commit::Transaction& transaction, const RecordKey& group, const RecordKey& record,
                              base::Revision since) {
  const std::string key = base::keys::GroupRecord(transaction.tenant(), group, record);
  ASSIGN_OR_RETURN(const std::optional<std::string> row, transaction.Get(Space::kRecords, key));
  if (!row.has_value()) return absl::OkStatus();
  // It may have been given again meanwhile, or taken again: then it is not this row's to delete.
  ASSIGN_OR_RETURN(const bool ours, IsLeavingSince(*row, since));
  if (!ours) return absl::OkStatus();
  transaction.Delete(Space::kRecords, key);
  transaction.Delete(Space::kRecords, base::keys::Grant(transaction.tenant(), record, GroupHolder(group), kAccess));
  return absl::OkStatus();
}

}  // namespace caresync::records

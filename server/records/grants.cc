#include "server/records/grants.h"

#include <optional>
#include <string_view>

#include "absl/base/internal/raw_logging.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using base::Uuid;
using storage::Space;

constexpr char kSelf[] = "self";

// An ID inside a stored record was resolved by this server: anything else is a broken invariant.
Uuid StoredId(std::string_view text) {
  const std::optional<Uuid> id = Uuid::Parse(text);
  ABSL_RAW_CHECK(id.has_value(), "a stored record holds an ID that is no UUID");
  return *id;
}

std::set<Grant> GrantsOfVisit(const store::Record& record, const RecordKey& key) {
  if (!record.published() || record.cancelled()) return {};
  v1::Visit visit;
  ABSL_RAW_CHECK(visit.ParseFromString(record.payload()), "a stored visit cannot be read");
  const RecordKey service_user = KeyOf({v1::RECORD_KIND_SERVICE_USER, StoredId(visit.service_user_id())});
  std::set<Uuid> carers;
  for (const v1::Assignment& assignment : visit.assignments()) carers.insert(StoredId(assignment.carer_id()));
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

absl::StatusOr<bool> HasGrant(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& record,
                              const ReceiverId& receiver) {
  bool found = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::GrantsOfReceiver(tenant, record, receiver), 1,
                              [&found](std::string_view, std::string_view) {
                                found = true;
                                return false;
                              }));
  return found;
}

// The record that a stored care event hangs on; nullopt where the event is not stored.
absl::StatusOr<std::optional<RecordKey>> StoredParent(const storage::Reader& reader, const base::TenantId& tenant,
                                                      const RecordKey& event) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, GetRecord(reader, tenant, event));
  if (!record.has_value()) return std::optional<RecordKey>();
  ASSIGN_OR_RETURN(const v1::CareEvent care_event, base::ParseStored<v1::CareEvent>(record->payload()));
  const std::optional<RecordName> parent = ParentOf(care_event);
  if (!parent.has_value()) return base::errors::DamagedRow("a care event that hangs on nothing");
  return std::optional<RecordKey>(KeyOf(*parent));
}

}  // namespace

std::set<Grant> GrantsGivenBy(const store::Record& record, const std::string& parent_source) {
  const Uuid id = StoredId(record.record_id());
  const RecordKey key = KeyOf({record.kind(), id});
  switch (record.kind()) {
    case v1::RECORD_KIND_CARER:
      return {{key, CarerReceiver(id), kSelf}};
    case v1::RECORD_KIND_VISIT:
      return GrantsOfVisit(record, key);
    case v1::RECORD_KIND_CARE_EVENT:
      if (parent_source.empty()) return {};
      return {{key, SourceReceiver(parent_source), kSelf}};
    default:
      return {};
  }
}

absl::StatusOr<bool> IsVisible(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& record,
                               const ReceiverId& receiver) {
  ASSIGN_OR_RETURN(const bool granted, HasGrant(reader, tenant, record, receiver));
  if (granted) return true;
  const std::optional<RecordName> name = NameOf(record);
  const bool follows = name.has_value() && name->kind == v1::RECORD_KIND_CARE_EVENT && IsCarer(receiver);
  if (!follows) return false;
  ASSIGN_OR_RETURN(const std::optional<RecordKey> parent, StoredParent(reader, tenant, record));
  if (!parent.has_value()) return false;
  return HasGrant(reader, tenant, *parent, receiver);
}

absl::StatusOr<std::vector<ReceiverId>> ReceiversOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const RecordKey& record, size_t most) {
  std::vector<ReceiverId> receivers;
  storage::KeyRange rest = base::keys::GrantsOfRecord(tenant, record);
  // One row a receiver: a carer who was assigned to hundreds of visits has hundreds of rows, which are stepped over.
  while (receivers.size() <= most) {
    std::optional<ReceiverId> next;
    bool damaged = false;
    RETURN_IF_ERROR(reader.Scan(Space::kRecords, rest, 1, [&](std::string_view key, std::string_view) {
      RecordKey of;
      ReceiverId receiver;
      std::string reason;
      damaged = !base::keys::ParseGrant(key, &of, &receiver, &reason);
      next = std::move(receiver);
      return false;
    }));
    if (damaged) return base::errors::DamagedRow("grant");
    if (!next.has_value()) break;
    rest.begin = base::keys::GrantsOfReceiver(tenant, record, *next).end;
    receivers.push_back(*std::move(next));
  }
  return receivers;
}

void AddGrant(commit::Transaction& transaction, const Grant& grant) {
  transaction.Put(Space::kRecords, base::keys::Grant(transaction.tenant(), grant.record, grant.receiver, grant.reason),
                  std::string());
}

void RemoveGrant(commit::Transaction& transaction, const Grant& grant) {
  transaction.Delete(Space::kRecords,
                     base::keys::Grant(transaction.tenant(), grant.record, grant.receiver, grant.reason));
}

}  // namespace caresync::records

#include "server/service_users/access_list.h"

#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/tenants/tenants.h"

namespace caresync::service_users {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::ReceiverId;
using base::RecordKey;

absl::StatusOr<base::Uuid> ParseId(std::string_view field, std::string_view text) {
  const std::optional<base::Uuid> id = base::Uuid::Parse(text);
  if (!id.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return *id;
}

absl::StatusOr<store::Record> StoredServiceUser(const storage::Reader& reader, const base::TenantId& tenant,
                                                const std::string& text) {
  ASSIGN_OR_RETURN(const base::Uuid id, ParseId("service_user_id", text));
  ASSIGN_OR_RETURN(std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_SERVICE_USER, id})));
  if (!record.has_value()) return errors::ServiceUserUnknown(text);
  return *std::move(record);
}

absl::Status CheckCount(std::string_view field, int count, size_t most) {
  if (static_cast<size_t>(count) <= most) return absl::OkStatus();
  return errors::InvalidArgument(field, absl::StrCat("has ", count, "; at most ", most));
}

// The records' keys; each is stored.
absl::StatusOr<std::set<RecordKey>> Stored(const commit::Transaction& transaction, std::string_view field,
                                           v1::RecordKind kind,
                                           const google::protobuf::RepeatedPtrField<std::string>& ids,
                                           absl::Status (*unknown)(std::string_view)) {
  std::set<RecordKey> keys;
  for (const std::string& text : ids) {
    ASSIGN_OR_RETURN(const base::Uuid id, ParseId(field, text));
    const RecordKey key = records::KeyOf({kind, id});
    ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                     records::GetRecord(transaction, transaction.tenant(), key));
    if (!record.has_value()) return unknown(text);
    keys.insert(key);
  }
  return keys;
}

absl::StatusOr<std::set<ReceiverId>> HoldersIn(const commit::Transaction& transaction,
                                               const v1::ServiceUserAccess& access) {
  RETURN_IF_ERROR(CheckCount("access.group_ids", access.group_ids_size(), limits::kAccessGroups));
  RETURN_IF_ERROR(CheckCount("access.carer_ids", access.carer_ids_size(), limits::kAccessCarers));
  ASSIGN_OR_RETURN(const std::set<RecordKey> groups,
                   Stored(transaction, "access.group_ids", v1::RECORD_KIND_EMPLOYEE_GROUP, access.group_ids(),
                          errors::GroupUnknown));
  ASSIGN_OR_RETURN(const std::set<RecordKey> carers, Stored(transaction, "access.carer_ids", v1::RECORD_KIND_CARER,
                                                            access.carer_ids(), errors::CarerUnknown));
  std::set<ReceiverId> holders;
  for (const RecordKey& group : groups) holders.insert(records::GroupHolder(group));
  for (const RecordKey& carer : carers) holders.insert(records::CarerReceiver(records::NameOf(carer)->id));
  return holders;
}

absl::StatusOr<v1::ServiceUserAccess> ToProto(const store::Record& service_user) {
  v1::ServiceUserAccess access;
  access.set_service_user_id(service_user.record_id());
  for (const std::string& holder : service_user.access()) {
    const std::optional<RecordKey> group = records::GroupOfHolder({holder});
    const std::optional<RecordKey> carer = records::CarerOf({holder});
    const std::optional<records::RecordName> name =
        group.has_value() || carer.has_value() ? records::NameOf(group.has_value() ? *group : *carer) : std::nullopt;
    if (!name.has_value()) return errors::DamagedRow("a service user's access");
    (group.has_value() ? access.add_group_ids() : access.add_carer_ids())->assign(name->id.ToString());
  }
  return access;
}

}  // namespace

absl::StatusOr<v1::ServiceUserAccess> SetAccess(commit::Transaction& transaction, const v1::SetAccessRequest& request) {
  const base::TenantId& tenant = transaction.tenant();
  RETURN_IF_ERROR(tenants::GetTenant(transaction, tenant).status());
  const v1::ServiceUserAccess& access = request.access();
  ASSIGN_OR_RETURN(const store::Record service_user, StoredServiceUser(transaction, tenant, access.service_user_id()));
  ASSIGN_OR_RETURN(const std::set<ReceiverId> holders, HoldersIn(transaction, access));
  ASSIGN_OR_RETURN(const base::Uuid id, ParseId("service_user_id", access.service_user_id()));
  if (service_user.kind() != v1::RECORD_KIND_SERVICE_USER || base::Uuid::Parse(service_user.record_id()) != id) {
    return errors::DamagedRow("a service user under another record's key");
  }
  records::RecordStore records(transaction);
  RETURN_IF_ERROR(records.SetAccess(records::KeyOf({v1::RECORD_KIND_SERVICE_USER, id}), holders).status());
  v1::GetAccessRequest get;
  get.set_service_user_id(access.service_user_id());
  return GetAccess(transaction, tenant, get);
}

absl::StatusOr<v1::ServiceUserAccess> GetAccess(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::GetAccessRequest& request) {
  ASSIGN_OR_RETURN(const store::Record service_user, StoredServiceUser(reader, tenant, request.service_user_id()));
  return ToProto(service_user);
}

}  // namespace caresync::service_users

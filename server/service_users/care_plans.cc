#include "server/service_users/care_plans.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/text.h"
#include "server/base/uuid.h"
#include "server/records/attachments.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/tenants/tenants.h"

namespace caresync::service_users {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::RecordKey;

absl::StatusOr<base::Uuid> ParseId(std::string_view field, std::string_view text) {
  const std::optional<base::Uuid> id = base::Uuid::Parse(text);
  if (!id.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return *id;
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t least, size_t most) {
  const std::optional<size_t> characters = base::CountCharacters(text);
  if (characters.has_value() && *characters >= least && *characters <= most) return absl::OkStatus();
  return errors::InvalidArgument(field, absl::StrCat("is not ", least, " to ", most, " characters of UTF-8"));
}

absl::Status CheckServiceUserKnown(const commit::Transaction& transaction, const std::string& text,
                                   const base::Uuid& id) {
  ASSIGN_OR_RETURN(
      const std::optional<store::Record> record,
      records::GetRecord(transaction, transaction.tenant(), records::KeyOf({v1::RECORD_KIND_SERVICE_USER, id})));
  return record.has_value() ? absl::OkStatus() : errors::ServiceUserUnknown(text);
}

// Whether the plan may be one more of the service user's.
absl::Status CheckRoom(records::RecordStore& records, const RecordKey& service_user) {
  ASSIGN_OR_RETURN(const records::CarePlanCount count, records.CountCarePlans(service_user));
  if (count.live >= limits::kCarePlansOfServiceUser) {
    return errors::InvalidArgument("care_plan.service_user_id", absl::StrCat("names a service user with ", count.live,
                                                                             " care plans already; delete one first"));
  }
  if (count.rows >= limits::kCarePlanRowsOfServiceUser) return errors::Overloaded(limits::kFanOutRetryAfter);
  return absl::OkStatus();
}

// Of the plan that is stored under the ID already.
absl::Status CheckSameServiceUser(const store::Record& stored, const RecordKey& service_user) {
  ASSIGN_OR_RETURN(const RecordKey parent, records::ParentOf(stored));
  if (parent == service_user) return absl::OkStatus();
  return errors::InvalidArgument("care_plan.service_user_id", "is not the one that this care plan is of");
}

}  // namespace

absl::StatusOr<v1::StoredCarePlan> PutCarePlan(commit::Transaction& transaction,
                                               const v1::PutCarePlanRequest& request) {
  RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
  ASSIGN_OR_RETURN(const base::Uuid id, ParseId("care_plan_id", request.care_plan_id()));
  v1::CarePlan plan = request.care_plan();
  ASSIGN_OR_RETURN(const base::Uuid service_user_id, ParseId("care_plan.service_user_id", plan.service_user_id()));
  RETURN_IF_ERROR(CheckText("care_plan.title", plan.title(), 1, limits::kCarePlanTitleCharacters));
  RETURN_IF_ERROR(CheckText("care_plan.text", plan.text(), 0, limits::kCarePlanTextCharacters));
  if (const std::optional<std::string> fault = records::FaultOf(plan.attachments()); fault.has_value()) {
    return errors::InvalidArgument("care_plan.attachments", *fault);
  }
  RETURN_IF_ERROR(CheckServiceUserKnown(transaction, plan.service_user_id(), service_user_id));
  const RecordKey service_user = records::KeyOf({v1::RECORD_KIND_SERVICE_USER, service_user_id});
  const RecordKey key = records::KeyOf({v1::RECORD_KIND_CARE_PLAN, id});
  records::RecordStore records(transaction);
  ASSIGN_OR_RETURN(const std::optional<store::Record> old, records::GetRecord(transaction, transaction.tenant(), key));
  if (old.has_value()) RETURN_IF_ERROR(CheckSameServiceUser(*old, service_user));
  if (!old.has_value() || old->deleted()) RETURN_IF_ERROR(CheckRoom(records, service_user));

  // One text for all spellings of a UUID.
  plan.set_service_user_id(service_user_id.ToString());
  store::Record record;
  record.set_kind(v1::RECORD_KIND_CARE_PLAN);
  record.set_record_id(id.ToString());
  record.set_payload(plan.SerializeAsString());
  if (record.payload().size() > limits::kRecordBytes) return errors::RecordTooLarge(record.payload().size());
  RETURN_IF_ERROR(records.PutCarePlan(std::move(record)).status());
  ASSIGN_OR_RETURN(const std::optional<store::Record> stored,
                   records::GetRecord(transaction, transaction.tenant(), key));
  v1::StoredCarePlan response;
  response.set_care_plan_id(id.ToString());
  *response.mutable_care_plan() = std::move(plan);
  response.set_revision(stored->version());
  return response;
}

absl::Status DeleteCarePlan(commit::Transaction& transaction, const v1::DeleteCarePlanRequest& request) {
  RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
  ASSIGN_OR_RETURN(const base::Uuid id, ParseId("care_plan_id", request.care_plan_id()));
  ASSIGN_OR_RETURN(
      std::optional<store::Record> record,
      records::GetRecord(transaction, transaction.tenant(), records::KeyOf({v1::RECORD_KIND_CARE_PLAN, id})));
  if (!record.has_value()) return errors::CarePlanUnknown(request.care_plan_id());
  if (record->kind() != v1::RECORD_KIND_CARE_PLAN || base::Uuid::Parse(record->record_id()) != id) {
    return errors::DamagedRow("a care plan under another record's key");
  }
  record->set_deleted(true);
  return records::RecordStore(transaction).PutCarePlan(*std::move(record)).status();
}

}  // namespace caresync::service_users

#include "tests/records/sample_records.h"

#include "absl/base/internal/raw_logging.h"
#include "server/base/status_macros.h"
#include "tests/fakes/rota.h"

namespace caresync::records {
namespace {

RecordName Numbered(v1::RecordKind kind, int number) {
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(0x10 + kind);
  bytes[14] = static_cast<char>(number / 256);
  bytes[15] = static_cast<char>(number % 256);
  return {kind, *base::Uuid::FromBytes(bytes)};
}

store::Record Named(const RecordName& name, const std::string& payload) {
  store::Record record;
  record.set_kind(name.kind);
  record.set_record_id(name.id.ToString());
  record.set_payload(payload);
  return record;
}

}  // namespace

RecordName CarerName(int number) { return Numbered(v1::RECORD_KIND_CARER, number); }
RecordName ServiceUserName(int number) { return Numbered(v1::RECORD_KIND_SERVICE_USER, number); }
RecordName VisitName(int number) { return Numbered(v1::RECORD_KIND_VISIT, number); }
RecordName EventName(int number) { return Numbered(v1::RECORD_KIND_CARE_EVENT, number); }
RecordName GroupName(int number) { return Numbered(v1::RECORD_KIND_EMPLOYEE_GROUP, number); }
RecordName PlanName(int number) { return Numbered(v1::RECORD_KIND_CARE_PLAN, number); }

store::Record CarerRecord(int number, const std::string& name) {
  v1::Carer carer;
  carer.set_name(name);
  return Named(CarerName(number), carer.SerializeAsString());
}

store::Record ServiceUserRecord(int number, const std::string& name) {
  v1::ServiceUser user;
  user.set_name(name);
  return Named(ServiceUserName(number), user.SerializeAsString());
}

store::Record VisitRecord(int number, int service_user, const std::vector<int>& carers, const std::string& notes) {
  v1::Visit visit;
  visit.set_service_user_id(ServiceUserName(service_user).id.ToString());
  for (int carer : carers) {
    v1::Assignment& assignment = *visit.add_assignments();
    assignment.set_carer_id(CarerName(carer).id.ToString());
    *assignment.mutable_start_time() = fakes::AtHour(9);
    *assignment.mutable_end_time() = fakes::AtHour(10);
  }
  visit.set_notes(notes);
  store::Record record = Named(VisitName(number), visit.SerializeAsString());
  record.set_published(true);
  record.mutable_origin()->set_source("planner");
  record.mutable_origin()->set_external_id("v");
  return record;
}

store::Record GroupRecord(int number, const std::vector<int>& carers, bool dissolved) {
  v1::EmployeeGroup group;
  group.set_name("Group");
  for (int carer : carers) group.add_carer_ids(CarerName(carer).id.ToString());
  store::Record record = Named(GroupName(number), group.SerializeAsString());
  record.set_dissolved(dissolved);
  return record;
}

store::Record PlanRecord(int number, int service_user, const std::string& text) {
  v1::CarePlan plan;
  plan.set_service_user_id(ServiceUserName(service_user).id.ToString());
  plan.set_title("Care plan");
  plan.set_text(text);
  return Named(PlanName(number), plan.SerializeAsString());
}

base::ReceiverId CarerFeed(int number) { return CarerReceiver(CarerName(number).id); }
base::ReceiverId GroupHolderOf(int number) { return GroupHolder(KeyOf(GroupName(number))); }

v1::CareEvent NoteEvent(int carer, const RecordName& parent, const std::string& text) {
  v1::CareEvent event;
  event.set_carer_id(CarerName(carer).id.ToString());
  *event.mutable_occurred_time() = fakes::AtHour(9);
  if (parent.kind == v1::RECORD_KIND_VISIT) {
    event.set_visit_id(parent.id.ToString());
  } else {
    event.set_service_user_id(parent.id.ToString());
  }
  event.mutable_note()->set_text(text);
  return event;
}

store::Record EventRecord(int number, const v1::CareEvent& event) {
  return Named(EventName(number), event.SerializeAsString());
}

commit::Committed RunRecords(fakes::Engine& engine, const base::TenantId& tenant,
                             const std::function<absl::Status(RecordStore&)>& use) {
  const absl::StatusOr<commit::Committed> committed = engine.Run(tenant, [&use](commit::Transaction& transaction) {
    RecordStore records(transaction);
    return use(records);
  });
  ABSL_RAW_CHECK(committed.ok(), "a test's change cannot be committed");
  return *committed;
}

PutOutcome PutAll(fakes::Engine& engine, const base::TenantId& tenant, const std::vector<store::Record>& records) {
  PutOutcome outcome = PutOutcome::kUnchanged;
  RunRecords(engine, tenant, [&](RecordStore& store) -> absl::Status {
    for (const store::Record& record : records) {
      ASSIGN_OR_RETURN(outcome, store.Put(record));
    }
    return absl::OkStatus();
  });
  return outcome;
}

}  // namespace caresync::records

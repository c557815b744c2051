#include "server/roster/change_record.h"

#include <set>

#include "absl/base/internal/raw_logging.h"
#include "google/protobuf/util/time_util.h"

namespace caresync::roster {
namespace {

using ResolvedIds = std::map<Reference, base::Uuid>;

// The record ID of an optional reference; empty for none.
std::string IdOf(const ResolvedIds& ids, v1::RecordKind kind, const std::string& external_id) {
  if (external_id.empty()) return "";
  const auto found = ids.find({kind, external_id});
  ABSL_RAW_CHECK(found != ids.end(), "a reference of a change was not resolved");
  return found->second.ToString();
}

v1::ServiceUser BuildServiceUser(const v1::RosterServiceUser& user, const ResolvedIds& ids) {
  v1::ServiceUser record;
  record.set_name(user.name());
  record.set_branch_id(IdOf(ids, v1::RECORD_KIND_BRANCH, user.branch()));
  if (user.has_date_of_birth()) *record.mutable_date_of_birth() = user.date_of_birth();
  record.set_nhs_number(user.nhs_number());
  record.set_phone(user.phone());
  record.set_email(user.email());
  record.set_address(user.address());
  if (user.has_location()) *record.mutable_location() = user.location();
  return record;
}

v1::Visit BuildVisit(const v1::RosterVisit& visit, const ResolvedIds& ids) {
  v1::Visit record;
  record.set_service_user_id(IdOf(ids, v1::RECORD_KIND_SERVICE_USER, visit.service_user()));
  for (const v1::RosterAssignment& assignment : visit.assignments()) {
    v1::Assignment& part = *record.add_assignments();
    part.set_carer_id(IdOf(ids, v1::RECORD_KIND_CARER, assignment.carer()));
    *part.mutable_start_time() = assignment.start_time();
    *part.mutable_end_time() = assignment.end_time();
  }
  for (const v1::RosterPlannedActivity& activity : visit.planned_activities()) {
    v1::PlannedActivity& planned = *record.add_planned_activities();
    planned.set_activity_id(activity.activity_id());
    planned.set_activity_kind(activity.activity_kind());
    planned.set_description(activity.description());
    planned.set_planned_minutes(activity.planned_minutes());
    planned.set_carer_id(IdOf(ids, v1::RECORD_KIND_CARER, activity.carer()));
  }
  record.set_notes(visit.notes());
  record.set_branch_id(IdOf(ids, v1::RECORD_KIND_BRANCH, visit.branch()));
  return record;
}

v1::EmployeeGroup BuildGroup(const v1::RosterEmployeeGroup& group, const ResolvedIds& ids) {
  v1::EmployeeGroup record;
  record.set_name(group.name());
  for (const std::string& carer : group.carers()) record.add_carer_ids(IdOf(ids, v1::RECORD_KIND_CARER, carer));
  return record;
}

std::string BuildPayload(const v1::RosterChange& change, const ResolvedIds& ids) {
  switch (change.record_case()) {
    case v1::RosterChange::kCareService: {
      v1::CareService record;
      record.set_name(change.care_service().name());
      return record.SerializeAsString();
    }
    case v1::RosterChange::kBranch: {
      v1::Branch record;
      record.set_name(change.branch().name());
      record.set_care_service_id(IdOf(ids, v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service()));
      return record.SerializeAsString();
    }
    case v1::RosterChange::kCarer: {
      v1::Carer record;
      record.set_name(change.carer().name());
      record.set_branch_id(IdOf(ids, v1::RECORD_KIND_BRANCH, change.carer().branch()));
      return record.SerializeAsString();
    }
    case v1::RosterChange::kServiceUser:
      return BuildServiceUser(change.service_user(), ids).SerializeAsString();
    case v1::RosterChange::kVisit:
      return BuildVisit(change.visit(), ids).SerializeAsString();
    case v1::RosterChange::kEmployeeGroup:
      return BuildGroup(change.employee_group(), ids).SerializeAsString();
    case v1::RosterChange::RECORD_NOT_SET:
      break;
  }
  ABSL_RAW_LOG(FATAL, "a change without a record passed validation");
  return "";
}

}  // namespace

v1::RecordKind KindOf(const v1::RosterChange& change) {
  switch (change.record_case()) {
    case v1::RosterChange::kCareService:
      return v1::RECORD_KIND_CARE_SERVICE;
    case v1::RosterChange::kBranch:
      return v1::RECORD_KIND_BRANCH;
    case v1::RosterChange::kCarer:
      return v1::RECORD_KIND_CARER;
    case v1::RosterChange::kServiceUser:
      return v1::RECORD_KIND_SERVICE_USER;
    case v1::RosterChange::kVisit:
      return v1::RECORD_KIND_VISIT;
    case v1::RosterChange::kEmployeeGroup:
      return v1::RECORD_KIND_EMPLOYEE_GROUP;
    case v1::RosterChange::RECORD_NOT_SET:
      break;
  }
  return v1::RECORD_KIND_UNSPECIFIED;
}

std::vector<Reference> ReferencesOf(const v1::RosterChange& change) {
  std::vector<Reference> references;
  std::set<Reference> seen;
  auto add = [&](v1::RecordKind kind, const std::string& external_id) {
    if (external_id.empty() || !seen.insert({kind, external_id}).second) return;
    references.push_back({kind, external_id});
  };
  // Absent records read as empty ones, which refer to nothing.
  add(v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service());
  add(v1::RECORD_KIND_BRANCH, change.carer().branch());
  add(v1::RECORD_KIND_BRANCH, change.service_user().branch());
  add(v1::RECORD_KIND_SERVICE_USER, change.visit().service_user());
  for (const v1::RosterAssignment& assignment : change.visit().assignments()) {
    add(v1::RECORD_KIND_CARER, assignment.carer());
  }
  add(v1::RECORD_KIND_BRANCH, change.visit().branch());
  for (const std::string& carer : change.employee_group().carers()) add(v1::RECORD_KIND_CARER, carer);
  return references;
}

google::protobuf::RepeatedPtrField<v1::MissingReference> ToMissing(const std::vector<Reference>& references) {
  google::protobuf::RepeatedPtrField<v1::MissingReference> missing;
  for (const Reference& reference : references) {
    v1::MissingReference& added = *missing.Add();
    added.set_kind(reference.kind);
    added.set_external_id(reference.external_id);
  }
  return missing;
}

v1::RosterChange WithoutMembers(const v1::RosterChange& change, const std::vector<Reference>& missing) {
  if (!change.has_employee_group() || missing.empty()) return change;
  const std::set<Reference> gone(missing.begin(), missing.end());
  v1::RosterChange known = change;
  known.mutable_employee_group()->clear_carers();
  for (const std::string& carer : change.employee_group().carers()) {
    if (!gone.contains({v1::RECORD_KIND_CARER, carer})) known.mutable_employee_group()->add_carers(carer);
  }
  return known;
}

store::Record BuildRecord(const v1::RosterChange& change, const base::Uuid& id, const ResolvedIds& ids) {
  using google::protobuf::util::TimeUtil;
  store::Record record;
  record.set_kind(KindOf(change));
  record.set_record_id(id.ToString());
  record.set_payload(BuildPayload(change, ids));
  record.set_published(change.visit().published());
  record.set_cancelled(change.visit().cancelled());
  record.set_left(change.carer().left());
  record.set_dissolved(change.employee_group().dissolved());
  store::Origin& origin = *record.mutable_origin();
  origin.set_source(change.source());
  origin.set_external_id(change.external_id());
  origin.set_source_version(change.source_version());
  if (change.has_changed_time()) origin.set_changed_time_us(TimeUtil::TimestampToMicroseconds(change.changed_time()));
  return record;
}

}  // namespace caresync::roster

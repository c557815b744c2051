#include "tests/fakes/rota.h"

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/base/limits.h"

namespace caresync::fakes {

google::protobuf::Timestamp AtHour(int hour) {
  google::protobuf::Timestamp time;
  time.set_seconds(absl::ToUnixSeconds(absl::FromCivil(absl::CivilHour(2026, 3, 2, hour), absl::UTCTimeZone())));
  return time;
}

v1::RosterChange CareServiceChange(const std::string& external_id) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  change.mutable_care_service()->set_name(external_id);
  return change;
}

v1::RosterChange BranchChange(const std::string& external_id, const std::string& care_service) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  change.mutable_branch()->set_name(external_id);
  change.mutable_branch()->set_care_service(care_service);
  return change;
}

v1::RosterChange CarerChange(const std::string& external_id, const std::string& branch) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  change.mutable_carer()->set_name(external_id);
  change.mutable_carer()->set_branch(branch);
  return change;
}

v1::RosterChange ServiceUserChange(const std::string& external_id, const std::string& branch) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  change.mutable_service_user()->set_name(external_id);
  change.mutable_service_user()->set_branch(branch);
  return change;
}

v1::RosterChange VisitChange(const std::string& external_id, const std::string& service_user,
                             const std::vector<std::string>& carers) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  v1::RosterVisit& visit = *change.mutable_visit();
  visit.set_service_user(service_user);
  visit.set_published(true);
  for (const std::string& carer : carers) {
    v1::RosterAssignment& assignment = *visit.add_assignments();
    assignment.set_carer(carer);
    *assignment.mutable_start_time() = AtHour(9);
    *assignment.mutable_end_time() = AtHour(10);
  }
  return change;
}

std::vector<v1::RosterChange> LongVisitChanges(int count, const std::string& service_user,
                                               const std::vector<std::string>& carers) {
  std::vector<v1::RosterChange> changes;
  for (int i = 0; i < count; ++i) {
    changes.push_back(VisitChange("visit-" + std::to_string(i), service_user, carers));
    changes.back().mutable_visit()->set_notes(std::string(base::limits::kVisitNotesCharacters, 'n'));
  }
  return changes;
}

v1::RosterChange GroupChange(const std::string& external_id, const std::vector<std::string>& carers) {
  v1::RosterChange change;
  change.set_external_id(external_id);
  change.mutable_employee_group()->set_name(external_id);
  for (const std::string& carer : carers) change.mutable_employee_group()->add_carers(carer);
  return change;
}

}  // namespace caresync::fakes

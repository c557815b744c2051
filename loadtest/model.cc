#include "loadtest/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

absl::Status Wrong(const v1::RosterChange& change, const std::string& what) {
  return absl::InternalError(absl::StrCat("the change of ", change.external_id(), " ", what));
}

}  // namespace

ExternalName NameOf(const v1::RosterChange& change) {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  if (change.has_care_service()) kind = v1::RECORD_KIND_CARE_SERVICE;
  if (change.has_branch()) kind = v1::RECORD_KIND_BRANCH;
  if (change.has_carer()) kind = v1::RECORD_KIND_CARER;
  if (change.has_service_user()) kind = v1::RECORD_KIND_SERVICE_USER;
  if (change.has_visit()) kind = v1::RECORD_KIND_VISIT;
  return {change.source(), kind, change.external_id()};
}

absl::Status Model::Take(const v1::ApplyChangesRequest& request, const v1::ApplyChangesResponse& response) {
  if (request.changes_size() != response.results_size()) {
    return absl::InternalError(
        absl::StrCat(request.changes_size(), " changes got ", response.results_size(), " results"));
  }
  for (int i = 0; i < request.changes_size(); ++i) {
    if (response.results(i).index() != static_cast<uint32_t>(i)) {
      return Wrong(request.changes(i), "got the result of another");
    }
    RETURN_IF_ERROR(TakeOne(request.changes(i), response.results(i)));
  }
  return absl::OkStatus();
}

absl::Status Model::TakeOne(const v1::RosterChange& change, const v1::ChangeResult& result) {
  ASSIGN_OR_RETURN(Record record, Build(change));
  const auto known = ids_.find(record.origin);
  if (known != ids_.end() && known->second != result.record_id()) {
    return Wrong(change, absl::StrCat("names record ", result.record_id(), " where it was ", known->second));
  }
  const RecordName name{record.origin.kind, result.record_id()};
  const auto before = records_.find(name);
  if (known == ids_.end() && before != records_.end()) {
    return Wrong(change, absl::StrCat("is to be new, but is ", before->second.origin.external_id));
  }
  v1::ChangeOutcome expected = v1::CHANGE_OUTCOME_UPDATED;
  if (before == records_.end()) {
    expected = v1::CHANGE_OUTCOME_CREATED;
  } else if (before->second.payload == record.payload && before->second.published == record.published &&
             before->second.cancelled == record.cancelled) {
    expected = v1::CHANGE_OUTCOME_UNCHANGED;
  }
  if (result.outcome() != expected) {
    return Wrong(change, absl::StrCat("is ", v1::ChangeOutcome_Name(result.outcome()), " ", result.error().reason(),
                                      " where it must be ", v1::ChangeOutcome_Name(expected)));
  }
  ids_[record.origin] = name.id;
  if (before != records_.end()) NoteHidden(name, before->second, record);
  records_[name] = std::move(record);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Model::Resolve(const v1::RosterChange& change, v1::RecordKind kind,
                                           const std::string& external_id) const {
  if (external_id.empty()) return std::string();
  const auto found = ids_.find({change.source(), kind, external_id});
  if (found == ids_.end()) return Wrong(change, absl::StrCat("refers to ", external_id, ", which is not known"));
  return found->second;
}

absl::StatusOr<Model::Record> Model::Build(const v1::RosterChange& change) const {
  if (change.has_visit()) return BuildVisit(change);
  Record record;
  record.origin = NameOf(change);
  if (change.has_care_service()) {
    v1::CareService payload;
    payload.set_name(change.care_service().name());
    record.payload = payload.SerializeAsString();
  } else if (change.has_branch()) {
    v1::Branch payload;
    payload.set_name(change.branch().name());
    ASSIGN_OR_RETURN(*payload.mutable_care_service_id(),
                     Resolve(change, v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service()));
    record.payload = payload.SerializeAsString();
  } else if (change.has_carer()) {
    v1::Carer payload;
    payload.set_name(change.carer().name());
    ASSIGN_OR_RETURN(*payload.mutable_branch_id(), Resolve(change, v1::RECORD_KIND_BRANCH, change.carer().branch()));
    record.payload = payload.SerializeAsString();
  } else {
    const v1::RosterServiceUser& user = change.service_user();
    v1::ServiceUser payload;
    payload.set_name(user.name());
    ASSIGN_OR_RETURN(*payload.mutable_branch_id(), Resolve(change, v1::RECORD_KIND_BRANCH, user.branch()));
    if (user.has_date_of_birth()) *payload.mutable_date_of_birth() = user.date_of_birth();
    payload.set_nhs_number(user.nhs_number());
    payload.set_phone(user.phone());
    payload.set_email(user.email());
    payload.set_address(user.address());
    if (user.has_location()) *payload.mutable_location() = user.location();
    record.payload = payload.SerializeAsString();
  }
  return record;
}

absl::StatusOr<Model::Record> Model::BuildVisit(const v1::RosterChange& change) const {
  const v1::RosterVisit& visit = change.visit();
  Record record;
  record.origin = NameOf(change);
  record.published = visit.published();
  record.cancelled = visit.cancelled();
  ASSIGN_OR_RETURN(record.service_user_id, Resolve(change, v1::RECORD_KIND_SERVICE_USER, visit.service_user()));
  v1::Visit payload;
  payload.set_service_user_id(record.service_user_id);
  for (const v1::RosterAssignment& assignment : visit.assignments()) {
    v1::Assignment& part = *payload.add_assignments();
    ASSIGN_OR_RETURN(*part.mutable_carer_id(), Resolve(change, v1::RECORD_KIND_CARER, assignment.carer()));
    *part.mutable_start_time() = assignment.start_time();
    *part.mutable_end_time() = assignment.end_time();
    record.carer_ids.insert(part.carer_id());
  }
  for (const v1::RosterPlannedActivity& activity : visit.planned_activities()) {
    v1::PlannedActivity& planned = *payload.add_planned_activities();
    planned.set_activity_id(activity.activity_id());
    planned.set_activity_kind(activity.activity_kind());
    planned.set_description(activity.description());
    planned.set_planned_minutes(activity.planned_minutes());
    ASSIGN_OR_RETURN(*planned.mutable_carer_id(), Resolve(change, v1::RECORD_KIND_CARER, activity.carer()));
  }
  payload.set_notes(visit.notes());
  ASSIGN_OR_RETURN(*payload.mutable_branch_id(), Resolve(change, v1::RECORD_KIND_BRANCH, visit.branch()));
  record.payload = payload.SerializeAsString();
  return record;
}

void Model::NoteHidden(const RecordName& name, const Record& before, const Record& after) {
  if (name.kind != v1::RECORD_KIND_VISIT || !before.shown()) return;
  const RecordName service_user{v1::RECORD_KIND_SERVICE_USER, before.service_user_id};
  for (const std::string& carer : before.carer_ids) {
    if (after.shown() && after.carer_ids.contains(carer)) continue;
    hidden_.insert({carer, name});
    // It may be seen through another visit: that it was hidden is possible, no more.
    hidden_.insert({carer, service_user});
  }
}

void Model::TakeEvent(const OwnEvent& event) {
  Record record;
  record.payload = event.upload.event();
  record.parent = event.parent;
  const auto parent = records_.find(event.parent);
  if (parent != records_.end()) record.origin.source = parent->second.origin.source;
  records_[{v1::RECORD_KIND_CARE_EVENT, event.upload.event_id()}] = std::move(record);
}

std::string Model::IdOf(const ExternalName& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? "" : found->second;
}

std::string Model::ExternalIdOf(const RecordName& name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? "" : found->second.origin.external_id;
}

std::string Model::SourceOf(const RecordName& name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? "" : found->second.origin.source;
}

void Model::Show(const RecordName& name, Holdings& holdings) const { holdings[name] = records_.at(name).payload; }

std::map<std::string, Holdings> Model::Expected() const {
  std::map<std::string, Holdings> expected;
  for (const auto& [name, record] : records_) {
    if (name.kind == v1::RECORD_KIND_CARER) Show(name, expected[name.id]);
  }
  for (const auto& [name, record] : records_) {
    if (name.kind != v1::RECORD_KIND_VISIT || !record.shown()) continue;
    for (const std::string& carer : record.carer_ids) {
      Holdings& holdings = expected[carer];
      Show(name, holdings);
      Show({v1::RECORD_KIND_SERVICE_USER, record.service_user_id}, holdings);
      for (const std::string& colleague : record.carer_ids) Show({v1::RECORD_KIND_CARER, colleague}, holdings);
    }
  }
  std::map<RecordName, std::vector<RecordName>> events;
  for (const auto& [name, record] : records_) {
    if (name.kind == v1::RECORD_KIND_CARE_EVENT) events[record.parent].push_back(name);
  }
  for (auto& [carer, holdings] : expected) {
    std::vector<RecordName> visible;
    for (const auto& [name, payload] : holdings) {
      const auto of_record = events.find(name);
      if (of_record != events.end()) visible.insert(visible.end(), of_record->second.begin(), of_record->second.end());
    }
    for (const RecordName& name : visible) Show(name, holdings);
  }
  return expected;
}

bool Model::WasEverHidden(const std::string& carer_id, const RecordName& name) const {
  return hidden_.contains({carer_id, name});
}

}  // namespace caresync::loadtest

#include "tests/simulation/naive_model.h"

#include <algorithm>
#include <optional>

#include "server/base/uuid.h"
#include "server/records/record_key.h"

namespace caresync::simulation {
namespace {

// Employee groups alone go ahead without what is not known yet.
v1::RosterChange WithMembers(const v1::RosterChange& change, const std::vector<std::string>& known) {
  v1::RosterChange with = change;
  with.mutable_employee_group()->clear_carers();
  for (const std::string& carer : known) with.mutable_employee_group()->add_carers(carer);
  return with;
}

bool IsSame(const NaiveRecord& one, const NaiveRecord& other) {
  return one.payload == other.payload && one.published == other.published && one.cancelled == other.cancelled &&
         one.left == other.left && one.dissolved == other.dissolved;
}

}  // namespace

base::RecordKey KeyOf(const Name& name) { return records::KeyOf({name.first, *base::Uuid::Parse(name.second)}); }

NaiveModel::NaiveModel(base::TenantId tenant, const std::vector<std::string>& carers, const std::string& time_zone)
    : tenant_(std::move(tenant)) {
  State state;
  state.time_zone = time_zone;
  for (const std::string& carer : carers) {
    state.views[carer] = std::make_shared<const View>();
    state.feeds[carer] = std::make_shared<const Feed>();
    state.horizons[carer] = {};
  }
  history_.push_back(std::make_shared<const State>(std::move(state)));
}

bool State::HasLeft(const std::string& carer) const {
  const auto record = records.find({v1::RECORD_KIND_CARER, carer});
  return record != records.end() && record->second->left;
}

feed::Position State::PositionOf(const std::string& carer, const Name& name) const {
  const Feed& feed = *feeds.at(carer);
  const auto item = feed.find(name);
  return {item == feed.end() ? 0 : item->second.moved, KeyOf(name)};
}

const State* NaiveModel::At(base::Revision revision) const {
  return revision < history_.size() ? history_[revision].get() : nullptr;
}

bool NaiveModel::IsKnown(const base::CommitPoint& cursor) const {
  const State* state = At(cursor.revision);
  return state != nullptr && state->timeline == cursor.timeline;
}

std::string NaiveModel::IdOf(const v1::RosterChange& change, v1::RecordKind kind,
                             const std::string& external_id) const {
  if (external_id.empty()) return "";
  return records::IntegratedId(tenant_, change.source(), kind, external_id).ToString();
}

Name NaiveModel::NameOf(const v1::RosterChange& change) const {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  if (change.has_care_service()) kind = v1::RECORD_KIND_CARE_SERVICE;
  if (change.has_branch()) kind = v1::RECORD_KIND_BRANCH;
  if (change.has_carer()) kind = v1::RECORD_KIND_CARER;
  if (change.has_service_user()) kind = v1::RECORD_KIND_SERVICE_USER;
  if (change.has_visit()) kind = v1::RECORD_KIND_VISIT;
  if (change.has_employee_group()) kind = v1::RECORD_KIND_EMPLOYEE_GROUP;
  return {kind, IdOf(change, kind, change.external_id())};
}

bool NaiveModel::HasAll(const State& state, const v1::RosterChange& change) const {
  auto has = [&](v1::RecordKind kind, const std::string& external_id) {
    return external_id.empty() || state.records.contains({kind, IdOf(change, kind, external_id)});
  };
  for (const v1::RosterAssignment& assignment : change.visit().assignments()) {
    if (!has(v1::RECORD_KIND_CARER, assignment.carer())) return false;
  }
  for (const std::string& carer : change.employee_group().carers()) {
    if (!has(v1::RECORD_KIND_CARER, carer)) return false;
  }
  return has(v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service()) &&
         has(v1::RECORD_KIND_BRANCH, change.carer().branch()) &&
         has(v1::RECORD_KIND_BRANCH, change.service_user().branch()) &&
         has(v1::RECORD_KIND_BRANCH, change.visit().branch()) &&
         has(v1::RECORD_KIND_SERVICE_USER, change.visit().service_user());
}

std::vector<std::string> NaiveModel::KnownMembers(const State& state, const v1::RosterChange& change) const {
  std::vector<std::string> known;
  for (const std::string& carer : change.employee_group().carers()) {
    const std::string id = IdOf(change, v1::RECORD_KIND_CARER, carer);
    if (state.records.contains({v1::RECORD_KIND_CARER, id})) known.push_back(carer);
  }
  return known;
}

NaiveRecord NaiveModel::Build(const v1::RosterChange& change) const {
  NaiveRecord record;
  record.source = change.source();
  if (change.has_care_service()) {
    v1::CareService payload;
    payload.set_name(change.care_service().name());
    record.payload = payload.SerializeAsString();
  } else if (change.has_branch()) {
    v1::Branch payload;
    payload.set_name(change.branch().name());
    payload.set_care_service_id(IdOf(change, v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service()));
    record.payload = payload.SerializeAsString();
  } else if (change.has_carer()) {
    v1::Carer payload;
    payload.set_name(change.carer().name());
    payload.set_branch_id(IdOf(change, v1::RECORD_KIND_BRANCH, change.carer().branch()));
    record.payload = payload.SerializeAsString();
    record.left = change.carer().left();
  } else if (change.has_service_user()) {
    v1::ServiceUser payload;
    payload.set_name(change.service_user().name());
    payload.set_branch_id(IdOf(change, v1::RECORD_KIND_BRANCH, change.service_user().branch()));
    payload.set_address(change.service_user().address());
    record.payload = payload.SerializeAsString();
  } else if (change.has_employee_group()) {
    v1::EmployeeGroup payload;
    payload.set_name(change.employee_group().name());
    for (const std::string& carer : change.employee_group().carers()) {
      payload.add_carer_ids(IdOf(change, v1::RECORD_KIND_CARER, carer));
      record.members.insert(payload.carer_ids(payload.carer_ids_size() - 1));
    }
    record.payload = payload.SerializeAsString();
    record.dissolved = change.employee_group().dissolved();
  } else {
    v1::Visit payload;
    record.service_user = IdOf(change, v1::RECORD_KIND_SERVICE_USER, change.visit().service_user());
    payload.set_service_user_id(record.service_user);
    for (const v1::RosterAssignment& assignment : change.visit().assignments()) {
      v1::Assignment& part = *payload.add_assignments();
      part.set_carer_id(IdOf(change, v1::RECORD_KIND_CARER, assignment.carer()));
      *part.mutable_start_time() = assignment.start_time();
      *part.mutable_end_time() = assignment.end_time();
      record.carers.insert(part.carer_id());
      const int64_t start_us = part.start_time().seconds() * 1'000'000;
      const int64_t end_us = part.end_time().seconds() * 1'000'000;
      const bool first = record.carers.size() == 1 && payload.assignments_size() == 1;
      record.start_us = first ? start_us : std::min(record.start_us, start_us);
      record.end_us = first ? end_us : std::max(record.end_us, end_us);
    }
    payload.set_notes(change.visit().notes());
    payload.set_branch_id(IdOf(change, v1::RECORD_KIND_BRANCH, change.visit().branch()));
    record.payload = payload.SerializeAsString();
    record.published = change.visit().published();
    record.cancelled = change.visit().cancelled();
  }
  return record;
}

State NaiveModel::NextState() const {
  State state = head();
  ++state.revision;
  state.touched.clear();
  return state;
}

v1::ChangeOutcome NaiveModel::Apply(State& state, const v1::RosterChange& change) const {
  const Name name = NameOf(change);
  // Nobody is to see what is taken away: it waits for nobody.
  const bool hidden = change.has_visit() && (change.visit().cancelled() || !change.visit().published());
  const bool ends = hidden || change.carer().left();
  const bool has_all =
      HasAll(state, change) || change.employee_group().dissolved() || (ends && state.records.contains(name));
  bool waited = false;
  if (has_all) {
    waited = state.waiting.erase(name) > 0;
  } else {
    state.waiting[name] = change;
    if (!change.has_employee_group()) return v1::CHANGE_OUTCOME_WAITING;
  }
  NaiveRecord record = Build(has_all ? change : WithMembers(change, KnownMembers(state, change)));
  const auto old = state.records.find(name);
  const bool created = old == state.records.end();
  if (!created) {
    record.access_carers = old->second->access_carers;
    record.access_groups = old->second->access_groups;
  }
  if (!created && IsSame(*old->second, record))
    return waited ? v1::CHANGE_OUTCOME_UPDATED : v1::CHANGE_OUTCOME_UNCHANGED;
  PutRecord(state, name, std::move(record));
  return created ? v1::CHANGE_OUTCOME_CREATED : v1::CHANGE_OUTCOME_UPDATED;
}

void NaiveModel::Release(State& state, const Name& name) const {
  const v1::RosterChange change = state.waiting.at(name);
  Apply(state, change);
}

void NaiveModel::SetAccess(State& state, const std::string& service_user, const std::set<std::string>& carers,
                           const std::set<std::string>& groups) const {
  const Name name(v1::RECORD_KIND_SERVICE_USER, service_user);
  NaiveRecord record = *state.records.at(name);
  record.access_carers = carers;
  record.access_groups = groups;
  PutRecord(state, name, std::move(record));
}

void NaiveModel::PutCarePlan(State& state, const std::string& id, const v1::CarePlan& plan) const {
  NaiveRecord record;
  record.payload = plan.SerializeAsString();
  record.parent = {v1::RECORD_KIND_SERVICE_USER, plan.service_user_id()};
  PutRecord(state, {v1::RECORD_KIND_CARE_PLAN, id}, std::move(record));
}

void NaiveModel::DeleteCarePlan(State& state, const std::string& id) const {
  const Name name(v1::RECORD_KIND_CARE_PLAN, id);
  NaiveRecord record = *state.records.at(name);
  record.deleted = true;
  PutRecord(state, name, std::move(record));
}

void NaiveModel::Commit(State state, std::string timeline) {
  state.timeline = std::move(timeline);
  history_.push_back(std::make_shared<const State>(std::move(state)));
}

}  // namespace caresync::simulation

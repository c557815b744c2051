#include "tests/simulation/naive_model.h"

#include <algorithm>
#include <optional>

#include "server/base/uuid.h"
#include "server/records/record_key.h"

namespace caresync::simulation {
namespace {

using Edge = store::WindowEdges::Edge;

bool IsBefore(int64_t time_us, const Name& visit, const Edge& edge) {
  return std::pair(time_us, KeyOf(visit).bytes) < std::pair(edge.time_us(), edge.record());
}

bool LiesIn(const store::WindowEdges::Stretch& stretch, int64_t time_us, const Name& visit) {
  if (stretch.has_from() && IsBefore(time_us, visit, stretch.from())) return false;
  return !stretch.has_to() || IsBefore(time_us, visit, stretch.to());
}

bool IsOutside(const store::WindowEdges& edges, const Name& visit, const NaiveRecord& record) {
  if (edges.has_opening() && !IsBefore(record.start_us, visit, edges.opening())) return true;
  return edges.has_closing() && IsBefore(record.end_us, visit, edges.closing());
}

bool IsPending(const store::WindowEdges& edges, const Name& visit, const NaiveRecord& record) {
  return (edges.has_anew_by_start() && LiesIn(edges.anew_by_start(), record.start_us, visit)) ||
         (edges.has_anew_by_end() && LiesIn(edges.anew_by_end(), record.end_us, visit));
}

void SetOutside(State& state, const Name& visit, bool outside) {
  if (outside) {
    state.outside.insert(visit);
  } else {
    state.outside.erase(visit);
  }
}

// Everything that `carer` may see.
std::set<Name> VisibleTo(const State& state, const std::string& carer) {
  std::set<Name> visible;
  const Name own(v1::RECORD_KIND_CARER, carer);
  if (state.records.contains(own)) visible.insert(own);
  for (const auto& [name, record] : state.records) {
    if (name.first != v1::RECORD_KIND_VISIT || !record->published || record->cancelled) continue;
    if (!record->carers.contains(carer) || state.outside.contains(name)) continue;
    visible.insert(name);
    visible.insert({v1::RECORD_KIND_SERVICE_USER, record->service_user});
    for (const std::string& colleague : record->carers) visible.insert({v1::RECORD_KIND_CARER, colleague});
  }
  for (const auto& [name, record] : state.records) {
    if (name.first == v1::RECORD_KIND_CARE_EVENT && visible.contains(record->parent)) visible.insert(name);
  }
  return visible;
}

void LookAgain(State& state) {
  for (auto& [carer, before] : state.views) {
    View view;
    for (const Name& name : VisibleTo(state, carer)) {
      const NaiveRecord& record = *state.records.at(name);
      const auto moved = before->moved.find(name);
      const bool stays = moved != before->moved.end() && record.version != state.revision;
      view.moved[name] = stays ? moved->second : state.revision;
      view.records[name] = record.payload;
    }
    const bool same = view.moved == before->moved && view.records == before->records;
    if (!same) before = std::make_shared<const View>(std::move(view));
  }
}

}  // namespace

base::RecordKey KeyOf(const Name& name) { return records::KeyOf({name.first, *base::Uuid::Parse(name.second)}); }

NaiveModel::NaiveModel(base::TenantId tenant, const std::vector<std::string>& carers) : tenant_(std::move(tenant)) {
  State state;
  for (const std::string& carer : carers) {
    state.views[carer] = std::make_shared<const View>();
    state.horizons[carer] = {};
  }
  history_.push_back(std::make_shared<const State>(std::move(state)));
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
  return {kind, IdOf(change, kind, change.external_id())};
}

bool NaiveModel::HasAll(const State& state, const v1::RosterChange& change) const {
  auto has = [&](v1::RecordKind kind, const std::string& external_id) {
    return external_id.empty() || state.records.contains({kind, IdOf(change, kind, external_id)});
  };
  for (const v1::RosterAssignment& assignment : change.visit().assignments()) {
    if (!has(v1::RECORD_KIND_CARER, assignment.carer())) return false;
  }
  return has(v1::RECORD_KIND_CARE_SERVICE, change.branch().care_service()) &&
         has(v1::RECORD_KIND_BRANCH, change.carer().branch()) &&
         has(v1::RECORD_KIND_BRANCH, change.service_user().branch()) &&
         has(v1::RECORD_KIND_BRANCH, change.visit().branch()) &&
         has(v1::RECORD_KIND_SERVICE_USER, change.visit().service_user());
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
  } else if (change.has_service_user()) {
    v1::ServiceUser payload;
    payload.set_name(change.service_user().name());
    payload.set_branch_id(IdOf(change, v1::RECORD_KIND_BRANCH, change.service_user().branch()));
    payload.set_address(change.service_user().address());
    record.payload = payload.SerializeAsString();
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
  return state;
}

void NaiveModel::PutRecord(State& state, const Name& name, NaiveRecord record) const {
  const auto old = state.records.find(name);
  const bool same_payload = old != state.records.end() && old->second->payload == record.payload;
  record.version = same_payload ? old->second->version : state.revision;
  if (name.first == v1::RECORD_KIND_VISIT) SetOutside(state, name, IsOutside(state.edges, name, record));
  state.records[name] = std::make_shared<const NaiveRecord>(std::move(record));
  LookAgain(state);
}

void NaiveModel::MoveEdges(State& state, const store::WindowEdges& edges) const {
  state.edges = edges;
  for (const auto& [name, record] : state.records) {
    if (name.first != v1::RECORD_KIND_VISIT || IsPending(edges, name, *record)) continue;
    SetOutside(state, name, IsOutside(edges, name, *record));
  }
  LookAgain(state);
}

bool NaiveModel::MayRecord(const State& state, const std::string& carer, const Name& parent) {
  if (parent.first != v1::RECORD_KIND_VISIT) return state.ViewOf(carer).records.contains(parent);
  const auto visit = state.records.find(parent);
  if (visit == state.records.end()) return false;
  return visit->second->published && !visit->second->cancelled && visit->second->carers.contains(carer);
}

v1::ChangeOutcome NaiveModel::Apply(State& state, const v1::RosterChange& change) const {
  const Name name = NameOf(change);
  if (!HasAll(state, change)) {
    state.waiting[name] = change;
    return v1::CHANGE_OUTCOME_WAITING;
  }
  const bool waited = state.waiting.erase(name) > 0;
  NaiveRecord record = Build(change);
  const auto old = state.records.find(name);
  const bool created = old == state.records.end();
  const bool same = !created && old->second->payload == record.payload && old->second->published == record.published &&
                    old->second->cancelled == record.cancelled;
  if (same) return waited ? v1::CHANGE_OUTCOME_UPDATED : v1::CHANGE_OUTCOME_UNCHANGED;
  PutRecord(state, name, std::move(record));
  return created ? v1::CHANGE_OUTCOME_CREATED : v1::CHANGE_OUTCOME_UPDATED;
}

void NaiveModel::Release(State& state, const Name& name) const {
  const v1::RosterChange change = state.waiting.at(name);
  Apply(state, change);
}

void NaiveModel::Accept(State& state, const SentEvent& event) const {
  state.accepted.insert(event.event_id);
  NaiveRecord record;
  record.payload = event.bytes;
  record.parent = event.parent;
  record.source = state.records.at(event.parent)->source;
  PutRecord(state, {v1::RECORD_KIND_CARE_EVENT, event.event_id}, std::move(record));
}

void NaiveModel::Commit(State state, std::string timeline) {
  state.timeline = std::move(timeline);
  history_.push_back(std::make_shared<const State>(std::move(state)));
}

}  // namespace caresync::simulation

// What each carer may see, from all records: no grants, no feeds.
#include <algorithm>
#include <optional>

#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "tests/simulation/naive_model.h"

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

bool IsPendingByStart(const store::WindowEdges& edges, const Name& visit, const NaiveRecord& record) {
  return edges.has_anew_by_start() && LiesIn(edges.anew_by_start(), record.start_us, visit);
}

bool IsPendingByEnd(const store::WindowEdges& edges, const Name& visit, const NaiveRecord& record) {
  return edges.has_anew_by_end() && LiesIn(edges.anew_by_end(), record.end_us, visit);
}

// Whether the move from `before` to `after` looks at the visit. What waits in both stretches is looked at as each of
// them gets past it, by both edges each time.
bool IsLookedAt(const store::WindowEdges& before, const store::WindowEdges& after, const Name& visit,
                const NaiveRecord& record) {
  const bool by_start = IsPendingByStart(after, visit, record);
  const bool by_end = IsPendingByEnd(after, visit, record);
  if (!by_start && !by_end) return true;
  return (!by_start && IsPendingByStart(before, visit, record)) || (!by_end && IsPendingByEnd(before, visit, record));
}

void SetOutside(State& state, const Name& visit, bool outside) {
  if (outside) {
    state.outside.insert(visit);
  } else {
    state.outside.erase(visit);
  }
}

// The groups that are there and that the carer is in.
std::set<std::string> GroupsOf(const State& state, const std::string& carer) {
  std::set<std::string> groups;
  for (const auto& [name, record] : state.records) {
    if (name.first != v1::RECORD_KIND_EMPLOYEE_GROUP || record->dissolved) continue;
    if (record->members.contains(carer)) groups.insert(name.second);
  }
  return groups;
}

bool HasAccess(const NaiveRecord& service_user, const std::string& carer, const std::set<std::string>& groups) {
  if (service_user.access_carers.contains(carer)) return true;
  return std::any_of(groups.begin(), groups.end(),
                     [&](const std::string& group) { return service_user.access_groups.contains(group); });
}

bool HangsOnAnother(v1::RecordKind kind) {
  return kind == v1::RECORD_KIND_CARE_EVENT || kind == v1::RECORD_KIND_CARE_PLAN;
}

// Everything that `carer` may see.
std::set<Name> VisibleTo(const State& state, const std::string& carer) {
  std::set<Name> visible;
  const Name own(v1::RECORD_KIND_CARER, carer);
  if (state.records.contains(own)) visible.insert(own);
  const std::set<std::string> groups = GroupsOf(state, carer);
  for (const auto& [name, record] : state.records) {
    if (name.first == v1::RECORD_KIND_SERVICE_USER && HasAccess(*record, carer, groups)) visible.insert(name);
    if (name.first != v1::RECORD_KIND_VISIT || !record->published || record->cancelled) continue;
    if (!record->carers.contains(carer) || state.outside.contains(name)) continue;
    visible.insert(name);
    visible.insert({v1::RECORD_KIND_SERVICE_USER, record->service_user});
    for (const std::string& colleague : record->carers) visible.insert({v1::RECORD_KIND_CARER, colleague});
  }
  for (const auto& [name, record] : state.records) {
    if (HangsOnAnother(name.first) && !record->deleted && visible.contains(record->parent)) visible.insert(name);
  }
  return visible;
}

using Versions = std::map<Name, base::Revision>;

Versions VersionsOf(const State& state, const std::set<Name>& names) {
  Versions versions;
  for (const Name& name : names) versions[name] = state.records.at(name)->version;
  return versions;
}

void NoteTouched(const std::string& carer, const Versions& before, const Versions& after, State& state) {
  for (const auto& [name, version] : before) {
    const auto still = after.find(name);
    if (still == after.end() || still->second != version) state.touched.insert({carer, name});
  }
  for (const auto& [name, version] : after) {
    if (!before.contains(name)) state.touched.insert({carer, name});
  }
}

void LookAgain(State& state) {
  for (auto& [carer, before] : state.views) {
    View view;
    view.versions = VersionsOf(state, VisibleTo(state, carer));
    // One revision may write a record twice.
    const bool may_differ =
        view.versions != before->versions || std::any_of(view.versions.begin(), view.versions.end(),
                                                         [&](const auto& of) { return of.second == state.revision; });
    if (!may_differ) continue;
    NoteTouched(carer, before->versions, view.versions, state);
    for (const auto& [name, version] : view.versions) {
      const std::string& payload = state.records.at(name)->payload;
      view.records[name] = payload;
      if (LeastLevel(name.first) == 1) view.first_level[name] = payload;
    }
    const bool same = view.versions == before->versions && view.records == before->records;
    if (!same) before = std::make_shared<const View>(std::move(view));
  }
}

}  // namespace

uint32_t LeastLevel(v1::RecordKind kind) { return kind == v1::RECORD_KIND_CARE_PLAN ? 2 : 1; }

void NaiveModel::PutRecord(State& state, const Name& name, NaiveRecord record) const {
  const auto old = state.records.find(name);
  const bool same_payload = old != state.records.end() && old->second->payload == record.payload;
  record.version = same_payload ? old->second->version : state.revision;
  if (name.first == v1::RECORD_KIND_VISIT) SetOutside(state, name, IsOutside(state.edges, name, record));
  state.records[name] = std::make_shared<const NaiveRecord>(std::move(record));
  LookAgain(state);
}

void NaiveModel::MoveEdges(State& state, const store::WindowEdges& edges) const {
  for (const auto& [name, record] : state.records) {
    if (name.first != v1::RECORD_KIND_VISIT || !IsLookedAt(state.edges, edges, name, *record)) continue;
    SetOutside(state, name, IsOutside(edges, name, *record));
  }
  state.edges = edges;
  LookAgain(state);
}

bool NaiveModel::MayRecord(const State& state, const std::string& carer, const Name& parent) {
  if (parent.first != v1::RECORD_KIND_VISIT) return state.ViewOf(carer).records.contains(parent);
  const auto visit = state.records.find(parent);
  if (visit == state.records.end()) return false;
  return visit->second->published && !visit->second->cancelled && visit->second->carers.contains(carer);
}

}  // namespace caresync::simulation

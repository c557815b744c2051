#include "tools/caresync/device_view.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

VisitView MakeVisitView(const HeldRecord& record) {
  VisitView view;
  view.id = record.id;
  view.payload = record.payload;
  view.visit.ParseFromString(record.payload);
  view.start = absl::InfiniteFuture();
  view.end = absl::InfinitePast();
  for (const v1::Assignment& assignment : view.visit.assignments()) {
    view.start = std::min(view.start, ToTime(assignment.start_time()));
    view.end = std::max(view.end, ToTime(assignment.end_time()));
  }
  return view;
}

void ApplyEvent(const v1::CareEvent& event, const std::string& carer_id, VisitView& visit) {
  if (event.has_note()) ++visit.notes;
  if (event.carer_id() != carer_id) return;
  // The two may be read in any order; finished is the later one of them.
  if (event.has_visit_finished()) visit.status = "finished";
  if (event.has_visit_started() && visit.status == "planned") visit.status = "started";
}

Json AssignmentJson(const DeviceView& view, const v1::Assignment& assignment) {
  return {{"carer_id", assignment.carer_id()},
          {"carer", CarerName(view, assignment.carer_id())},
          {"start", IsoTime(ToTime(assignment.start_time()))},
          {"end", IsoTime(ToTime(assignment.end_time()))}};
}

Json ActivityJson(const v1::PlannedActivity& activity) {
  return {{"activity_id", activity.activity_id()},
          {"activity_kind", activity.activity_kind()},
          {"description", activity.description()},
          {"planned_minutes", activity.planned_minutes()},
          {"carer_id", activity.carer_id()}};
}

}  // namespace

absl::StatusOr<DeviceView> ReadDeviceView(const DeviceStore& store, const std::string& carer_id) {
  DeviceView view;
  ASSIGN_OR_RETURN(std::vector<HeldRecord> records, store.Records(carer_id));
  ASSIGN_OR_RETURN(const std::vector<v1::UploadedEvent> unsent, store.UnsentEvents(carer_id));
  ASSIGN_OR_RETURN(const std::vector<v1::UploadedEvent> kept, store.KeptEvents(carer_id));
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> copy, store.InUse(carer_id));
  ASSIGN_OR_RETURN(view.open_visit_id, store.OpenVisit(carer_id));
  ASSIGN_OR_RETURN(view.manual_sync_due_since, store.ManualSyncDueSince(carer_id));
  if (!copy) {
    ASSIGN_OR_RETURN(records, store.NextVisits(carer_id));
    view.incomplete = !records.empty();
  }
  view.records = records.size();
  view.unsent_events = unsent.size();
  view.revision = copy ? copy->revision : 0;
  view.never_synced = !copy.has_value();

  std::map<std::string, v1::ServiceUser> service_users;
  // An event is on the device twice where it was sent and came back: once by its ID.
  std::map<std::string, v1::CareEvent> events;
  for (const HeldRecord& record : records) {
    if (record.kind == v1::RECORD_KIND_CARER) view.carers[record.id].ParseFromString(record.payload);
    if (record.kind == v1::RECORD_KIND_SERVICE_USER) service_users[record.id].ParseFromString(record.payload);
    if (record.kind == v1::RECORD_KIND_CARE_EVENT) events[record.id].ParseFromString(record.payload);
    if (record.kind == v1::RECORD_KIND_VISIT) view.visits.push_back(MakeVisitView(record));
  }
  for (const v1::UploadedEvent& event : kept) events[event.event_id()].ParseFromString(event.event());
  for (VisitView& visit : view.visits) {
    visit.service_user = service_users[visit.visit.service_user_id()];
    for (const auto& [id, event] : events) {
      if (event.visit_id() == visit.id) ApplyEvent(event, carer_id, visit);
    }
  }
  std::sort(view.visits.begin(), view.visits.end(),
            [](const VisitView& a, const VisitView& b) { return std::tie(a.start, a.id) < std::tie(b.start, b.id); });
  return view;
}

std::string CarerName(const DeviceView& view, const std::string& carer_id) {
  const auto carer = view.carers.find(carer_id);
  return carer == view.carers.end() ? carer_id : carer->second.name();
}

absl::StatusOr<VisitView> FindVisit(const DeviceView& view, const std::string& text) {
  std::vector<std::string> candidates;
  const VisitView* found = nullptr;
  for (const VisitView& visit : view.visits) {
    if (visit.id == text) return visit;
    if (!absl::StartsWith(visit.id, text)) continue;
    found = &visit;
    candidates.push_back(Printable(absl::StrCat(visit.id, "  ", visit.service_user.name())));
  }
  if (found == nullptr || text.empty()) return errors::VisitNotFound(text);
  if (candidates.size() > 1) return errors::VisitAmbiguous(text, candidates);
  return *found;
}

Json VisitJson(const DeviceView& view, const VisitView& visit) {
  Json assignments = Json::array();
  for (const v1::Assignment& assignment : visit.visit.assignments()) {
    assignments.push_back(AssignmentJson(view, assignment));
  }
  Json activities = Json::array();
  for (const v1::PlannedActivity& activity : visit.visit.planned_activities()) {
    activities.push_back(ActivityJson(activity));
  }
  Json json = {{"visit_id", visit.id},
               {"service_user_id", visit.visit.service_user_id()},
               {"service_user", visit.service_user.name()},
               {"nhs_number", visit.service_user.nhs_number()},
               {"address", visit.service_user.address()},
               {"location", nullptr},
               {"start", IsoTime(visit.start)},
               {"end", IsoTime(visit.end)},
               {"assignments", assignments},
               {"activities", activities},
               {"notes", visit.visit.notes()},
               {"status", visit.status},
               {"recorded_notes", visit.notes},
               {"open", visit.id == view.open_visit_id}};
  if (visit.service_user.has_location()) {
    json["location"] = {{"latitude", visit.service_user.location().latitude()},
                        {"longitude", visit.service_user.location().longitude()}};
  }
  return json;
}

ViewChanges Compare(const DeviceView& before, const DeviceView& after) {
  ViewChanges changes;
  std::map<std::string, const VisitView*> old;
  for (const VisitView& visit : before.visits) old[visit.id] = &visit;
  for (const VisitView& visit : after.visits) {
    const auto known = old.find(visit.id);
    if (known == old.end()) {
      changes.added.push_back(visit);
      continue;
    }
    if (known->second->payload != visit.payload) changes.changed.push_back(visit);
    old.erase(known);
  }
  for (const auto& [id, visit] : old) changes.removed.push_back(*visit);
  return changes;
}

}  // namespace caresync::cli

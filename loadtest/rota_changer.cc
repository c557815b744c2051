#include "loadtest/rota_changer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace caresync::loadtest {
namespace {

// As the protocol bounds a message of changes.
constexpr int kChangesOfMessage = 100;
constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kQuarterSeconds = 900;
constexpr int64_t kMovedSeconds = 1'800;
// Tries to find a carer who is not on a visit yet, among those of its branch.
constexpr int kTries = 20;
constexpr int kCarersOfVisit = 4;

std::vector<v1::RosterChange> ChangesOf(const std::vector<v1::ApplyChangesRequest>& requests,
                                        bool (v1::RosterChange::*is_of_kind)() const) {
  std::vector<v1::RosterChange> changes;
  for (const v1::ApplyChangesRequest& request : requests) {
    for (const v1::RosterChange& change : request.changes()) {
      if ((change.*is_of_kind)()) changes.push_back(change);
    }
  }
  return changes;
}

void ShiftTimes(v1::RosterVisit& visit, int64_t seconds) {
  for (v1::RosterAssignment& assignment : *visit.mutable_assignments()) {
    assignment.mutable_start_time()->set_seconds(assignment.start_time().seconds() + seconds);
    assignment.mutable_end_time()->set_seconds(assignment.end_time().seconds() + seconds);
  }
}

bool IsOn(const v1::RosterVisit& visit, const std::string& carer) {
  return std::any_of(visit.assignments().begin(), visit.assignments().end(),
                     [&carer](const v1::RosterAssignment& assignment) { return assignment.carer() == carer; });
}

// Whoever is not on the visit any more is to do nothing in it.
void ReleaseActivities(v1::RosterVisit& visit) {
  for (v1::RosterPlannedActivity& activity : *visit.mutable_planned_activities()) {
    if (!IsOn(visit, activity.carer())) activity.clear_carer();
  }
}

}  // namespace

RotaChanger::RotaChanger(const std::vector<v1::ApplyChangesRequest>& imported, uint32_t seed)
    : random_(seed),
      visits_(ChangesOf(imported, &v1::RosterChange::has_visit)),
      people_(ChangesOf(imported, &v1::RosterChange::has_service_user)),
      carers_(ChangesOf(imported, &v1::RosterChange::has_carer)) {}

v1::ApplyChangesRequest RotaChanger::Next(int count) {
  v1::ApplyChangesRequest request;
  for (int i = 0; i < count; ++i) *request.add_changes() = NextChange();
  return request;
}

v1::RosterChange RotaChanger::NextChange() {
  ++made_;
  const size_t dice = Random(100);
  if (dice < 3) return NewVisit();
  if (dice < 8) {
    v1::RosterChange& person = people_[Random(people_.size())];
    person.mutable_service_user()->set_phone(absl::StrCat("01632 ", 960'000 + made_ % 1'000));
    return person;
  }
  if (dice < 10) {
    v1::RosterChange& carer = carers_[Random(carers_.size())];
    carer.mutable_carer()->set_name(absl::StrCat("Carer ", made_));
    return carer;
  }
  v1::RosterChange& visit = visits_[Random(visits_.size())];
  ChangeVisit(visit);
  return visit;
}

void RotaChanger::ChangeVisit(v1::RosterChange& change) {
  v1::RosterVisit& visit = *change.mutable_visit();
  const size_t dice = Random(100);
  if (dice < 40) return visit.set_notes(absl::StrCat("Change ", made_));
  if (dice < 55) return ShiftTimes(visit, kQuarterSeconds);
  if (dice < 75) return GiveToAnother(visit);
  if (dice < 85) return AddOrTakeSecondCarer(visit);
  if (dice < 95) return visit.set_cancelled(!visit.cancelled());
  visit.set_published(!visit.published());
}

std::string RotaChanger::AnotherCarer(const v1::RosterVisit& visit) {
  for (int i = 0; i < kTries; ++i) {
    const v1::RosterChange& carer = carers_[Random(carers_.size())];
    if (carer.carer().branch() == visit.branch() && !IsOn(visit, carer.external_id())) return carer.external_id();
  }
  return "";
}

void RotaChanger::GiveToAnother(v1::RosterVisit& visit) {
  const std::string carer = AnotherCarer(visit);
  if (carer.empty()) return;
  visit.mutable_assignments(static_cast<int>(Random(visit.assignments_size())))->set_carer(carer);
  ReleaseActivities(visit);
}

void RotaChanger::AddOrTakeSecondCarer(v1::RosterVisit& visit) {
  if (visit.assignments_size() > 1 && Random(2) == 0) {
    visit.mutable_assignments()->RemoveLast();
    return ReleaseActivities(visit);
  }
  const std::string carer = visit.assignments_size() < kCarersOfVisit ? AnotherCarer(visit) : "";
  if (carer.empty()) return;
  v1::RosterAssignment assignment = visit.assignments(0);
  assignment.set_carer(carer);
  *visit.add_assignments() = std::move(assignment);
}

v1::RosterChange RotaChanger::NewVisit() {
  v1::RosterChange change = visits_[Random(visits_.size())];
  change.set_external_id(absl::StrCat("new/", made_));
  change.mutable_visit()->set_published(true);
  change.mutable_visit()->set_cancelled(false);
  ShiftTimes(*change.mutable_visit(), kQuarterSeconds);
  visits_.push_back(change);
  return change;
}

PrivateVisits::PrivateVisits(const std::vector<v1::ApplyChangesRequest>& imported,
                             const std::vector<std::string>& carers, int count) {
  const std::vector<v1::RosterChange> rota = ChangesOf(imported, &v1::RosterChange::has_visit);
  for (size_t i = 0; i < carers.size(); ++i) {
    for (int k = 0; k < count; ++k) {
      v1::RosterChange change = rota[(i * static_cast<size_t>(count) + static_cast<size_t>(k)) % rota.size()];
      change.set_external_id(absl::StrCat("private/", carers[i], "/", k));
      v1::RosterVisit& visit = *change.mutable_visit();
      visit.mutable_assignments()->DeleteSubrange(1, visit.assignments_size() - 1);
      visit.mutable_assignments(0)->set_carer(carers[i]);
      ReleaseActivities(visit);
      visits_.push_back(std::move(change));
    }
  }
}

void PrivateVisits::SetNotes(v1::RosterChange& visit) {
  visit.mutable_visit()->set_notes(absl::StrCat("Change ", ++made_));
}

std::vector<v1::ApplyChangesRequest> PrivateVisits::ChangeAll() {
  std::vector<v1::ApplyChangesRequest> requests;
  for (v1::RosterChange& visit : visits_) {
    SetNotes(visit);
    if (requests.empty() || requests.back().changes_size() == kChangesOfMessage) requests.emplace_back();
    *requests.back().add_changes() = visit;
  }
  return requests;
}

v1::ApplyChangesRequest PrivateVisits::Change(int count) {
  v1::ApplyChangesRequest request;
  for (int i = 0; i < count; ++i) {
    v1::RosterChange& visit = visits_[next_++ % visits_.size()];
    SetNotes(visit);
    *request.add_changes() = visit;
  }
  return request;
}

void PrivateVisits::MoveTo(size_t index, absl::Time start) {
  v1::RosterAssignment& part = *visits_[index].mutable_visit()->mutable_assignments(0);
  part.mutable_start_time()->set_seconds(absl::ToUnixSeconds(start));
  part.mutable_end_time()->set_seconds(absl::ToUnixSeconds(start) + kMovedSeconds);
}

ComingDays::ComingDays(const std::vector<v1::ApplyChangesRequest>& imported)
    : visits_(ChangesOf(imported, &v1::RosterChange::has_visit)) {}

v1::ApplyChangesRequest ComingDays::Next(int count) {
  v1::ApplyChangesRequest request;
  for (int i = 0; i < count; ++i) {
    v1::RosterChange& change = *request.add_changes();
    change = visits_[next_];
    change.set_external_id(absl::StrCat(change.external_id(), "/", day_));
    ShiftTimes(*change.mutable_visit(), day_ * kDaySeconds);
    if (++next_ < visits_.size()) continue;
    next_ = 0;
    ++day_;
  }
  return request;
}

}  // namespace caresync::loadtest

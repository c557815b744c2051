#include "tests/simulation/rota_maker.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/fakes/rota.h"

namespace caresync::simulation {
namespace {

constexpr size_t kVisits = 9;
constexpr size_t kServiceUsers = 5;
constexpr size_t kBranches = 3;
constexpr size_t kGroups = 3;

// All of a source's carers; the last one comes late.
std::vector<std::string> CarersOf(const std::string& source) {
  std::vector<std::string> carers = RotaMaker::CarersWithDevices(source);
  carers.push_back(RotaMaker::kLateCarer);
  return carers;
}

}  // namespace

const std::vector<std::string>& RotaMaker::Sources() {
  static const std::vector<std::string>& sources = *new std::vector<std::string>{"north", "south"};
  return sources;
}

std::vector<std::string> RotaMaker::CarersWithDevices(const std::string& source) {
  if (source == "north") return {"ann", "ben"};
  return {"cid"};
}

std::string RotaMaker::Text(size_t most) {
  std::string text(1 + Below(most), ' ');
  for (char& c : text) c = static_cast<char>('a' + Below(26));
  return text;
}

google::protobuf::Timestamp RotaMaker::AtHour(int hour) const {
  google::protobuf::Timestamp time;
  time.set_seconds(absl::ToUnixSeconds(midnight_ + absl::Hours(hour)));
  return time;
}

v1::ApplyChangesRequest RotaMaker::FirstMessage(const std::string& source) {
  v1::ApplyChangesRequest request;
  for (const std::string& carer : CarersWithDevices(source)) {
    v1::RosterChange& change = *request.add_changes();
    change = fakes::CarerChange(carer);
    change.set_source(source);
    sent_[{source, carer}] = change;
  }
  // The others come late, and what refers to them waits.
  for (size_t i = 0; i + 1 < kServiceUsers; ++i) {
    v1::RosterChange& change = *request.add_changes();
    change = fakes::ServiceUserChange(absl::StrCat("person", i));
    change.set_source(source);
    sent_[{source, change.external_id()}] = change;
  }
  return request;
}

v1::ApplyChangesRequest RotaMaker::LateCarer(const std::string& source) {
  v1::RosterChange& change = sent_.try_emplace({source, kLateCarer}, fakes::CarerChange(kLateCarer)).first->second;
  change.set_source(source);
  // A branch that never came would keep the carer away.
  change.mutable_carer()->clear_branch();
  v1::ApplyChangesRequest request;
  *request.add_changes() = change;
  return request;
}

v1::ApplyChangesRequest RotaMaker::EverybodyBack(const std::string& source) {
  v1::ApplyChangesRequest request;
  for (auto& [place, change] : sent_) {
    if (place.first != source || !change.has_carer()) continue;
    change.mutable_carer()->set_left(false);
    // A branch that never came would keep the carer away.
    change.mutable_carer()->clear_branch();
    *request.add_changes() = change;
  }
  return request;
}

v1::ApplyChangesRequest RotaMaker::NextMessage(const std::string& source) {
  v1::ApplyChangesRequest request;
  std::set<std::string> named;
  const size_t wanted = OneIn(3) ? 1 + Below(4) : 1;
  for (size_t i = 0; i < wanted; ++i) {
    v1::RosterChange change = Change(source);
    change.set_source(source);
    if (!named.insert(change.external_id()).second) continue;
    sent_[{source, change.external_id()}] = change;
    *request.add_changes() = std::move(change);
  }
  return request;
}

v1::ApplyChangesRequest RotaMaker::PlanVisits(const std::string& source, absl::Time now, size_t most) {
  static constexpr int kAheadMinutes[] = {-20, 4, 12, 33, 3 * 60, 20 * 60, 26 * 60, 47 * 60};
  v1::ApplyChangesRequest request;
  const size_t first = Below(kVisits);
  for (size_t i = 0; i < std::min(most, kVisits); ++i) {
    const std::string id = absl::StrCat("visit", (first + i) % kVisits);
    const auto before = sent_.find({source, id});
    v1::RosterChange change = before != sent_.end() ? before->second : fakes::VisitChange(id, "", {});
    change.set_source(source);
    v1::RosterVisit& visit = *change.mutable_visit();
    if (before == sent_.end()) visit.set_service_user(absl::StrCat("person", Below(kServiceUsers)));
    // Now and then it is as near as that, and nobody is to go any more.
    visit.set_cancelled(before != sent_.end() && OneIn(8));
    visit.set_published(true);
    Assign(source, visit);
    int64_t start = absl::ToUnixSeconds(now) + 60 * kAheadMinutes[Below(std::size(kAheadMinutes))];
    for (v1::RosterAssignment& part : *visit.mutable_assignments()) {
      part.mutable_start_time()->set_seconds(start);
      part.mutable_end_time()->set_seconds(start + 3600);
      start += 1800;
    }
    sent_[{source, id}] = change;
    *request.add_changes() = std::move(change);
  }
  return request;
}

std::optional<v1::ApplyChangesRequest> RotaMaker::Cancel(const std::string& source, const IsWanted& is_wanted) {
  for (auto& [place, change] : sent_) {
    const bool cancellable = place.first == source && change.has_visit() && !change.visit().cancelled();
    if (!cancellable || !is_wanted(change)) continue;
    change.mutable_visit()->set_cancelled(true);
    v1::ApplyChangesRequest request;
    *request.add_changes() = change;
    return request;
  }
  return std::nullopt;
}

std::optional<v1::ApplyChangesRequest> RotaMaker::Move(const std::string& source, const IsWanted& is_wanted,
                                                       absl::Duration by) {
  const int64_t seconds = absl::ToInt64Seconds(by);
  for (auto& [place, change] : sent_) {
    if (place.first != source || !change.has_visit() || !is_wanted(change)) continue;
    for (v1::RosterAssignment& part : *change.mutable_visit()->mutable_assignments()) {
      part.mutable_start_time()->set_seconds(part.start_time().seconds() + seconds);
      part.mutable_end_time()->set_seconds(part.end_time().seconds() + seconds);
    }
    v1::ApplyChangesRequest request;
    *request.add_changes() = change;
    return request;
  }
  return std::nullopt;
}

v1::ApplyChangesRequest RotaMaker::GiveBack(const std::string& source, const std::string& visit) {
  v1::RosterChange& change = sent_.at({source, visit});
  change.mutable_visit()->set_cancelled(false);
  v1::ApplyChangesRequest request;
  *request.add_changes() = change;
  return request;
}

v1::RosterChange RotaMaker::Change(const std::string& source) {
  const size_t kind = Below(23);
  if (kind >= 20) return GroupChange(source);
  if (kind == 0 && !sent_.empty()) {
    const auto& [place, change] = *std::next(sent_.begin(), static_cast<ptrdiff_t>(Below(sent_.size())));
    if (place.first == source) return change;
  }
  const std::string branch = OneIn(2) ? "" : absl::StrCat("branch", Below(kBranches));
  if (kind <= 1) {
    v1::RosterChange change = fakes::CareServiceChange("service");
    change.mutable_care_service()->set_name(Text(10));
    return change;
  }
  if (kind == 2) {
    v1::RosterChange change = fakes::BranchChange(absl::StrCat("branch", Below(kBranches)), OneIn(3) ? "service" : "");
    change.mutable_branch()->set_name(Text(10));
    return change;
  }
  if (kind <= 4) {
    return CarerChange(source, branch);
  }
  if (kind <= 8) {
    v1::RosterChange change = fakes::ServiceUserChange(absl::StrCat("person", Below(kServiceUsers)), branch);
    change.mutable_service_user()->set_name(Text(30));
    change.mutable_service_user()->set_address(Text(200));
    return change;
  }
  return VisitChange(source);
}

v1::RosterChange RotaMaker::CarerChange(const std::string& source, const std::string& branch) {
  const std::vector<std::string> carers = CarersOf(source);
  const std::string& carer = carers[Below(carers.size())];
  const auto before = sent_.find({source, carer});
  const bool has_left = before != sent_.end() && before->second.carer().left();
  if (before != sent_.end() && OneIn(3)) {
    v1::RosterChange change = before->second;
    change.mutable_carer()->set_left(!has_left);
    return change;
  }
  v1::RosterChange change = fakes::CarerChange(carer, branch);
  change.mutable_carer()->set_name(Text(30));
  // Those who left come back soon: nothing can be seen of a carer who is away.
  change.mutable_carer()->set_left(has_left && OneIn(3));
  return change;
}

v1::RosterChange RotaMaker::GroupChange(const std::string& source) {
  const std::string id = absl::StrCat("group", Below(kGroups));
  const auto before = sent_.find({source, id});
  if (before != sent_.end() && OneIn(4)) {
    v1::RosterChange change = before->second;
    change.mutable_employee_group()->set_dissolved(!change.employee_group().dissolved());
    return change;
  }
  std::vector<std::string> members;
  for (const std::string& carer : CarersOf(source)) {
    if (OneIn(2)) members.push_back(carer);
  }
  v1::RosterChange change = fakes::GroupChange(id, members);
  if (OneIn(3)) change.mutable_employee_group()->set_name(Text(10));
  return change;
}

v1::RosterChange RotaMaker::VisitChange(const std::string& source) {
  const std::string id = absl::StrCat("visit", Below(kVisits));
  const auto before = sent_.find({source, id});
  v1::RosterChange change = before != sent_.end() ? before->second : fakes::VisitChange(id, "", {});
  v1::RosterVisit& visit = *change.mutable_visit();
  if (before == sent_.end()) {
    SetPeople(source, visit);
    return change;
  }
  switch (Below(8)) {
    case 0:
      visit.set_cancelled(!visit.cancelled());
      break;
    case 1:
      visit.set_published(!visit.published());
      break;
    case 2:
    case 3:
      Assign(source, visit);
      break;
    case 4:
      SetPeople(source, visit);
      break;
    case 5:
      visit.set_notes(Text(400));
      break;
    case 6:
      visit.set_branch(OneIn(2) ? "" : absl::StrCat("branch", Below(kBranches)));
      break;
    default: {
      int hour = static_cast<int>(Below(20));
      for (v1::RosterAssignment& part : *visit.mutable_assignments()) {
        *part.mutable_start_time() = AtHour(hour);
        *part.mutable_end_time() = AtHour(++hour);
      }
    }
  }
  return change;
}

void RotaMaker::Assign(const std::string& source, v1::RosterVisit& visit) {
  visit.clear_assignments();
  const std::vector<std::string> carers = CarersOf(source);
  const size_t parts = 1 + Below(2);
  for (size_t i = 0; i < parts; ++i) {
    v1::RosterAssignment& part = *visit.add_assignments();
    part.set_carer(OneIn(6) ? carers.back() : carers[Below(carers.size() - 1)]);
    *part.mutable_start_time() = AtHour(9 + static_cast<int>(i));
    *part.mutable_end_time() = AtHour(10 + static_cast<int>(i));
  }
}

void RotaMaker::SetPeople(const std::string& source, v1::RosterVisit& visit) {
  visit.set_service_user(absl::StrCat("person", Below(kServiceUsers)));
  Assign(source, visit);
}

}  // namespace caresync::simulation

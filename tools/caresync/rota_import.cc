#include "tools/caresync/rota_import.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/person_maker.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::json;

constexpr char kCareService[] = "home-care";
// Room for what wraps the changes in a message of at most 1 MiB.
constexpr size_t kRequestBytes = size_t{1000} * 1024;
// Two days: what no working day exceeds, and what a visit may last.
constexpr double kMinutesMost = 2 * 24 * 60;

struct Part {
  std::string service;
  double minutes = 0;
};

struct Patient {
  std::string id;
  double longitude = 0;
  double latitude = 0;
  std::vector<Part> parts;
};

struct Stop {
  std::string caregiver;
  std::string service;
  double arrival = 0;
  double departure = 0;
};

struct Rota {
  std::string name;
  std::vector<Patient> patients;
  std::vector<std::string> caregivers;
  // By patient, in the order of arrival.
  std::map<std::string, std::vector<Stop>> stops;
  std::set<std::string> busy_caregivers;
};

// Reads one rota. Every member function leaves the first thing that is wrong in `wrong_`.
class RotaReader {
 public:
  explicit RotaReader(const std::string& file) : file_(file) {}

  absl::StatusOr<Rota> Read(const std::string& text) {
    const Json root = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (root.is_discarded()) return errors::RotaNotValid(file_, "it is not JSON");
    if (!root.is_object()) return errors::RotaNotValid(file_, "it is JSON, but not an object with a rota's fields");
    Rota rota;
    rota.name = Text(root, "name", "the rota");
    if (!wrong_ && !IsPlainId(rota.name)) Wrong("the rota's \"name\" must be 1 to 64 letters, digits, '-', '_' or '.'");
    ReadPatients(root, rota);
    ReadCaregivers(root, rota);
    ReadRoutes(root, rota);
    if (wrong_) return errors::RotaNotValid(file_, *wrong_);
    return rota;
  }

 private:
  static bool IsPlainId(const std::string& id) {
    return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    });
  }

  void Wrong(std::string what) {
    if (!wrong_) wrong_ = std::move(what);
  }

  const Json* Field(const Json& object, const char* name, const std::string& where) {
    if (!object.is_object()) {
      Wrong(absl::StrCat(where, " must be an object"));
      return nullptr;
    }
    const auto field = object.find(name);
    if (field == object.end()) {
      Wrong(absl::StrCat(where, " has no field \"", name, "\""));
      return nullptr;
    }
    return &*field;
  }

  std::string Text(const Json& object, const char* name, const std::string& where) {
    const Json* field = Field(object, name, where);
    if (field == nullptr) return "";
    if (!field->is_string()) {
      Wrong(absl::StrCat("\"", name, "\" of ", where, " must be a string"));
      return "";
    }
    return field->get<std::string>();
  }

  std::string Id(const Json& object, const char* name, const std::string& where) {
    std::string id = Text(object, name, where);
    if (!wrong_ && !IsPlainId(id)) {
      Wrong(absl::StrCat("\"", name, "\" of ", where, " must be 1 to 64 letters, digits, '-', '_' or '.'"));
    }
    return id;
  }

  double Minutes(const Json& object, const char* name, const std::string& where) {
    const Json* field = Field(object, name, where);
    if (field == nullptr) return 0;
    if (!field->is_number()) {
      Wrong(absl::StrCat("\"", name, "\" of ", where, " must be a number of minutes"));
      return 0;
    }
    const double minutes = field->get<double>();
    if (!(minutes >= 0 && minutes <= kMinutesMost)) {
      Wrong(absl::StrCat("\"", name, "\" of ", where, " must be 0 to ", kMinutesMost, " minutes"));
    }
    return minutes;
  }

  // An empty array where the field is missing or none.
  const Json& Array(const Json& object, const char* name, const std::string& where) {
    static const Json* const empty = new Json(Json::array());
    const Json* field = Field(object, name, where);
    if (field == nullptr) return *empty;
    if (field->is_array()) return *field;
    Wrong(absl::StrCat("\"", name, "\" of ", where, " must be an array"));
    return *empty;
  }

  void ReadPatients(const Json& root, Rota& rota) {
    const Json& patients = Array(root, "patients", "the rota");
    for (size_t i = 0; i < patients.size() && !wrong_; ++i) {
      Patient patient;
      patient.id = Id(patients[i], "id", absl::StrCat("patient ", i + 1));
      const std::string where = absl::StrCat("patient ", patient.id);
      if (!wrong_ && !patient_ids_.insert(patient.id).second) Wrong(absl::StrCat(where, " is there twice"));
      ReadLocation(patients[i], where, patient);
      for (const Json& part : Array(patients[i], "required_caregivers", where)) {
        patient.parts.push_back({Id(part, "service", where), Minutes(part, "duration", where)});
      }
      rota.patients.push_back(std::move(patient));
    }
  }

  void ReadLocation(const Json& json, const std::string& where, Patient& patient) {
    const Json& location = Array(json, "location", where);
    if (wrong_) return;
    if (location.size() != 2 || !location[0].is_number() || !location[1].is_number()) {
      return Wrong(absl::StrCat("\"location\" of ", where, " must be [longitude, latitude]"));
    }
    patient.longitude = location[0].get<double>();
    patient.latitude = location[1].get<double>();
    if (std::abs(patient.longitude) > 180 || std::abs(patient.latitude) > 90) {
      Wrong(absl::StrCat("\"location\" of ", where, " is on no map"));
    }
  }

  void ReadCaregivers(const Json& root, Rota& rota) {
    const Json& caregivers = Array(root, "caregivers", "the rota");
    for (size_t i = 0; i < caregivers.size() && !wrong_; ++i) {
      std::string id = Id(caregivers[i], "id", absl::StrCat("caregiver ", i + 1));
      if (!wrong_ && !caregiver_ids_.insert(id).second) Wrong(absl::StrCat("caregiver ", id, " is there twice"));
      rota.caregivers.push_back(std::move(id));
    }
  }

  void ReadRoutes(const Json& root, Rota& rota) {
    const Json& routes = Array(root, "routes", "the rota");
    for (size_t i = 0; i < routes.size() && !wrong_; ++i) {
      const std::string caregiver = Id(routes[i], "caregiver_id", absl::StrCat("route ", i + 1));
      if (wrong_) return;
      if (!caregiver_ids_.contains(caregiver)) {
        return Wrong(absl::StrCat("route ", i + 1, " is of caregiver ", caregiver, ", who is not in \"caregivers\""));
      }
      // An idle caregiver's route names no places.
      if (!routes[i].contains("locations")) continue;
      for (const Json& location : Array(routes[i], "locations", absl::StrCat("the route of ", caregiver))) {
        ReadStop(location, caregiver, rota);
      }
    }
    for (auto& [patient, stops] : rota.stops) {
      std::stable_sort(stops.begin(), stops.end(), [](const Stop& a, const Stop& b) { return a.arrival < b.arrival; });
    }
  }

  void ReadStop(const Json& json, const std::string& caregiver, Rota& rota) {
    const std::string route = absl::StrCat("a stop of ", caregiver, "'s route");
    const std::string patient = Id(json, "patient", route);
    const std::string where = absl::StrCat(caregiver, "'s stop at ", patient);
    Stop stop{caregiver, Id(json, "service", where), Minutes(json, "arrival_time", where),
              Minutes(json, "departure_time", where)};
    if (wrong_) return;
    if (!patient_ids_.contains(patient)) {
      return Wrong(absl::StrCat(caregiver, "'s route names patient ", patient, ", who is not in \"patients\""));
    }
    if (stop.departure <= stop.arrival) return Wrong(absl::StrCat(where, " must end after it begins"));
    std::vector<Stop>& stops = rota.stops[patient];
    if (stops.size() == base::limits::kVisitAssignments) {
      return Wrong(absl::StrCat("patient ", patient, " is on more than ", stops.size(), " stops"));
    }
    stops.push_back(std::move(stop));
    rota.busy_caregivers.insert(caregiver);
  }

  const std::string file_;
  std::optional<std::string> wrong_;
  std::set<std::string> patient_ids_;
  std::set<std::string> caregiver_ids_;
};

// 000-cosenza is shown as "Cosenza 000", venice-padua-treviso as "Venice Padua Treviso".
std::string BranchName(const std::string& rota) {
  std::vector<std::string> words;
  std::string number;
  const std::vector<std::string> parts = absl::StrSplit(rota, absl::ByAnyChar("-_."), absl::SkipEmpty());
  for (const std::string& word : parts) {
    if (words.empty() && number.empty() && std::all_of(word.begin(), word.end(), absl::ascii_isdigit)) {
      number = word;
      continue;
    }
    words.emplace_back(word);
    words.back()[0] = absl::ascii_toupper(words.back()[0]);
  }
  if (words.empty()) return std::string(rota);
  if (!number.empty()) words.push_back(number);
  return absl::StrJoin(words, " ");
}

std::string TownName(const std::string& rota) {
  std::string name = BranchName(rota);
  while (!name.empty() && (absl::ascii_isdigit(name.back()) || name.back() == ' ')) name.pop_back();
  return name;
}

// Numbered rotas get blocks of their own, so that no NHS number is given twice; others share them.
uint32_t NhsBlock(const std::string& rota) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(rota.substr(0, rota.find('-')), &number)) return number % 1000;
  for (const char c : rota) number = number * 31 + static_cast<uint8_t>(c);
  return number % 1000;
}

// With who sends it, under which ID.
v1::RosterChange Named(v1::RosterChange change, std::string external_id, const RotaSettings& settings) {
  change.set_source(settings.source);
  change.set_external_id(std::move(external_id));
  *change.mutable_changed_time() = base::ToTimestamp(settings.changed);
  return change;
}

absl::Time At(const RotaSettings& settings, double minutes) {
  return settings.day_start + absl::Milliseconds(std::llround(minutes * 60'000));
}

v1::RosterVisit VisitOf(const Rota& rota, const Patient& patient, const std::vector<Stop>& stops,
                        const RotaSettings& settings) {
  const auto external = [&](const std::string& id) { return absl::StrCat(rota.name, "/", id); };
  v1::RosterVisit visit;
  visit.set_service_user(external(patient.id));
  visit.set_branch(rota.name);
  visit.set_published(true);
  for (const Stop& stop : stops) {
    v1::RosterAssignment& assignment = *visit.add_assignments();
    assignment.set_carer(external(stop.caregiver));
    *assignment.mutable_start_time() = base::ToTimestamp(At(settings, stop.arrival));
    *assignment.mutable_end_time() = base::ToTimestamp(At(settings, stop.departure));
  }
  std::vector<bool> taken(stops.size());
  for (const Part& part : patient.parts) {
    v1::RosterPlannedActivity& activity = *visit.add_planned_activities();
    activity.set_activity_id(absl::StrCat(visit.planned_activities_size()));
    activity.set_activity_kind(absl::StrCat("Service ", part.service));
    activity.set_planned_minutes(static_cast<int32_t>(std::lround(part.minutes)));
    for (size_t i = 0; i < stops.size(); ++i) {
      if (taken[i] || stops[i].service != part.service) continue;
      taken[i] = true;
      activity.set_carer(external(stops[i].caregiver));
      break;
    }
  }
  return visit;
}

v1::RosterServiceUser ServiceUserOf(const Rota& rota, const Patient& patient, uint32_t index) {
  const std::string seed = absl::StrCat(rota.name, "/", patient.id);
  v1::RosterServiceUser person;
  person.set_name(MadeUpName(seed));
  person.set_branch(rota.name);
  *person.mutable_date_of_birth() = MadeUpDateOfBirth(seed);
  person.set_nhs_number(MadeUpNhsNumber(NhsBlock(rota.name), index));
  person.set_phone(MadeUpPhone(seed));
  person.set_address(MadeUpAddress(seed, TownName(rota.name)));
  person.mutable_location()->set_longitude(patient.longitude);
  person.mutable_location()->set_latitude(patient.latitude);
  return person;
}

void AddBranch(const Rota& rota, const RotaSettings& settings, std::vector<v1::RosterChange>& changes) {
  v1::RosterChange service;
  service.mutable_care_service()->set_name("Home care");
  changes.push_back(Named(std::move(service), kCareService, settings));
  v1::RosterChange branch;
  branch.mutable_branch()->set_name(BranchName(rota.name));
  branch.mutable_branch()->set_care_service(kCareService);
  changes.push_back(Named(std::move(branch), rota.name, settings));
}

// Those of service users who are on a route; of the others what cancels them.
void AddVisits(const Rota& rota, const RotaSettings& settings, std::vector<v1::RosterChange>& changes, RotaPlan& plan) {
  for (const Patient& patient : rota.patients) {
    const auto found = rota.stops.find(patient.id);
    const std::vector<Stop> stops = found == rota.stops.end() ? std::vector<Stop>() : found->second;
    v1::RosterChange change;
    *change.mutable_visit() = VisitOf(rota, patient, stops, settings);
    change = Named(std::move(change),
                   absl::StrCat(rota.name, "/", absl::FormatCivilTime(settings.date), "/", patient.id), settings);
    if (stops.empty()) {
      change.mutable_visit()->set_cancelled(true);
      plan.unvisited.push_back(std::move(change));
      continue;
    }
    changes.push_back(std::move(change));
    ++plan.visits;
    if (stops.size() > 1) ++plan.double_up_visits;
  }
}

}  // namespace

std::vector<v1::ApplyChangesRequest> InMessages(std::vector<v1::RosterChange> changes) {
  std::vector<v1::ApplyChangesRequest> requests;
  size_t bytes = 0;
  for (v1::RosterChange& change : changes) {
    const size_t size = change.ByteSizeLong();
    if (requests.empty() || requests.back().changes_size() == static_cast<int>(base::limits::kRosterChanges) ||
        bytes + size > kRequestBytes) {
      requests.emplace_back();
      bytes = 0;
    }
    bytes += size;
    *requests.back().add_changes() = std::move(change);
  }
  return requests;
}

absl::StatusOr<RotaPlan> PlanRota(const std::string& file, const std::string& json, const RotaSettings& settings) {
  ASSIGN_OR_RETURN(const Rota rota, RotaReader(file).Read(json));
  RotaPlan plan;
  plan.name = rota.name;
  plan.carers = rota.caregivers.size();
  plan.idle_carers = rota.caregivers.size() - rota.busy_caregivers.size();
  plan.service_users = rota.patients.size();

  std::vector<v1::RosterChange> changes;
  AddBranch(rota, settings, changes);
  for (const std::string& caregiver : rota.caregivers) {
    v1::RosterChange change;
    const std::string external_id = absl::StrCat(rota.name, "/", caregiver);
    change.mutable_carer()->set_name(MadeUpName(external_id));
    change.mutable_carer()->set_branch(rota.name);
    changes.push_back(Named(std::move(change), external_id, settings));
  }
  for (uint32_t i = 0; i < rota.patients.size(); ++i) {
    v1::RosterChange change;
    *change.mutable_service_user() = ServiceUserOf(rota, rota.patients[i], i);
    changes.push_back(Named(std::move(change), absl::StrCat(rota.name, "/", rota.patients[i].id), settings));
  }
  AddVisits(rota, settings, changes, plan);
  plan.requests = InMessages(std::move(changes));
  return plan;
}

}  // namespace caresync::cli

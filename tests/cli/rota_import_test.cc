#include "tools/caresync/rota_import.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kRota[] = R"json({
  "name": "007-reggio-emilia",
  "services": [{"id": "s1", "default_duration": 30}, {"id": "s2", "default_duration": 30}],
  "patients": [
    {"id": "p1", "location": [10.5, 44.5], "required_caregivers": [{"service": "s1", "duration": 30}]},
    {"id": "p2", "location": [10.6, 44.6],
     "required_caregivers": [{"service": "s2", "duration": 15}, {"service": "s1", "duration": 45}]},
    {"id": "p3", "location": [10.7, 44.7], "required_caregivers": [{"service": "s1", "duration": 30}]}
  ],
  "caregivers": [{"id": "c1"}, {"id": "c2"}, {"id": "c3"}],
  "routes": [
    {"caregiver_id": "c1", "locations": [
      {"patient": "p1", "service": "s1", "arrival_time": 10, "departure_time": 40.5},
      {"patient": "p2", "service": "s1", "arrival_time": 120, "departure_time": 165}]},
    {"caregiver_id": "c2", "locations": [
      {"patient": "p2", "service": "s2", "arrival_time": 90, "departure_time": 105}]},
    {"caregiver_id": "c3"}
  ]
})json";

RotaSettings Settings() {
  return {"rota-import", absl::CivilDay(2026, 11, 21), absl::FromUnixSeconds(1'795'240'800), absl::UnixEpoch()};
}

std::vector<v1::RosterChange> Changes(const RotaPlan& plan) {
  std::vector<v1::RosterChange> changes;
  for (const v1::ApplyChangesRequest& request : plan.requests) {
    changes.insert(changes.end(), request.changes().begin(), request.changes().end());
  }
  return changes;
}

std::map<std::string, v1::RosterVisit> Visits(const RotaPlan& plan) {
  std::map<std::string, v1::RosterVisit> visits;
  for (const v1::RosterChange& change : Changes(plan)) {
    if (change.has_visit()) visits[change.external_id()] = change.visit();
  }
  return visits;
}

double MinutesOf(const google::protobuf::Timestamp& time) {
  return absl::ToDoubleMinutes(ToTime(time) - Settings().day_start);
}

// The rota with one passage replaced.
absl::StatusOr<RotaPlan> PlanWith(std::string_view from, std::string_view to) {
  std::string json = kRota;
  const size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos);
  json.replace(at, from.size(), to);
  return PlanRota("rota.json", json, Settings());
}

TEST(RotaImport, CountsWhatTheFileHolds) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->name, "007-reggio-emilia");
  EXPECT_EQ(plan->carers, 3u);
  EXPECT_EQ(plan->idle_carers, 1u);
  EXPECT_EQ(plan->service_users, 3u);
  EXPECT_EQ(plan->visits, 2u);
  EXPECT_EQ(plan->double_up_visits, 1u);
  EXPECT_EQ(plan->unvisited.size(), 1u);
}

TEST(RotaImport, OfWhomNoRouteVisitsAVisitOfThatDayIsToBeCancelled) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->unvisited.size(), 1u);
  const v1::RosterChange& change = plan->unvisited[0];
  EXPECT_EQ(change.source(), "rota-import");
  EXPECT_EQ(change.external_id(), "007-reggio-emilia/2026-11-21/p3");
  EXPECT_EQ(change.visit().service_user(), "007-reggio-emilia/p3");
  EXPECT_TRUE(change.visit().cancelled());
  EXPECT_EQ(change.visit().planned_activities_size(), 1);
  EXPECT_EQ(change.visit().planned_activities(0).carer(), "");
  EXPECT_EQ(change.visit().assignments_size(), 0) << "the store has them";
  EXPECT_FALSE(Visits(*plan).contains(change.external_id())) << "it is sent only where the store has the visit";
}

TEST(RotaImport, BecomesABranchOfTheSharedCareService) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::vector<v1::RosterChange> changes = Changes(*plan);
  EXPECT_EQ(changes[0].external_id(), "home-care");
  EXPECT_EQ(changes[0].care_service().name(), "Home care");
  EXPECT_EQ(changes[1].external_id(), "007-reggio-emilia");
  EXPECT_EQ(changes[1].branch().name(), "Reggio Emilia 007");
  EXPECT_EQ(changes[1].branch().care_service(), "home-care");
}

TEST(RotaImport, NoChangeRefersToALaterOne) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::set<std::string> seen = {""};
  for (const v1::RosterChange& change : Changes(*plan)) {
    EXPECT_TRUE(seen.contains(change.branch().care_service()));
    EXPECT_TRUE(seen.contains(change.carer().branch()));
    EXPECT_TRUE(seen.contains(change.service_user().branch()));
    EXPECT_TRUE(seen.contains(change.visit().service_user()));
    for (const v1::RosterAssignment& assignment : change.visit().assignments()) {
      EXPECT_TRUE(seen.contains(assignment.carer()));
    }
    seen.insert(change.external_id());
  }
}

TEST(RotaImport, AVisitHasTheTimesOfItsStop) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const v1::RosterVisit visit = Visits(*plan).at("007-reggio-emilia/2026-11-21/p1");
  EXPECT_TRUE(visit.published());
  EXPECT_EQ(visit.service_user(), "007-reggio-emilia/p1");
  ASSERT_EQ(visit.assignments_size(), 1);
  EXPECT_EQ(visit.assignments(0).carer(), "007-reggio-emilia/c1");
  EXPECT_EQ(MinutesOf(visit.assignments(0).start_time()), 10);
  EXPECT_EQ(MinutesOf(visit.assignments(0).end_time()), 40.5);
}

TEST(RotaImport, ADoubleUpCallIsOneVisitWithAnAssignmentForEachPart) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const v1::RosterVisit visit = Visits(*plan).at("007-reggio-emilia/2026-11-21/p2");
  ASSERT_EQ(visit.assignments_size(), 2);
  EXPECT_EQ(visit.assignments(0).carer(), "007-reggio-emilia/c2");
  EXPECT_EQ(MinutesOf(visit.assignments(0).end_time()), 105);
  EXPECT_EQ(visit.assignments(1).carer(), "007-reggio-emilia/c1");
  EXPECT_EQ(MinutesOf(visit.assignments(1).start_time()), 120);
}

TEST(RotaImport, EachServiceIsAnActivityOfTheCarerWhoGivesIt) {
  const auto plan = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(plan.ok()) << plan.status();
  const v1::RosterVisit visit = Visits(*plan).at("007-reggio-emilia/2026-11-21/p2");
  ASSERT_EQ(visit.planned_activities_size(), 2);
  EXPECT_EQ(visit.planned_activities(0).activity_kind(), "Service s2");
  EXPECT_EQ(visit.planned_activities(0).planned_minutes(), 15);
  EXPECT_EQ(visit.planned_activities(0).carer(), "007-reggio-emilia/c2");
  EXPECT_EQ(visit.planned_activities(1).activity_kind(), "Service s1");
  EXPECT_EQ(visit.planned_activities(1).planned_minutes(), 45);
  EXPECT_EQ(visit.planned_activities(1).carer(), "007-reggio-emilia/c1");
}

TEST(RotaImport, OneCarerMayGiveBothParts) {
  const auto plan = PlanWith(R"({"caregiver_id": "c2", "locations")", R"({"caregiver_id": "c1", "locations")");
  ASSERT_TRUE(plan.ok()) << plan.status();
  const v1::RosterVisit visit = Visits(*plan).at("007-reggio-emilia/2026-11-21/p2");
  ASSERT_EQ(visit.assignments_size(), 2);
  EXPECT_EQ(visit.assignments(0).carer(), visit.assignments(1).carer());
}

TEST(RotaImport, TheSameFileGivesTheSameChanges) {
  const auto first = PlanRota("rota.json", kRota, Settings());
  const auto second = PlanRota("rota.json", kRota, Settings());
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_EQ(first->requests.size(), second->requests.size());
  for (size_t i = 0; i < first->requests.size(); ++i) {
    EXPECT_EQ(first->requests[i].SerializeAsString(), second->requests[i].SerializeAsString());
  }
}

TEST(RotaImport, MessagesStayWithinTheirBounds) {
  std::string patients;
  for (int i = 0; i < 250; ++i) {
    absl::StrAppend(&patients, R"({"id": "x)", i, R"(", "location": [10, 44], "required_caregivers": []},)");
  }
  const auto plan = PlanWith(R"("patients": [)", absl::StrCat(R"("patients": [)", patients));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->requests.size(), 3u);
  for (const v1::ApplyChangesRequest& request : plan->requests) {
    EXPECT_LE(request.changes_size(), static_cast<int>(base::limits::kRosterChanges));
    EXPECT_LT(request.ByteSizeLong(), 1024u * 1024u);
  }
}

struct BadRota {
  std::string from;
  std::string to;
  std::string says;
};

TEST(RotaImport, BadFilesAreRefusedWithWhatIsWrongAndWhere) {
  const std::vector<BadRota> bad = {
      {"{", "", "not JSON"},
      {R"("name": "007-reggio-emilia",)", "", "has no field \"name\""},
      {R"("007-reggio-emilia")", R"("a/b")", "\"name\""},
      {R"("location": [10.5, 44.5])", R"("location": [10.5])", "[longitude, latitude]"},
      {R"("location": [10.5, 44.5])", R"("location": [10.5, 94.5])", "on no map"},
      {R"("arrival_time": 10,)", R"("arrival_time": "ten",)", "\"arrival_time\" of c1's stop at p1"},
      {R"("arrival_time": 10,)", "", "has no field \"arrival_time\""},
      {R"("arrival_time": 10,)", R"("arrival_time": -1,)", "0 to 2880 minutes"},
      {R"("arrival_time": 10,)", R"("arrival_time": 41,)", "must end after it begins"},
      {R"("patient": "p1")", R"("patient": "p9")", "names patient p9"},
      {R"("caregiver_id": "c2")", R"("caregiver_id": "c9")", "caregiver c9"},
      {R"({"id": "c2"})", R"({"id": "c1"})", "caregiver c1 is there twice"},
      {R"({"id": "p2")", R"({"id": "p1")", "patient p1 is there twice"},
      {R"({"id": "c3"})", R"("c3")", "caregiver 3 must be an object"},
      {R"("duration": 15)", R"("duration": null)", "\"duration\" of patient p2"},
  };
  for (const BadRota& rota : bad) {
    const auto plan = PlanWith(rota.from, rota.to);
    ASSERT_FALSE(plan.ok()) << rota.says;
    EXPECT_EQ(ErrorReason(plan.status()), "ROTA_NOT_VALID");
    EXPECT_THAT(std::string(plan.status().message()), HasSubstr("rota.json"));
    EXPECT_THAT(std::string(plan.status().message()), HasSubstr(rota.says));
  }
}

TEST(RotaImport, JsonThatIsNoObjectIsRefused) {
  const auto plan = PlanRota("rota.json", "[1, 2]", Settings());
  EXPECT_EQ(ErrorReason(plan.status()), "ROTA_NOT_VALID");
}

}  // namespace
}  // namespace caresync::cli

#include "loadtest/rota_plan.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/server_process.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::Pair;

// One carer, who comes to one person ten minutes after the working day has started.
constexpr char kRota[] = R"json({
  "name": "007-reggio-emilia",
  "services": [{"id": "s1", "default_duration": 30}],
  "patients": [{"id": "p1", "location": [10.5, 44.5], "required_caregivers": [{"service": "s1", "duration": 30}]}],
  "caregivers": [{"id": "c1"}],
  "routes": [{"caregiver_id": "c1", "locations": [
    {"patient": "p1", "service": "s1", "arrival_time": 10, "departure_time": 40}]}]
})json";

class RotaPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    auto directory = TemporaryDirectory::Make();
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    options_.rotas = {absl::StrCat(directory_->path(), "/rota.json")};
    options_.date = absl::CivilDay(2026, 11, 21);
    std::ofstream(options_.rotas[0]) << kRota;
  }

  std::vector<v1::RosterChange> Plan() const {
    const auto requests = PlanRotas(options_, SourceName(3));
    EXPECT_TRUE(requests.ok()) << requests.status();
    std::vector<v1::RosterChange> changes;
    if (!requests.ok()) return changes;
    for (const v1::ApplyChangesRequest& request : *requests) {
      EXPECT_GT(request.changes_size(), 0);
      changes.insert(changes.end(), request.changes().begin(), request.changes().end());
    }
    return changes;
  }

  // When each visit begins.
  std::map<std::string, absl::CivilMinute> Visits() const {
    std::map<std::string, absl::CivilMinute> visits;
    for (const v1::RosterChange& change : Plan()) {
      if (!change.has_visit()) continue;
      const int64_t seconds = change.visit().assignments(0).start_time().seconds();
      visits[change.external_id()] = absl::ToCivilMinute(absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
    }
    return visits;
  }

  std::unique_ptr<TemporaryDirectory> directory_;
  Options options_;
};

TEST_F(RotaPlanTest, TheWorkingDayStartsAtSeven) {
  EXPECT_THAT(Visits(), ElementsAre(Pair("007-reggio-emilia/2026-11-21/p1", absl::CivilMinute(2026, 11, 21, 7, 10))));
}

TEST_F(RotaPlanTest, EveryDayHasItsVisitsAndThePeopleComeOnce) {
  options_.days = 2;
  EXPECT_THAT(Visits(), ElementsAre(Pair("007-reggio-emilia/2026-11-21/p1", absl::CivilMinute(2026, 11, 21, 7, 10)),
                                    Pair("007-reggio-emilia/2026-11-22/p1", absl::CivilMinute(2026, 11, 22, 7, 10))));
  std::set<std::string> names;
  for (const v1::RosterChange& change : Plan()) {
    EXPECT_TRUE(names.insert(change.external_id()).second) << change.external_id() << " comes twice";
  }
}

TEST_F(RotaPlanTest, AllIsOfTheSource) {
  const std::vector<v1::RosterChange> changes = Plan();
  EXPECT_FALSE(changes.empty());
  for (const v1::RosterChange& change : changes) EXPECT_EQ(change.source(), "fleetload-3");
}

TEST_F(RotaPlanTest, AFileThatIsMissingIsAnError) {
  options_.rotas.push_back(absl::StrCat(directory_->path(), "/none.json"));
  EXPECT_FALSE(PlanRotas(options_, SourceName(0)).ok());
}

}  // namespace
}  // namespace caresync::loadtest

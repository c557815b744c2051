#include "loadtest/scenarios.h"

#include <array>
#include <chrono>
#include <set>

#include "loadtest/stopwatch.h"

namespace caresync::loadtest {
namespace {

struct Scenario {
  const char* name;
  // Null: as on the limit.
  absl::Status (*run)(Stage&) = nullptr;
  // Null: it is not for a server that does no work. Neither is set where there is no server at all.
  absl::Status (*run_on_limit)(FleetStage&) = nullptr;
  bool needs_connection_for_each = false;
  bool makes_connections = false;
};

constexpr std::array<Scenario, 17> kScenarios = {{
    {.name = "empty", .run_on_limit = RunEmpty},
    {.name = "delta", .run = RunDelta},
    {.name = "clean", .run_on_limit = RunClean},
    {.name = "shift", .run = RunShift, .needs_connection_for_each = true},
    {.name = "ingest", .run = RunIngest, .run_on_limit = RunIngestOnLimit},
    {.name = "store"},
    {.name = "follow", .run = RunFollow, .needs_connection_for_each = true},
    {.name = "idle", .run_on_limit = RunIdle, .needs_connection_for_each = true, .makes_connections = true},
    {.name = "storm", .run = RunStorm, .needs_connection_for_each = true},
    {.name = "group", .run = RunGroup},
    {.name = "register", .run = RunRegister},
    {.name = "record", .run = RunRecord},
    {.name = "overload", .run = RunOverload, .needs_connection_for_each = true},
    {.name = "herd", .run = RunHerd, .needs_connection_for_each = true},
    {.name = "deadlines", .run = RunDeadlines},
    {.name = "burst", .run = RunBurst},
    {.name = "stalled", .run = RunStalled, .needs_connection_for_each = true},
}};

// A server is quiet that took less than this part of a core while it was looked at; how long that is, and how often at
// most.
constexpr double kQuietPart = 0.05;
constexpr std::chrono::seconds kQuietLook{1};
constexpr absl::Duration kQuietPatience = absl::Minutes(2);

const Scenario* Find(const std::string& name) {
  for (const Scenario& scenario : kScenarios) {
    if (name == scenario.name) return &scenario;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  names.reserve(kScenarios.size());
  for (const Scenario& scenario : kScenarios) names.emplace_back(scenario.name);
  return names;
}

bool NeedsConnectionForEach(const std::string& scenario) { return Find(scenario)->needs_connection_for_each; }

bool MakesConnections(const std::string& scenario) { return Find(scenario)->makes_connections; }

bool NeedsServer(const std::string& scenario) {
  const Scenario& found = *Find(scenario);
  return found.run != nullptr || found.run_on_limit != nullptr;
}

bool RunsOnLimit(const std::string& scenario) { return Find(scenario)->run_on_limit != nullptr; }

absl::Status RunScenarioOnLimit(FleetStage& stage) { return Find(stage.options.scenario)->run_on_limit(stage); }

absl::Status RunScenario(Stage& stage) {
  const Scenario& scenario = *Find(stage.options.scenario);
  return scenario.run == nullptr ? scenario.run_on_limit(stage) : scenario.run(stage);
}

absl::Duration AwaitQuiet(Stage& stage) {
  const Instant began = Now();
  const Deadline deadline(kQuietPatience);
  bool quiet = false;
  while (!quiet && !deadline.passed()) {
    Phase look;
    stage.report.Measure(look, [] { WaitUntil(Now() + kQuietLook); });
    // Nothing is known of a server that nobody named.
    quiet = look.server_cpu.value_or(absl::ZeroDuration()) < look.wall * kQuietPart;
  }
  return Since(began);
}

void UseNewConnections(FleetStage& stage) {
  // Never destroyed, as the fleet's first ones.
  static const Connections& connections = *new Connections(stage.connections.server(), stage.options.connections);
  stage.fleet.Use(connections);
}

std::vector<std::string> CarersWithDevices(const Stage& stage) {
  std::set<std::string> carers;
  for (size_t i = 0; i < stage.fleet.size(); ++i) {
    carers.insert(stage.agency.model().ExternalIdOf({v1::RECORD_KIND_CARER, stage.fleet.device(i).carer_id()}));
  }
  return {carers.begin(), carers.end()};
}

}  // namespace caresync::loadtest

#include "loadtest/scenarios.h"

#include <array>
#include <set>

namespace caresync::loadtest {
namespace {

struct Scenario {
  const char* name;
  // One of the two; neither where there is no server, and nothing for them to do.
  absl::Status (*run)(Stage&) = nullptr;
  absl::Status (*run_devices)(FleetStage&) = nullptr;
  bool needs_connection_for_each = false;
  bool makes_connections = false;
};

constexpr std::array<Scenario, 14> kScenarios = {{
    {.name = "empty", .run_devices = RunEmpty},
    {.name = "delta", .run = RunDelta},
    {.name = "clean", .run_devices = RunClean},
    {.name = "shift", .run = RunShift, .needs_connection_for_each = true},
    {.name = "ingest", .run = RunIngest},
    {.name = "store"},
    {.name = "follow", .run = RunFollow, .needs_connection_for_each = true},
    {.name = "idle", .run_devices = RunIdle, .needs_connection_for_each = true, .makes_connections = true},
    {.name = "storm", .run = RunStorm, .needs_connection_for_each = true},
    {.name = "group", .run = RunGroup},
    {.name = "register", .run = RunRegister},
    {.name = "record", .run = RunRecord},
    {.name = "overload", .run = RunOverload, .needs_connection_for_each = true},
    {.name = "herd", .run = RunHerd, .needs_connection_for_each = true},
}};

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
  return found.run != nullptr || found.run_devices != nullptr;
}

bool RunsOnLimit(const std::string& scenario) { return Find(scenario)->run_devices != nullptr; }

absl::Status RunScenarioOnLimit(FleetStage& stage) { return Find(stage.options.scenario)->run_devices(stage); }

absl::Status RunScenario(Stage& stage) {
  const Scenario& scenario = *Find(stage.options.scenario);
  return scenario.run == nullptr ? scenario.run_devices(stage) : scenario.run(stage);
}

std::vector<std::string> CarersWithDevices(const Stage& stage) {
  std::set<std::string> carers;
  for (size_t i = 0; i < stage.fleet.size(); ++i) {
    carers.insert(stage.agency.model().ExternalIdOf({v1::RECORD_KIND_CARER, stage.fleet.device(i).carer_id()}));
  }
  return {carers.begin(), carers.end()};
}

}  // namespace caresync::loadtest

#include "loadtest/scenarios.h"

#include <array>
#include <set>

namespace caresync::loadtest {
namespace {

struct Scenario {
  const char* name;
  absl::Status (*run)(Stage&);
  bool needs_connection_for_each = false;
  bool makes_connections = false;
};

// A scenario of the devices alone as one of those that may do more.
template <absl::Status (*kRun)(FleetStage&)>
absl::Status OfDevices(Stage& stage) {
  return kRun(stage);
}

constexpr std::array<Scenario, 12> kScenarios = {{
    {"empty", OfDevices<RunEmpty>},
    {"delta", RunDelta},
    {"clean", OfDevices<RunClean>},
    {"shift", RunShift, true},
    {"ingest", RunIngest},
    {"follow", RunFollow, true},
    {"idle", OfDevices<RunIdle>, true, true},
    {"storm", RunStorm, true},
    {"group", RunGroup},
    {"overload", RunOverload, true},
    {"herd", RunHerd, true},
    {"record", RunRecord},
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

absl::Status RunScenario(Stage& stage) { return Find(stage.options.scenario)->run(stage); }

std::vector<std::string> CarersWithDevices(const Stage& stage) {
  std::set<std::string> carers;
  for (size_t i = 0; i < stage.fleet.size(); ++i) {
    carers.insert(stage.agency.model().ExternalIdOf({v1::RECORD_KIND_CARER, stage.fleet.device(i).carer_id()}));
  }
  return {carers.begin(), carers.end()};
}

}  // namespace caresync::loadtest

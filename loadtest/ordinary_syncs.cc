#include "loadtest/ordinary_syncs.h"

#include <optional>
#include <random>
#include <utility>

#include "loadtest/stopwatch.h"

namespace caresync::loadtest {
namespace {

constexpr size_t kOneIn = 10;
constexpr absl::Duration kBetweenSyncs = absl::Seconds(1);

}  // namespace

bool SyncsAsOrdinary(size_t device) { return device % kOneIn == 0; }

size_t CountOthers(const Fleet& fleet) {
  size_t others = 0;
  for (size_t i = 0; i < fleet.size(); ++i) others += SyncsAsOrdinary(i) ? 0 : 1;
  return others;
}

OrdinarySyncs::OrdinarySyncs(const FleetStage& stage) {
  std::mt19937 random(stage.options.seed);
  std::uniform_real_distribution<double> part(0, 1);
  pauses_.reserve(stage.fleet.size());
  for (size_t i = 0; i < stage.fleet.size(); ++i) pauses_.push_back(kBetweenSyncs * part(random));
}

SyncPlan OrdinarySyncs::Next(size_t device) {
  SyncPlan plan;
  plan.type = v1::SYNC_TYPE_AUTO;
  plan.pause = std::exchange(pauses_[device], kBetweenSyncs);
  return plan;
}

void RunQuiet(FleetStage& stage) {
  OrdinarySyncs ordinary(stage);
  Phase& phase = stage.report.AddPhase("quiet");
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    stage.fleet.Run(
        [&ordinary, deadline](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (!SyncsAsOrdinary(index) || deadline.passed()) return std::nullopt;
          return ordinary.Next(index);
        },
        phase.syncs);
  });
}

}  // namespace caresync::loadtest

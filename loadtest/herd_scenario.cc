// A fleet that comes back at once.
#include <optional>
#include <utility>
#include <vector>

#include "loadtest/ordinary_syncs.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"

namespace caresync::loadtest {

absl::Status RunHerd(Stage& stage) {
  RunQuiet(stage);
  UseNewConnections(stage);
  const size_t herd = CountOthers(stage.fleet);
  OrdinarySyncs ordinary(stage);
  Phase& phase = stage.report.AddPhase("herd");
  // Each entry is its device's alone.
  std::vector<std::optional<absl::Duration>> copied(stage.fleet.size());
  std::vector<char> begun(stage.fleet.size());
  stage.report.Measure(phase, [&] {
    const Instant began = Now();
    stage.fleet.Run(
        [&](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (SyncsAsOrdinary(index)) {
            if (stage.fleet.resting() >= herd) return std::nullopt;
            return ordinary.Next(index);
          }
          if (std::exchange(begun[index], 1) != 0) {
            copied[index] = Since(began);
            return std::nullopt;
          }
          SyncPlan plan;
          plan.type = v1::SYNC_TYPE_CLEAN;
          return plan;
        },
        phase.syncs);
  });
  for (const std::optional<absl::Duration>& after : copied) {
    if (after.has_value()) phase.others["until a copy is made"].Add(*after);
  }
  return absl::OkStatus();
}

}  // namespace caresync::loadtest

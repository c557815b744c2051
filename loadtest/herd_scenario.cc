// A fleet that comes back at once.
#include <optional>
#include <utility>
#include <vector>

#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"

namespace caresync::loadtest {
namespace {

// One device in so many is none of the herd: it syncs as on any day.
constexpr size_t kOneIn = 10;
constexpr absl::Duration kBetweenSyncs = absl::Seconds(1);

bool IsOfHerd(size_t index) { return index % kOneIn != 0; }

SyncPlan OrdinarySync() {
  SyncPlan plan;
  plan.type = v1::SYNC_TYPE_AUTO;
  plan.pause = kBetweenSyncs;
  return plan;
}

void RunQuiet(Stage& stage) {
  Phase& phase = stage.report.AddPhase("quiet");
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    stage.fleet.Run(
        [deadline](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (IsOfHerd(index) || deadline.passed()) return std::nullopt;
          return OrdinarySync();
        },
        phase.syncs);
  });
}

}  // namespace

absl::Status RunHerd(Stage& stage) {
  RunQuiet(stage);
  size_t herd = 0;
  for (size_t i = 0; i < stage.fleet.size(); ++i) herd += IsOfHerd(i) ? 1 : 0;
  Phase& phase = stage.report.AddPhase("herd");
  // Each entry is its device's alone.
  std::vector<std::optional<absl::Duration>> copied(stage.fleet.size());
  std::vector<char> begun(stage.fleet.size());
  stage.report.Measure(phase, [&] {
    const Instant began = Now();
    stage.fleet.Run(
        [&](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (!IsOfHerd(index)) {
            if (stage.fleet.resting() >= herd) return std::nullopt;
            return OrdinarySync();
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
  for (const auto& [type, count] : phase.syncs.shed()) phase.sums[type + " syncs shed"] = count;
  return absl::OkStatus();
}

}  // namespace caresync::loadtest

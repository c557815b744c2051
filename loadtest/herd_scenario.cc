// A fleet that comes back at once.
#include <optional>
#include <random>
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

size_t SizeOfHerd(const Fleet& fleet) {
  size_t herd = 0;
  for (size_t i = 0; i < fleet.size(); ++i) herd += IsOfHerd(i) ? 1 : 0;
  return herd;
}

// The syncs of devices that are none of the herd. The first is after a random part of the time between two, else all
// would come in the same instant, once a second: a small herd. Used for one device by one thread at a time.
class OrdinarySyncs {
 public:
  explicit OrdinarySyncs(const FleetStage& stage) {
    std::mt19937 random(stage.options.seed);
    std::uniform_real_distribution<double> part(0, 1);
    pauses_.reserve(stage.fleet.size());
    for (size_t i = 0; i < stage.fleet.size(); ++i) pauses_.push_back(kBetweenSyncs * part(random));
  }

  SyncPlan Next(size_t index) {
    SyncPlan plan;
    plan.type = v1::SYNC_TYPE_AUTO;
    plan.pause = std::exchange(pauses_[index], kBetweenSyncs);
    return plan;
  }

 private:
  // Each device's before its next one.
  std::vector<absl::Duration> pauses_;
};

void RunQuiet(Stage& stage) {
  OrdinarySyncs ordinary(stage);
  Phase& phase = stage.report.AddPhase("quiet");
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    stage.fleet.Run(
        [&ordinary, deadline](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (IsOfHerd(index) || deadline.passed()) return std::nullopt;
          return ordinary.Next(index);
        },
        phase.syncs);
  });
}

}  // namespace

absl::Status RunHerd(Stage& stage) {
  RunQuiet(stage);
  UseNewConnections(stage);
  const size_t herd = SizeOfHerd(stage.fleet);
  OrdinarySyncs ordinary(stage);
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

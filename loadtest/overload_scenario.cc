// More syncs than the server can carry.
#include <algorithm>
#include <atomic>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "loadtest/goodput.h"
#include "loadtest/open_loop.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "loadtest/turns.h"

namespace caresync::loadtest {
namespace {

// Syncs that are open at once while the capacity is measured: enough to keep the server busy, and few enough that they
// do not wait for long.
constexpr size_t kClosedLoop = 64;
// How many times the capacity the last level is; what it came to there is compared with the best.
constexpr int kMost = 5;

// The `number`-th sync: so many in a hundred are clean ones, evenly.
SyncPlan NthSync(const Options& options, uint64_t number) {
  const uint64_t percent = static_cast<uint64_t>(options.clean_percent);
  SyncPlan plan;
  const bool clean = number * percent / 100 != (number + 1) * percent / 100;
  plan.type = clean ? v1::SYNC_TYPE_CLEAN : v1::SYNC_TYPE_AUTO;
  // One that is shed was one arrival: others come, whatever it was told.
  plan.again_when_shed = false;
  return plan;
}

// Syncs that were recorded a second. Those that end after the time are measured in their latencies, and not counted.
double Goodput(const Phase& phase, Instant began) {
  return static_cast<double>(phase.syncs.counts().recorded) / absl::ToDoubleSeconds(Since(began));
}

double MeasureCapacity(Stage& stage) {
  Phase& phase = stage.report.AddPhase("capacity");
  std::atomic<uint64_t> number = 0;
  Turns turns(stage.fleet.size(), kClosedLoop);
  double goodput = 0;
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    const Instant began = Now();
    stage.fleet.Run(
        [&](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (deadline.passed()) return std::nullopt;
          const std::optional<size_t> next = turns.Next(index);
          if (next == index) return NthSync(stage.options, number++);
          if (next.has_value()) stage.fleet.Rouse(*next);
          return std::nullopt;
        },
        phase.syncs);
    goodput = Goodput(phase, began);
  });
  phase.figures["syncs recorded a second"] = goodput;
  return goodput;
}

double RunLevel(Stage& stage, Phase& phase, double per_second) {
  double goodput = 0;
  OpenLoop arrivals(per_second, stage.options.duration);
  stage.report.Measure(phase, [&] {
    const Instant began = Now();
    stage.fleet.Start(
        [&](size_t, VirtualDevice&) -> std::optional<SyncPlan> {
          const std::optional<OpenLoop::Arrival> arrival = arrivals.Take();
          if (!arrival.has_value()) return std::nullopt;
          SyncPlan plan = NthSync(stage.options, arrival->number);
          plan.pause = arrival->pause;
          return plan;
        },
        phase.syncs);
    WaitUntil(began + absl::ToChronoNanoseconds(stage.options.duration));
    goodput = Goodput(phase, began);
  });
  // It takes longer the more has piled up, and nothing arrives any more: no rate is to be divided by it.
  Phase& after = stage.report.AddPhase(absl::StrCat("after ", phase.name));
  stage.report.Measure(after, [&] { stage.fleet.Wait(); });
  phase.sums["arrivals"] = arrivals.taken();
  phase.sums["arrivals that no device was free for"] = arrivals.missed();
  phase.figures["arrivals offered a second"] = per_second;
  phase.figures["syncs recorded a second"] = goodput;
  phase.figures["cores that the fleet kept busy"] = absl::FDivDuration(phase.fleet_cpu, phase.wall);
  // Who asks for no goodput may run it with few devices.
  if (stage.options.least_goodput.has_value() && !StopWished()) {
    CheckArrivals(phase.name, arrivals.taken(), arrivals.missed(), stage.faults);
  }
  return goodput;
}

}  // namespace

absl::Status RunOverload(Stage& stage) {
  const double capacity = MeasureCapacity(stage);
  if (capacity <= 0) {
    stage.faults.Add("no sync was recorded while the capacity was measured");
    return absl::OkStatus();
  }
  double best = capacity;
  double goodput = 0;
  for (const int times : {1, 2, kMost}) {
    if (StopWished()) break;
    Phase& phase = stage.report.AddPhase(absl::StrCat(times, " x capacity"));
    goodput = RunLevel(stage, phase, times * capacity);
    best = std::max(best, goodput);
    phase.figures["of the best"] = goodput / best;
  }
  if (stage.options.least_goodput.has_value() && !StopWished()) {
    CheckGoodput(absl::StrCat(kMost, " x capacity"), goodput, best, *stage.options.least_goodput, stage.faults);
  }
  return absl::OkStatus();
}

}  // namespace caresync::loadtest

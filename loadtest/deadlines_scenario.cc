// Very many mismatches that fall due at the same second.
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "loadtest/mismatch_plan.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

namespace limits = base::limits;

// What was due at another time than it was to be: the server took its change too late.
void CountDue(const Starts& starts, const ToldMismatches& told, absl::Time due, Stage& stage, Phase& phase) {
  uint64_t together = 0;
  uint64_t later = 0;
  for (const auto& [of, start] : starts) {
    const auto one = told.find(of);
    if (one == told.end()) continue;
    ++(DueOf(one->second.change, start) == due ? together : later);
  }
  phase.sums["mismatches due at the same second"] = together;
  if (later > 0) {
    stage.faults.Add(absl::StrCat(later, " changes were taken too late to fall due together with the others"));
  }
}

}  // namespace

absl::Status RunDeadlines(Stage& stage) {
  MismatchPlan plan(stage, stage.options.deadlines);
  const absl::Time due = NextSecond(absl::Now() + TimeToTake(plan.count()) + limits::kMismatchSoonest);
  for (size_t i = 0; i < plan.count(); ++i) plan.visits().MoveTo(i, due + limits::kMismatchLatest);
  RETURN_IF_ERROR(plan.BeginToWatch());
  Phase& changes = stage.report.AddPhase("changes");
  absl::Status sent;
  stage.report.Measure(changes, [&] { sent = plan.SendAll(); });
  RETURN_IF_ERROR(sent);
  changes.sums["changes"] = plan.count();

  const Starts starts = plan.StartsOfFirst(plan.count());
  Phase& phase = stage.report.AddPhase("deadlines");
  // What is measured begins shortly before them.
  WaitUntil(InstantOf(due - absl::Seconds(1)));
  stage.report.Measure(phase, [&] { plan.watch().WaitFor(starts, due + kMismatchesLost); });
  const ToldMismatches told = plan.watch().told();
  AddLateness("", LatenessOf(starts, told), phase);
  CountDue(starts, told, due, stage, phase);
  return plan.Compare(starts);
}

}  // namespace caresync::loadtest

// Scenarios in which devices sync in a closed loop.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

constexpr int kChangedRecords = 5;

void SyncInLoop(Stage& stage, v1::SyncType type, Phase& phase) {
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    stage.fleet.Run(
        [deadline, type](size_t, VirtualDevice&) -> std::optional<SyncPlan> {
          if (deadline.passed()) return std::nullopt;
          SyncPlan plan;
          plan.type = type;
          return plan;
        },
        phase.syncs);
  });
}

void Expect(Stage& stage, uint64_t is, uint64_t must_be, const std::string& what) {
  if (is != must_be) stage.faults.Add(absl::StrCat(what, " is ", is, " and must be ", must_be));
}

}  // namespace

absl::Status RunEmpty(Stage& stage) {
  Phase& phase = stage.report.AddPhase("empty");
  SyncInLoop(stage, v1::SYNC_TYPE_AUTO, phase);
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.in_one_message, counts.recorded, "the number of empty syncs that took one message");
  Expect(stage, counts.upserts + counts.removals, 0, "the number of records in empty syncs");
  return absl::OkStatus();
}

absl::Status RunClean(Stage& stage) {
  Phase& phase = stage.report.AddPhase("clean");
  SyncInLoop(stage, v1::SYNC_TYPE_CLEAN, phase);
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.rebuilds, counts.recorded, "the number of copies made anew");
  Expect(stage, counts.removals, 0, "the number of removals in clean syncs");
  return absl::OkStatus();
}

absl::Status RunDelta(Stage& stage) {
  PrivateVisits visits(stage.agency.imported(0), CarersWithDevices(stage), kChangedRecords);
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  const auto change_all = [&]() -> absl::Status {
    for (const v1::ApplyChangesRequest& request : visits.ChangeAll()) {
      RETURN_IF_ERROR(stage.agency.Apply(*feed, request).status());
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(change_all());
  Phase& first = stage.report.AddPhase("new visits");
  stage.report.Measure(first, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, first.syncs); });

  Phase& phase = stage.report.AddPhase("delta");
  const Deadline deadline(stage.options.duration);
  while (!deadline.passed()) {
    RETURN_IF_ERROR(change_all());
    stage.report.Measure(phase, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
  }
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.upserts, counts.recorded * kChangedRecords, "the number of records in deltas");
  Expect(stage, counts.removals, 0, "the number of removals in deltas");
  return feed->Close();
}

}  // namespace caresync::loadtest

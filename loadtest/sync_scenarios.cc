// Scenarios in which devices sync in a closed loop, or come all at once.
#include <memory>
#include <optional>
#include <random>
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
// What waits for a carer in the morning: the day's visits have all been looked at by the office since the last sync.
constexpr int kWaitingRecords = 30;
// Of what no device sees.
constexpr int kVisitsOfMessage = 100;
// Messages of it that are on their way at once.
constexpr size_t kUnanswered = 4;

void SyncInLoop(FleetStage& stage, v1::SyncType type, Phase& phase) {
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

void Expect(FleetStage& stage, uint64_t is, uint64_t must_be, const std::string& what) {
  if (is != must_be) stage.faults.Add(absl::StrCat(what, " is ", is, " and must be ", must_be));
}

absl::Status ChangeAll(Stage& stage, PrivateVisits& visits, RotaFeed& feed) {
  for (const v1::ApplyChangesRequest& request : visits.ChangeAll()) {
    RETURN_IF_ERROR(stage.agency.Apply(feed, request).status());
  }
  return absl::OkStatus();
}

// Makes the visits and lets every device have them, with what hangs on them: what changes later is the visits alone.
absl::Status BringNewVisits(Stage& stage, PrivateVisits& visits, RotaFeed& feed) {
  RETURN_IF_ERROR(ChangeAll(stage, visits, feed));
  Phase& phase = stage.report.AddPhase("new visits");
  stage.report.Measure(phase, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
  return absl::OkStatus();
}

// Rounds: all visits change, then all devices sync; only the syncs are measured.
absl::Status MeasureDeltas(Stage& stage, PrivateVisits& visits, RotaFeed& feed, const std::string& name) {
  Phase& phase = stage.report.AddPhase(name);
  const Deadline deadline(stage.options.duration);
  do {
    RETURN_IF_ERROR(ChangeAll(stage, visits, feed));
    stage.report.Measure(phase, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
  } while (!deadline.passed());
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.upserts, counts.recorded * kChangedRecords, "the number of records in deltas");
  Expect(stage, counts.removals, 0, "the number of removals in deltas");
  return absl::OkStatus();
}

// Of every answer to a message of new visits.
absl::Status ReceiveCreated(RotaFeed& feed) {
  ASSIGN_OR_RETURN(const v1::ApplyChangesResponse response, feed.Receive());
  for (const v1::ChangeResult& result : response.results()) {
    if (result.outcome() != v1::CHANGE_OUTCOME_CREATED) {
      return absl::InternalError(absl::StrCat("a new visit was not created: ", result.ShortDebugString()));
    }
  }
  return absl::OkStatus();
}

// Stores visits that are not published until the tenant has --stored-records: `more` are stored beside the rota. No
// device sees them, so the model need not know of them.
absl::Status StoreUnseen(Stage& stage, size_t more, RotaFeed& feed) {
  ComingDays days(stage.agency.imported(0));
  uint64_t stored = more;
  for (const v1::ApplyChangesRequest& request : stage.agency.imported(0)) {
    stored += static_cast<uint64_t>(request.changes_size());
  }
  while (stored < stage.options.stored_records && !StopWished()) {
    v1::ApplyChangesRequest request = days.Next(kVisitsOfMessage);
    for (v1::RosterChange& change : *request.mutable_changes()) change.mutable_visit()->set_published(false);
    RETURN_IF_ERROR(feed.Send(request));
    stored += kVisitsOfMessage;
    if (feed.unanswered() == kUnanswered) RETURN_IF_ERROR(ReceiveCreated(feed));
  }
  while (feed.unanswered() > 0) RETURN_IF_ERROR(ReceiveCreated(feed));
  return absl::OkStatus();
}

// Every device runs one standard sync, at a random time within `window`.
void ComeWithin(absl::Duration window, uint32_t seed, Fleet& fleet, Tally& tally) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> part(0, 1);
  // Each entry is its device's alone; empty once it has come.
  std::vector<std::optional<absl::Duration>> coming;
  coming.reserve(fleet.size());
  for (size_t i = 0; i < fleet.size(); ++i) coming.emplace_back(window * part(random));
  fleet.Run(
      [&coming](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
        if (!coming[index].has_value()) return std::nullopt;
        SyncPlan plan;
        plan.type = v1::SYNC_TYPE_STANDARD;
        plan.pause = *coming[index];
        coming[index].reset();
        return plan;
      },
      tally);
}

}  // namespace

absl::Status RunEmpty(FleetStage& stage) {
  Phase& phase = stage.report.AddPhase("empty");
  SyncInLoop(stage, v1::SYNC_TYPE_AUTO, phase);
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.in_one_message, counts.recorded, "the number of empty syncs that took one message");
  Expect(stage, counts.upserts + counts.removals, 0, "the number of records in empty syncs");
  return absl::OkStatus();
}

absl::Status RunClean(FleetStage& stage) {
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
  RETURN_IF_ERROR(BringNewVisits(stage, visits, *feed));
  RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, "delta"));
  if (stage.options.moves > 0) {
    for (int i = 0; i < stage.options.moves && !StopWished(); ++i) RETURN_IF_ERROR(ChangeAll(stage, visits, *feed));
    RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, "delta after moves"));
  }
  if (stage.options.stored_records > 0) {
    RETURN_IF_ERROR(StoreUnseen(stage, visits.count(), *feed));
    RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, "delta among many"));
  }
  return feed->Close();
}

absl::Status RunShift(Stage& stage) {
  PrivateVisits visits(stage.agency.imported(0), CarersWithDevices(stage), kWaitingRecords);
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  RETURN_IF_ERROR(BringNewVisits(stage, visits, *feed));
  RETURN_IF_ERROR(ChangeAll(stage, visits, *feed));
  Phase& phase = stage.report.AddPhase("shift");
  stage.report.Measure(phase,
                       [&] { ComeWithin(stage.options.duration, stage.options.seed, stage.fleet, phase.syncs); });
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.recorded, stage.fleet.size(), "the number of devices that came and synced");
  Expect(stage, counts.upserts, counts.recorded * kWaitingRecords, "the number of records that waited for them");
  Expect(stage, counts.removals, 0, "the number of removals that waited for them");
  return feed->Close();
}

}  // namespace caresync::loadtest

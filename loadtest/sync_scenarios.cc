// Scenarios in which devices sync in a closed loop, or come all at once.
#include <algorithm>
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
// Of deltas that are measured. Few, so that the records of the first ones have hardly moved.
constexpr int kRounds = 10;
// What the first deltas are measured among, where they are measured among many as well.
constexpr uint64_t kFewRecords = 10'000;

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

// Rounds: all visits change, then all devices sync; only the syncs are measured. Always as many, whatever a round
// takes: how often the visits have moved is known. The tenant has `stored` records, which is reported.
absl::Status MeasureDeltas(Stage& stage, PrivateVisits& visits, RotaFeed& feed, uint64_t stored,
                           const std::string& name) {
  Phase& phase = stage.report.AddPhase(name);
  phase.figures["records stored"] = static_cast<double>(stored);
  phase.figures["seconds until the server was quiet"] = absl::ToDoubleSeconds(AwaitQuiet(stage));
  for (int round = 0; round < kRounds && !StopWished(); ++round) {
    RETURN_IF_ERROR(ChangeAll(stage, visits, feed));
    stage.report.Measure(phase, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
    ++phase.sums["rounds"];
  }
  const SyncCounts counts = phase.syncs.counts();
  Expect(stage, counts.upserts, counts.recorded * kChangedRecords, "the number of records in deltas");
  Expect(stage, counts.removals, 0, "the number of removals in deltas");
  return absl::OkStatus();
}

// Records beside those that the devices see: visits that are not published. No device sees them, so the model need not
// know of them. Not thread-safe.
class UnseenVisits {
 public:
  // Beside the `rota` and `more` records.
  UnseenVisits(const std::vector<v1::ApplyChangesRequest>& rota, size_t more) : days_(rota), stored_(more) {
    for (const v1::ApplyChangesRequest& request : rota) stored_ += static_cast<uint64_t>(request.changes_size());
  }

  // How many records the tenant has.
  uint64_t stored() const { return stored_; }

  // Until the tenant has `wanted` records.
  absl::Status StoreUpTo(uint64_t wanted, RotaFeed& feed) {
    v1::ApplyChangesRequest request;
    return feed.SendAll(
        [&]() -> const v1::ApplyChangesRequest* {
          if (stored_ >= wanted || StopWished()) return nullptr;
          request = Next();
          return &request;
        },
        CheckCreated);
  }

 private:
  v1::ApplyChangesRequest Next() {
    v1::ApplyChangesRequest request = days_.Next(kVisitsOfMessage);
    for (v1::RosterChange& change : *request.mutable_changes()) change.mutable_visit()->set_published(false);
    stored_ += kVisitsOfMessage;
    return request;
  }

  static absl::Status CheckCreated(const v1::ApplyChangesResponse& response) {
    for (const v1::ChangeResult& result : response.results()) {
      if (result.outcome() == v1::CHANGE_OUTCOME_CREATED) continue;
      return absl::InternalError(absl::StrCat("a new visit was not created: ", result.ShortDebugString()));
    }
    return absl::OkStatus();
  }

  ComingDays days_;
  uint64_t stored_;
};

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
  UnseenVisits unseen(stage.agency.imported(0), visits.count());
  RETURN_IF_ERROR(unseen.StoreUpTo(std::min(stage.options.stored_records, kFewRecords), *feed));
  RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, unseen.stored(), "delta"));
  if (stage.options.moves > 0) {
    for (int i = 0; i < stage.options.moves && !StopWished(); ++i) RETURN_IF_ERROR(ChangeAll(stage, visits, *feed));
    RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, unseen.stored(), "delta after moves"));
  }
  if (stage.options.stored_records > 0) {
    RETURN_IF_ERROR(unseen.StoreUpTo(stage.options.stored_records, *feed));
    RETURN_IF_ERROR(MeasureDeltas(stage, visits, *feed, unseen.stored(), "delta among many"));
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

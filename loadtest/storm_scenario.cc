// Everything at once.
#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "loadtest/care_work.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

// In a hundred syncs.
constexpr int kClean = 15;
constexpr int kStandard = 60;
constexpr int kCut = 30;
constexpr int kUnheardOfCut = 30;
constexpr int kEventsMost = 5;
constexpr int kMessagesBeforeCut = 4;
// Of one device in a run. A sync that begins before the server has noticed the cut takes over, and a device that does
// so more than 200 times in an hour is taken for two.
constexpr int kCutsOfDevice = 150;
constexpr int kChangesMost = 40;

// What one device does in a storm. Used by one thread at a time.
class StormDevice {
 public:
  // `pause`: how long it waits between two syncs, on an average.
  StormDevice(uint32_t seed, absl::Duration pause) : pause_(pause), random_(seed) {}

  // The last sync before it rests is not cut: a stream that the server does not know to be cut ends when another takes
  // over.
  std::optional<SyncPlan> Last() {
    if (!std::exchange(cut_last_, false)) return std::nullopt;
    SyncPlan plan;
    plan.type = v1::SYNC_TYPE_STANDARD;
    return plan;
  }

  // `uploads` says whether events may be recorded for it: devices that sync as fast as they can record more than carers
  // do.
  SyncPlan Next(VirtualDevice& device, CareWork& work, Pace& uploads) {
    if (uploads.TakeOne()) {
      for (int i = 1 + Random(kEventsMost); i > 0; --i) work.RecordOne(device, random_);
    }
    SyncPlan plan;
    plan.pause = pause_ * std::uniform_real_distribution<double>(0, 2)(random_);
    const int dice = Dice();
    plan.type = dice < kStandard ? v1::SYNC_TYPE_STANDARD : v1::SYNC_TYPE_AUTO;
    // It would be refused while work is unsent.
    if (dice >= 100 - kClean && device.unsent() == 0) plan.type = v1::SYNC_TYPE_CLEAN;
    if (cuts_ < kCutsOfDevice && Dice() < kCut) plan.cut = NextCut();
    cut_last_ = plan.cut.has_value();
    if (cut_last_) ++cuts_;
    return plan;
  }

 private:
  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  int Dice() { return Random(100); }

  Cut NextCut() {
    Cut cut;
    cut.message = static_cast<uint32_t>(Random(kMessagesBeforeCut + 1));
    cut.place = std::vector{Cut::Place::kUnapplied, Cut::Place::kUnacked, Cut::Place::kAcked}[Random(3)];
    cut.unheard = Dice() < kUnheardOfCut;
    return cut;
  }

  const absl::Duration pause_;
  std::mt19937 random_;
  bool cut_last_ = false;
  int cuts_ = 0;
};

// Sends changes until the time is over.
absl::Status ChangeRota(Stage& stage, Phase& phase, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  RotaChanger changer(stage.agency.imported(0), stage.options.seed);
  std::mt19937 random(stage.options.seed);
  const auto pause = absl::ToChronoNanoseconds(absl::Seconds(1 / stage.options.changes_per_second));
  Instant next = Now();
  while (!deadline.passed() && WaitUntil(next)) {
    const int count = std::uniform_int_distribution<int>(1, kChangesMost)(random);
    const v1::ApplyChangesRequest request = changer.Next(count);
    const Instant sent = Now();
    RETURN_IF_ERROR(stage.agency.Apply(*feed, request).status());
    phase.others["apply changes"].Add(Since(sent));
    phase.sums["changes"] += static_cast<uint64_t>(count);
    // One that is late is not made up for.
    next = std::max(next + pause, Now());
  }
  return feed->Close();
}

}  // namespace

absl::Status RunStorm(Stage& stage) {
  CareWork work;
  Pace uploads(stage.options.uploads_per_second);
  std::vector<StormDevice> devices;
  devices.reserve(stage.fleet.size());
  const absl::Duration pause = absl::Seconds(static_cast<double>(stage.fleet.size()) / stage.options.syncs_per_second);
  for (size_t i = 0; i < stage.fleet.size(); ++i) {
    devices.emplace_back(stage.options.seed + static_cast<uint32_t>(i), pause);
  }
  Phase& phase = stage.report.AddPhase("storm");
  absl::Status changed;
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    stage.fleet.Start(
        [&devices, &work, &uploads, deadline](size_t index, VirtualDevice& device) -> std::optional<SyncPlan> {
          if (deadline.passed()) return devices[index].Last();
          return devices[index].Next(device, work, uploads);
        },
        phase.syncs);
    changed = ChangeRota(stage, phase, deadline);
    stage.fleet.Wait();
  });
  return changed;
}

}  // namespace caresync::loadtest

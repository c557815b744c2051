// A fleet of which most devices hold streams open without doing their part.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/ordinary_syncs.h"
#include "loadtest/paths.h"
#include "loadtest/scenarios.h"
#include "loadtest/stalled_streams.h"
#include "loadtest/stopwatch.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

namespace limits = base::limits;

constexpr std::array kKinds = {StallKind::kNeverReads, StallKind::kNeverAcks, StallKind::kHalfOpen};
// Half-open ones stall at one of so many messages; where fewer come, the next sync stalls at the first.
constexpr uint32_t kMessagesMost = 4;
// After so long the server must have ended a stream whose device says nothing: it may be silent, and then the end may
// take as long as a write to leave; a path that is gone is given up when a ping has no answer.
absl::Duration ServersTime() {
  return std::max(limits::kDeviceSilence + limits::kWriteDeadline, limits::kKeepaliveEvery + limits::kKeepaliveAnswer);
}
// For what else the machine has to do.
constexpr absl::Duration kAllowance = absl::Seconds(30);
constexpr std::chrono::seconds kLookEvery{1};

// What the devices do that stall, each a clean sync, begun at a random time within the scenario's. Used for one device
// by one thread at a time.
class StallingDevices {
 public:
  // All must outlive it. `direct`: for those whose path stays; `lossy`: one by each of `paths`.
  StallingDevices(const FleetStage& stage, Paths& paths, const Connections& direct, const Connections& lossy,
                  StalledStreams& streams)
      : paths_(paths),
        streams_(streams),
        first_over_(stage.options.duration + ServersTime() + kAllowance),
        devices_(stage.fleet.size()) {
    std::mt19937 random(stage.options.seed);
    std::uniform_real_distribution<double> part(0, 1);
    std::uniform_int_distribution<uint32_t> message(1, kMessagesMost);
    size_t count = 0;
    for (size_t i = 0; i < devices_.size(); ++i) {
      if (SyncsAsOrdinary(i)) continue;
      Device& device = devices_[i];
      device.kind = kKinds[count % kKinds.size()];
      device.path = count / kKinds.size();
      device.stub = device.kind == StallKind::kHalfOpen ? lossy.OfDevice(device.path) : direct.OfDevice(count);
      device.pause = stage.options.duration * part(random);
      if (device.kind == StallKind::kNeverAcks) device.message = 1;
      if (device.kind == StallKind::kHalfOpen) device.message = message(random);
      ++count;
    }
  }

  std::optional<SyncPlan> Next(size_t index) {
    // One whose stream never came to stalling has met a fault, and may meet it again.
    if (streams_.IsOver(index) || StopWished() || first_over_.passed()) return std::nullopt;
    Device& device = devices_[index];
    SyncPlan plan;
    plan.type = v1::SYNC_TYPE_CLEAN;
    plan.pause = std::exchange(device.pause, absl::ZeroDuration());
    plan.stub = device.stub;
    plan.stall.emplace();
    plan.stall->ended_within = ServersTime() + kAllowance;
    plan.stall->message = std::exchange(device.message, std::min(device.message, 1u));
    plan.stall->on_stalled = [this, index] { OnStalled(index); };
    plan.stall->on_ended = [this, index](const absl::Status& status) { streams_.End(index, status); };
    return plan;
  }

 private:
  struct Device {
    StallKind kind = StallKind::kNeverReads;
    // Of those that are half open.
    size_t path = 0;
    v1::DeviceSyncService::Stub* stub = nullptr;
    absl::Duration pause;
    uint32_t message = 0;
  };

  void OnStalled(size_t index) {
    const Device& device = devices_[index];
    if (device.kind == StallKind::kHalfOpen) paths_.Lose(device.path);
    streams_.Begin(index, device.kind, Now());
  }

  Paths& paths_;
  StalledStreams& streams_;
  // Every stream that began in the scenario's time, and stalled, has ended by then.
  const Deadline first_over_;
  std::vector<Device> devices_;
};

// Until all rest. Whoever does not read is let read when the server must have ended its stream: before, it could not
// hear of it. One that is open for longer still is a fault, and left.
void AwaitEnds(FleetStage& stage, StalledStreams& streams, Phase& phase) {
  size_t most_open = 0;
  while (!stage.fleet.WaitFor(kLookEvery)) {
    if (StopWished()) stage.fleet.LeaveAll();
    const Instant due = Now() - absl::ToChronoNanoseconds(ServersTime());
    for (const size_t device : streams.OpenSince(due)) stage.fleet.LetRead(device);
    for (const size_t device : streams.OpenSince(due - absl::ToChronoNanoseconds(kAllowance))) {
      streams.GiveUp(device, ServersTime() + kAllowance);
      stage.fleet.Leave(device);
    }
    if (const size_t open = streams.open(); open > 0 && open >= most_open) {
      most_open = open;
      Phase look;
      stage.report.Measure(look, [] {});
      if (!look.server_rss_bytes.has_value()) continue;
      phase.figures["MB of the server's memory while most were open"] =
          static_cast<double>(*look.server_rss_bytes) / 1e6;
    }
  }
}

// What the office is shown of those who stalled: the reason of a failed call, of none a success.
absl::Status CheckReport(Stage& stage, const StalledStreams& streams, Phase& phase) {
  ASSIGN_OR_RETURN(const std::vector<v1::Device> shown, stage.agency.ReadDevices());
  std::map<std::string, const v1::Device*> by_uuid;
  for (const v1::Device& device : shown) by_uuid[device.device_uuid()] = &device;
  for (size_t i = 0; i < stage.fleet.size(); ++i) {
    if (!streams.IsOver(i)) continue;
    const auto device = by_uuid.find(stage.fleet.device(i).uuid());
    const bool failed = device != by_uuid.end() && device->second->last_api_call() == v1::CALL_STATE_FAILED;
    if (failed) {
      ++phase.sums[absl::StrCat("shown as ", device->second->last_api_call_reason(), " in the report")];
    } else {
      stage.faults.Add(absl::StrCat("device ", i, ": its stream is over, and its last call is not shown as failed"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunStalled(Stage& stage) {
  RunQuiet(stage);
  const size_t stalling = CountOthers(stage.fleet);
  ASSIGN_OR_RETURN(const std::unique_ptr<Paths> paths,
                   Paths::Open(stage.connections.server(), stalling / kKinds.size()));
  // Never destroyed, as the fleet's first ones, which stay those of the ordinary devices.
  static const Connections& direct = *new Connections(stage.connections.server(), stage.options.connections);
  static const Connections& lossy = *new Connections(paths->addresses());
  StalledStreams streams(stage.faults);
  StallingDevices devices(stage, *paths, direct, lossy, streams);
  OrdinarySyncs ordinary(stage);
  Phase& phase = stage.report.AddPhase("stalled");
  stage.report.Measure(phase, [&] {
    stage.fleet.Start(
        [&](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
          if (!SyncsAsOrdinary(index)) return devices.Next(index);
          if (stage.fleet.resting() >= stalling) return std::nullopt;
          return ordinary.Next(index);
        },
        phase.syncs);
    AwaitEnds(stage, streams, phase);
  });
  phase.sums["streams stalled and open at once, at most"] = streams.most_open();
  for (const auto& [words, count] : streams.ends()) phase.sums[words] = count;
  return StopWished() ? absl::OkStatus() : CheckReport(stage, streams, phase);
}

}  // namespace caresync::loadtest

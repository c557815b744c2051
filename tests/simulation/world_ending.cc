// The end of a seed: no faults any more, everybody syncs, everything is compared with the naive model.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/records/record_key.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

constexpr size_t kAllRemovals = 10'000;

}  // namespace

void SimulatedWorld::Quieten() {
  std::unique_ptr<storage::MemoryStore> memory = server_->memory().Copy();
  const Truth truth = oracle_.truth();
  RetireServer();
  for (const auto& stream : streams_) stream->CloseAtDevice();
  for (Device& device : devices_) device.off_until.reset();
  Reap();
  oracle_.GoBackTo(truth);
  waits_.Saw(clock_.Now());
  // The clock is right again: what was put off by a clock that was set back since would lie far ahead.
  clock_.SetNow(std::max(latest_, clock_.Now()));
  // A new copy may be made of one that diverged.
  const bool any_spoiled =
      std::any_of(devices_.begin(), devices_.end(), [](const Device& device) { return !device.spoiled.empty(); });
  if (any_spoiled) clock_.SetNow(clock_.Now() + base::limits::kDivergenceRebuildEvery);
  OpenServer(std::move(memory));
  for (auto& [of, source] : sources_) {
    source.begins_stream = true;
    source.to_send.push_back(rota_.LateCarer(of.second));
  }
  SettleSources();
  // Each device has its place in the time after the waiting.
  server_->executor().Advance(base::limits::kRebuildSpread);
  CheckNoneLeft(true);
  // Every app is new enough by then.
  for (Device& device : devices_) device.app.ReplaceApp("9.0.0", device.app.data_level());
}

void SimulatedWorld::MoveAll() {
  MoveStreams();
  CheckConnected();
  CheckStalls();
  // A second look may have set something going.
  MoveStreams();
}

void SimulatedWorld::MoveStreams() {
  bool moved = true;
  while (moved && fault_.empty()) {
    server_->executor().RunAll();
    moved = false;
    for (const auto& stream : streams_) moved |= MoveOne(*stream, false);
  }
}

void SimulatedWorld::HealCopies() {
  std::set<std::pair<base::TenantId, base::Uuid>> made_anew;
  for (size_t i = 0; i < devices_.size(); ++i) {
    for (const base::Uuid& carer : devices_[i].carers) {
      // Nothing is sent to a cloned device, and it keeps what it holds.
      if (!devices_[i].spoiled.contains(carer) || WhyRefused(devices_[i], carer) == "DEVICE_CLONED") continue;
      // One copy of a device a day, on whichever phone.
      if (!made_anew.insert({devices_[i].tenant, devices_[i].app.uuid()}).second) {
        Count("second spoiled copy of a device");
        server_->executor().Advance(base::limits::kDivergenceRebuildEvery);
      }
      // The first sync may find it out, the second makes a new copy.
      for (int sync = 0; sync < 2 && fault_.empty() && devices_[i].spoiled.contains(carer); ++sync) {
        OpenStream(i, carer, v1::SYNC_TYPE_STANDARD, false);
        MoveAll();
        Reap();
        if (devices_[i].app.of(carer).token.empty()) devices_[i].spoiled.erase(carer);
      }
      if (fault_.empty() && devices_[i].spoiled.contains(carer)) Fail("a copy that was spoiled stays so");
    }
  }
}

void SimulatedWorld::FollowAll() {
  std::vector<SimulatedStream*> followers;
  for (size_t i = 0; i < devices_.size(); ++i) {
    const base::Uuid carer = ChooseCarer(devices_[i]);
    if (!WhyRefused(devices_[i], carer).empty()) continue;
    // Two phones would take each other's stream over.
    if (cloned_.has_value() && i == *cloned_) continue;
    followers.push_back(&OpenStream(i, carer, v1::SYNC_TYPE_STANDARD, true));
  }
  MoveAll();
  CheckFollowers(followers);
  for (int i = 0; i < 6 && fault_.empty(); ++i) {
    SendRota();
    SetAccess();
    ChangeCarePlan();
    RecordEvent();
    UploadWhileFollowing();
    if (i % 2 == 1) MakeFollowersMissRemovals();
    MoveAll();
    CheckFollowers(followers);
  }
  CheckConfirmations(followers);
  for (SimulatedStream* follower : followers) follower->HalfClose();
  MoveAll();
  for (const SimulatedStream* follower : followers) {
    if (fault_.empty() && (!follower->done() || !follower->end()->ok()))
      Fail("a follower that leaves does not end well");
  }
  Reap();
}

absl::Duration SimulatedWorld::ConfirmIntervalOf(const State& state) {
  const bool has_auto_syncs = state.auto_sync_interval > absl::ZeroDuration();
  return has_auto_syncs ? state.auto_sync_interval : base::limits::kFollowInterval;
}

// Each confirms once an interval of its tenant that it is caught up.
void SimulatedWorld::CheckConfirmations(std::vector<SimulatedStream*>& followers) {
  std::map<const SimulatedStream*, uint64_t> recorded;
  const auto recorded_of = [this](const SimulatedStream& follower) {
    return devices_[follower.device()].app.of(follower.facts().identity.carer).syncs_recorded;
  };
  for (const SimulatedStream* follower : followers) recorded[follower] = recorded_of(*follower);
  absl::Duration longest;
  for (const base::TenantId& tenant : tenants_) longest = std::max(longest, ConfirmIntervalOf(HeadOf(tenant)));
  constexpr absl::Duration kStep = absl::Seconds(20);
  for (absl::Duration passed; passed <= longest && fault_.empty(); passed += kStep) {
    server_->executor().Advance(kStep);
    MoveAll();
  }
  CheckFollowers(followers);
  for (const SimulatedStream* follower : followers) {
    if (!fault_.empty()) return;
    // Each interval begins when the last success was told: some steps later.
    const absl::Duration interval = ConfirmIntervalOf(HeadOf(follower->facts().identity.tenant));
    const int64_t due = std::max<int64_t>(1, static_cast<int64_t>(absl::FDivDuration(longest, interval + 3 * kStep)));
    const uint64_t confirmed = recorded_of(*follower) - recorded[follower];
    if (confirmed < static_cast<uint64_t>(due)) Fail("a follower does not confirm once an interval");
  }
}

// A round is under way to each while more changes, and what they removed is forgotten before it can be read.
void SimulatedWorld::MakeFollowersMissRemovals() {
  server_->executor().RunAll();
  for (int i = 0; i < 8; ++i) SendRota();
  server_->executor().RunAll();
  for (const base::TenantId& tenant : tenants_) {
    const State& head = oracle_.model(tenant).head();
    for (const auto& [carer, view] : head.views) {
      ForgetRemovals(tenant, records::CarerReceiver(*base::Uuid::Parse(carer)), feed::Position::EndOf(head.revision),
                     kAllRemovals);
    }
  }
}

// Those whose carer left meanwhile are refused by now.
void SimulatedWorld::CheckFollowers(std::vector<SimulatedStream*>& followers) {
  std::erase_if(followers, [this](SimulatedStream* follower) {
    const bool left = WhyRefused(devices_[follower->device()], follower->facts().identity.carer) == "CARER_LEFT";
    const bool ended = !follower->server_open() && base::Reason(*follower->end()) == "CARER_LEFT";
    if (left && !ended) Fail("a follower whose carer left is not refused");
    if (ended) Count("follower whose carer left");
    return ended;
  });
  for (const SimulatedStream* follower : followers) {
    if (!fault_.empty()) return;
    const std::string& carer = follower->facts().carer;
    Device& device = devices_[follower->device()];
    if (!follower->server_open()) return Fail(absl::StrCat("a follower is ended: ", follower->end()->ToString()));
    const View& view = oracle_.model(device.tenant).head().ViewOf(carer);
    if (device.app.of(*base::Uuid::Parse(carer)).in_use != view.Through(follower->facts().level)) {
      return Fail("a follower does not hold what its carer may see");
    }
  }
}

void SimulatedWorld::SyncAll(int round) {
  for (size_t i = 0; i < devices_.size(); ++i) {
    for (const base::Uuid& carer : devices_[i].carers) {
      if (fault_.empty()) SyncToTheEnd(i, carer, round == 3);
    }
  }
}

void SimulatedWorld::GiveAllBack() {
  for (const Device& device : devices_) {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(device.app.uuid().ToString());
    request.set_allow_missing(true);
    request.set_set_blocked(true);
    request.set_set_users(true);
    request.set_clear_cloned(true);
    for (const base::Uuid& carer : device.carers) request.add_carer_ids(carer.ToString());
    server_->UpdateDevice(device.tenant, request, [this](const absl::Status& done) {
      if (!done.ok()) Fail(absl::StrCat("a device cannot be given back: ", done.ToString()));
    });
  }
  for (auto& [of, source] : sources_) source.to_send.push_back(rota_.EverybodyBack(of.second));
  SettleSources();
  for (const Device& device : devices_) {
    for (const base::Uuid& carer : device.carers) {
      const std::string refusal = WhyRefused(device, carer);
      if (!refusal.empty()) Fail(absl::StrCat("a carer is still refused after being given back: ", refusal));
    }
  }
}

std::string SimulatedWorld::WhyRefused(const Device& device, const base::Uuid& carer) const {
  return oracle_.WhyRefused(device.tenant, device.app.uuid(), carer.ToString());
}

void SimulatedWorld::SyncToTheEnd(size_t device, const base::Uuid& carer, bool nothing_new) {
  const std::string refusal = WhyRefused(devices_[device], carer);
  const uint64_t recorded_before = devices_[device].app.of(carer).syncs_recorded;
  const uint64_t single_before = counts_["one message each way"];
  SimulatedStream& stream = OpenStream(device, carer, v1::SYNC_TYPE_STANDARD, false);
  do {
    server_->executor().RunAll();
  } while (fault_.empty() && MoveOne(stream, false));
  if (!fault_.empty()) return;
  if (!stream.done()) return Fail("a sync with nothing in its way does not end");
  const absl::Status end = *stream.end();
  const bool as_due = refusal.empty() ? end.ok() : base::Reason(end) == refusal;
  if (!as_due) {
    return Fail(absl::StrCat("a sync with nothing in its way ends ", end.ToString(), " instead of ",
                             refusal.empty() ? "OK" : refusal));
  }
  Reap();
  fakes::TestDevice::CarerData& data = devices_[device].app.of(carer);
  if (!refusal.empty()) {
    Count(absl::StrCat("refused to the end: ", refusal));
    if (!data.unsent.empty()) Fail("a sync that is refused leaves events without a result");
    return;
  }
  if (data.syncs_recorded != recorded_before + 1) Fail("a sync with nothing in its way is not recorded");
  if (!data.unsent.empty()) Fail("a sync leaves events without a result");
  if (nothing_new && counts_["one message each way"] != single_before + 1) {
    Fail("a sync with nothing new takes more than one message each way");
  }
}

}  // namespace caresync::simulation

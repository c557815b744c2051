// Devices that are connected: what they are told beside their data, and that they are sent away when their credentials
// end.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/limits.h"
#include "server/devices/wakes.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

namespace limits = base::limits;

// So often what is under way gets on while time passes: soon enough for whoever waits for it.
constexpr absl::Duration kMoveEvery = absl::Seconds(20);
static_assert(kMoveEvery < limits::kWriteDeadline && kMoveEvery < limits::kDeviceSilence);
// For a credential that lasts longer nobody waits here.
constexpr absl::Duration kCredentialAheadMost = absl::Minutes(20);

}  // namespace

// ---- Steps

// It is told though nothing may have changed.
void SimulatedWorld::TellNotice() {
  const Device& device = devices_[Below(devices_.size())];
  if (OneIn(2)) return server_->live().TellTenant(device.tenant, sync::PreferencesChanged{});
  const base::Uuid uuid = device.app.uuid();
  if (server_->live().Tell(device.tenant, uuid, sync::SyncAsked{})) return;
  SubmitOfOffice(
      device.tenant, "asked a device to sync that was not connected",
      [uuid, seed = random_()](commit::Transaction& transaction) {
        fakes::SeededRandom random(seed);
        return devices::AskToSync(transaction, uuid, random).status();
      },
      [](State&) {});
}

void SimulatedWorld::LetCredentialEnd() {
  const auto ends_soon = [this](const auto& stream) {
    const absl::Duration left = stream->facts().identity.credential_end - clock_.Now();
    const bool follows = stream->server_open() && stream->facts().recorded && stream->facts().start.follow();
    return follows && left > absl::ZeroDuration() && left <= kCredentialAheadMost;
  };
  const auto stream = std::find_if(streams_.begin(), streams_.end(), ends_soon);
  if (stream == streams_.end()) return;
  Count("waited for a credential's end");
  server_->store().HoldBackDone(false);
  server_->store().ReleaseAll();
  const std::string session = (*stream)->facts().session_id;
  const absl::Time end = (*stream)->facts().identity.credential_end;
  while (fault_.empty() && SessionOf(session) != nullptr && clock_.Now() <= end) {
    MoveStreams();
    CheckConnected();
    server_->executor().Advance(kMoveEvery);
  }
  CheckConnected();
  Reap();
}

// ---- What must be so

void SimulatedWorld::CheckConnected() {
  if (server_->store().held_back() > 0) return;
  for (const auto& stream : streams_) {
    const StreamFacts& facts = stream->facts();
    // What is leaving leaves first.
    if (!stream->server_open() || !facts.policy.has_value() || stream->CanFinishWrite()) continue;
    const base::TenantId& tenant = facts.identity.tenant;
    // Of a change that is not known to be made nobody is told.
    const Preferences& preferences = preferences_[tenant];
    const bool all_told = preferences.asked == preferences.told;
    if (all_told && !IsPolicyOf(*facts.policy, HeadOf(tenant))) Fail("a device is connected and not told what changed");
    CheckCredential(facts);
  }
}

// Until somebody sets the clock, the credential and the timers go alike.
void SimulatedWorld::CheckCredential(const StreamFacts& facts) {
  if (!facts.start.follow() || facts.at_start.jumps != jumps_.size()) return;
  const absl::Duration left = facts.identity.credential_end - clock_.Now();
  if (left <= absl::ZeroDuration()) Fail("a follower goes on though its credential has ended");
  if (left <= limits::kCredentialNotice && !facts.credential_end_told) {
    Fail("a follower is not told that its credential ends");
  }
}

void SimulatedWorld::JudgeSentAway(const StreamFacts& facts, const std::string& reason) {
  if (facts.credential_end_told && reason == "CREDENTIAL_EXPIRED") Count("credential ended after that was told");
  if (!OwesNothing(facts)) return;
  const auto device = oracle_.truth().devices.find({facts.identity.tenant, facts.identity.device});
  if (device == oracle_.truth().devices.end()) return;
  const std::vector<NaiveSync>& syncs = device->second.syncs;
  const auto sync = std::find_if(syncs.rbegin(), syncs.rend(),
                                 [&facts](const NaiveSync& one) { return one.session_id == facts.session_id; });
  if (sync == syncs.rend() || sync->ended_by_next) return;
  Count(absl::StrCat("follower that owes nothing ended ", reason));
  if (sync->outcome != v1::SYNC_OUTCOME_SUCCEEDED) {
    Fail(absl::StrCat("a follower that owes nothing is sent away with ", reason, ", and its sync is no success"));
  }
}

// Nor can it owe a confirmation that is due and has not left: its interval is not over.
bool SimulatedWorld::OwesNothing(const StreamFacts& facts) {
  const bool was_leaving = facts.ended_while_sending && !facts.going_away_told;
  const bool at_rest = PhaseOf(facts) == SyncPhase::kFollowing && facts.unacked.empty() && !facts.success_stored;
  if (!at_rest || was_leaving) return false;
  const NaiveModel& model = oracle_.model(facts.identity.tenant);
  absl::Duration least = absl::InfiniteDuration();
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    least = std::min(least, ConfirmIntervalOf(*model.At(at)));
  }
  // It is told of its success when what was leaving has left.
  return clock_.Monotonic() - facts.recorded_at < least - limits::kWriteDeadline;
}

}  // namespace caresync::simulation

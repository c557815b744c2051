// What the rostering systems of the simulated world do.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/commit/timeline.h"
#include "server/records/record_key.h"
#include "server/restore/standing.h"
#include "server/roster/take_message.h"
#include "server/sync/resume_token.h"
#include "server/tenants/tenants.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

void SimulatedWorld::SendRota() {
  const base::TenantId& tenant = tenants_[OneIn(4) ? 1 : 0];
  const std::string& name = RotaMaker::Sources()[Below(RotaMaker::Sources().size())];
  Source& source = sources_[{tenant, name}];
  // What has no answer comes first, so that changes keep their order.
  if (source.to_send.empty()) {
    source.to_send.push_back(OneIn(6) ? rota_.PlanVisits(name, clock_.Now(), 1 + Below(2)) : rota_.NextMessage(name));
  }
  SendNext(tenant, name);
}

void SimulatedWorld::SendNext(const base::TenantId& tenant, const std::string& name) {
  Source& source = sources_[{tenant, name}];
  if (source.in_flight || source.to_send.empty()) return;
  v1::ApplyChangesRequest request = source.to_send.front();
  if (std::exchange(source.begins_stream, OneIn(4)) && source.last_commit.revision() != 0) {
    *request.mutable_last_commit_seen() = source.last_commit;
  }
  request.set_resent(source.resending == 1);
  source.in_flight = true;
  SubmitRota(tenant, name, std::move(request));
}

void SimulatedWorld::SendLateCarer() {
  sources_[{tenants_[0], "north"}].to_send.push_back(rota_.LateCarer("north"));
  SendNext(tenants_[0], "north");
}

void SimulatedWorld::TakeFromNewCopy() {
  const size_t first = Below(devices_.size());
  for (size_t i = 0; i < devices_.size(); ++i) {
    Device& device = devices_[(first + i) % devices_.size()];
    for (const base::Uuid& carer : device.carers) {
      const auto& making = device.app.of(carer).making;
      // Without a token nothing of it is durable yet.
      if (!making.has_value() || making->token.empty()) continue;
      if (!TakeVisitFrom(device.tenant, carer, making->records).has_value()) continue;
      return Count("visit taken away during a new copy");
    }
  }
}

std::optional<SimulatedWorld::TakenVisit> SimulatedWorld::TakeVisitFrom(const base::TenantId& tenant,
                                                                        const base::Uuid& carer,
                                                                        const fakes::HeldRecords& copy) {
  for (const std::string& name : RotaMaker::Sources()) {
    Source& source = sources_[{tenant, name}];
    // Its changes keep their order.
    if (source.in_flight || !source.to_send.empty()) continue;
    std::optional<v1::ApplyChangesRequest> request = rota_.Cancel(
        name, [&](const v1::RosterChange& visit) { return copy.contains(oracle_.model(tenant).NameOf(visit)); });
    if (!request.has_value()) continue;
    const v1::RosterChange& visit = request->changes(0);
    TakenVisit taken{name, visit.external_id(), oracle_.model(tenant).NameOf(visit)};
    source.to_send.push_back(*std::move(request));
    SendNext(tenant, name);
    // What was removed may be forgotten before the copy comes to it.
    constexpr base::Revision kAhead = 1'000;
    const base::Revision head = oracle_.model(tenant).head().revision;
    if (OneIn(4)) {
      ForgetRemovals(tenant, records::CarerReceiver(carer), feed::Position::EndOf(head + kAhead), 1 + Below(5));
    }
    return taken;
  }
  return std::nullopt;
}

void SimulatedWorld::TakeAndGiveBack() {
  if (streams_.empty()) return;
  const size_t first = Below(streams_.size());
  for (size_t i = 0; i < streams_.size(); ++i) {
    const SimulatedStream& stream = *streams_[(first + i) % streams_.size()];
    if (stream.IsBetweenBatches() && !stream.network_broken() && TakeAndGiveBackIn(stream)) return;
  }
}

// The session waits for its batch to leave: what others do meanwhile comes before it reads the next one.
bool SimulatedWorld::TakeAndGiveBackIn(const SimulatedStream& stream) {
  const StreamFacts& facts = stream.facts();
  const base::TenantId& tenant = facts.identity.tenant;
  const fakes::TestDevice::CarerData& data = devices_[stream.device()].app.of(facts.identity.carer);
  const bool new_copy = facts.rebuild_began.has_value();
  if (new_copy && !data.making.has_value()) return false;
  const std::optional<TakenVisit> taken =
      TakeVisitFrom(tenant, facts.identity.carer, new_copy ? data.making->records : data.in_use);
  if (!taken.has_value()) return false;
  server_->executor().RunAll();
  const auto is_seen = [&] { return HeadOf(tenant).ViewOf(facts.carer).records.contains(taken->name); };
  Source& source = sources_[{tenant, taken->source}];
  if (source.in_flight || !source.to_send.empty() || is_seen()) return true;
  source.to_send.push_back(rota_.GiveBack(taken->source, taken->external_id));
  SendNext(tenant, taken->source);
  server_->executor().RunAll();
  if (!is_seen() || !stream.IsBetweenBatches()) return true;
  Count(new_copy ? "visit given back during the same new copy" : "visit given back between two batches of a delta");
  return true;
}

void SimulatedWorld::SubmitRota(const base::TenantId& tenant, const std::string& name,
                                v1::ApplyChangesRequest request) {
  auto response = std::make_shared<v1::ApplyChangesResponse>();
  server_->sequencer().Submit(
      tenant,
      [this, tenant, name, request, response,
       opening = server_->opening()](commit::Transaction& transaction) -> absl::Status {
        absl::StatusOr<v1::ApplyChangesResponse> taken =
            roster::TakeMessage(transaction, {name, opening}, true, request);
        if (!taken.ok()) return taken.status();
        *response = *std::move(taken);
        if (retiring_) return absl::OkStatus();
        if (request.has_last_commit_seen() || request.resent()) waits_.MayHaveConfirmed(tenant, name);
        Predict(tenant, request, {response->results().begin(), response->results().end()}, transaction.revision());
        return absl::OkStatus();
      },
      [this, tenant, name, request, response](const absl::StatusOr<commit::Committed>& done) {
        Source& source = sources_[{tenant, name}];
        source.in_flight = false;
        // Nobody hears a server that is gone.
        if (retiring_) return;
        oracle_.Withdraw(tenant);
        Count(done.ok() ? "rota message taken" : absl::StrCat("rota message failed ", base::Reason(done.status())));
        // A stream ends with such an error: the next message is the first of another one.
        const bool lost = done.ok() && OneIn(40);
        if (lost) Count("rota answer lost, message sent twice");
        if (!done.ok() || lost) source.begins_stream = true;
        if (!done.ok() || lost) return;
        response->mutable_commit()->set_revision(done->head.revision);
        response->mutable_commit()->set_timeline(done->head.timeline);
        OnAnswer(source, request, *response);
      });
}

void SimulatedWorld::OnAnswer(Source& source, const v1::ApplyChangesRequest& request,
                              const v1::ApplyChangesResponse& response) {
  source.to_send.pop_front();
  source.last_commit = response.commit();
  if (request.resent()) Count("source has sent again");
  if (source.resending > 0) --source.resending;
  v1::ApplyChangesRequest changes = request;
  changes.clear_last_commit_seen();
  changes.clear_resent();
  source.answered.push_back({response.commit(), std::move(changes)});
  if (!response.has_store_restored()) return;
  Count("source is told of a restore");
  SendAgainAfter(source, response.store_restored().head());
}

// Everything that was answered after `head`, in its order, before anything new; at least a word that this was all. The
// order is that of the answers: revisions of two timelines cannot be compared.
void SimulatedWorld::SendAgainAfter(Source& source, const v1::CommitPoint& head) {
  // The last answer is the one that told of the restore. It came from the state of now, whatever its commit is; what
  // was lost is older, so its message comes again after it.
  const auto last_kept =
      std::find_if(source.answered.rbegin() + 1, source.answered.rend(), [&head](const auto& answered) {
        return answered.commit.timeline() == head.timeline() && answered.commit.revision() <= head.revision();
      });
  std::deque<v1::ApplyChangesRequest> again;
  for (auto lost = last_kept.base(); lost != source.answered.end(); ++lost) again.push_back(std::move(lost->request));
  source.answered.erase(last_kept.base(), source.answered.end());
  // A message that was to be sent again before is among those that have no answer.
  if (again.empty() && source.resending == 0) again.emplace_back();
  source.resending += again.size();
  source.to_send.insert(source.to_send.begin(), again.begin(), again.end());
}

void SimulatedWorld::SettleSource(const base::TenantId& tenant, const std::string& name, Source& source) {
  source.to_send.emplace_back();
  for (int i = 0; i < 10'000 && !source.to_send.empty(); ++i) {
    SendNext(tenant, name);
    server_->executor().RunAll();
  }
  if (!source.to_send.empty()) Fail("a source does not come to an end");
}

void SimulatedWorld::SettleSources() {
  for (auto& [of, source] : sources_) {
    const bool names_none = source.last_commit.revision() == 0;
    SettleSource(of.first, of.second, source);
    // One that hears its first answer just now has named no commit: the server cannot know that it misses nothing.
    if (!names_none) continue;
    source.begins_stream = true;
    SettleSource(of.first, of.second, source);
  }
  for (const base::TenantId& tenant : tenants_) {
    const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
    const absl::StatusOr<restore::Standing> standing = restore::StandingOf(
        **snapshot, tenant, server_->restore_opening(), oracle_.model(tenant).head().restore_wait, clock_.Now());
    if (!standing.ok() || standing->waiting) Fail("devices wait though every source has sent again");
  }
}

void SimulatedWorld::ReleaseRebuilds() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  server_->sequencer().Submit(
      tenant,
      [this, tenant, opening = server_->restore_opening()](commit::Transaction& transaction) {
        waits_.MayBeReleased(tenant);
        v1::ReleaseRebuildsRequest request;
        request.set_tenant_id(tenant.text());
        return tenants::ReleaseRebuilds(transaction, request, opening).status();
      },
      [this](const absl::StatusOr<commit::Committed>& done) {
        if (!retiring_ && done.ok() && done->wrote) Count("rebuilds released");
      });
}

std::pair<absl::Duration, absl::Duration> SimulatedWorld::WaitsSince(const StreamFacts& facts) {
  const NaiveModel& model = oracle_.model(facts.identity.tenant);
  absl::Duration shortest = absl::InfiniteDuration();
  absl::Duration longest = absl::ZeroDuration();
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    shortest = std::min(shortest, model.At(at)->restore_wait);
    longest = std::max(longest, model.At(at)->restore_wait);
  }
  return {shortest, longest};
}

void SimulatedWorld::JudgeWaiting(const StreamFacts& facts) {
  // What the clock showed when it was decided, nobody can tell.
  if (!facts.head_at_start.has_value() || facts.at_start.jumps != jumps_.size()) return;
  if (!waits_.MayWait(facts.at_start.time, WaitsSince(facts).second)) {
    Fail("a device waits for longer than the tenant lets it");
  }
  if (!waits_.MayWait(facts.at_start.time, base::limits::kRestoreWaitDefault))
    Count("told to wait longer than by default");
}

void SimulatedWorld::JudgeWaitsEnd(const StreamFacts& facts) {
  if (facts.at_start.jumps != jumps_.size()) return;
  const base::TenantId& tenant = facts.identity.tenant;
  if (waits_.MustWait(tenant, clock_.Now(), WaitsSince(facts).first)) {
    Fail("a copy is made anew though a source has not said what is lost");
  }
  if (waits_.WaitsForItsEnd(tenant, clock_.Now())) Count("wait ended by its bound");
  if (waits_.MustWait(tenant, clock_.Now(), base::limits::kRestoreWaitDefault)) {
    Count("wait ended by its bound, sooner than by default");
  }
}

// Whose own token shows that a lost state knew the carer waits for what that had to say; nobody else does.
void SimulatedWorld::JudgeUnknownCarer(const StreamFacts& facts) {
  if (!facts.head_at_start.has_value() || facts.at_start.jumps != jumps_.size()) return;
  const base::TenantId& tenant = facts.identity.tenant;
  const bool was_known = facts.start_token.has_value() && !oracle_.model(tenant).IsKnown(facts.start_token->cursor);
  Count(was_known ? "carer not sent again when the wait is over" : "carer who has not come yet");
  if (was_known && waits_.MustWait(tenant, clock_.Now(), WaitsSince(facts).first)) {
    Fail("a carer whom only the lost state knew is refused though a source has not said what is lost");
  }
}

bool SimulatedWorld::ShowsALoss(const Device& device) const {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  for (const base::Uuid& carer : device.carers) {
    fakes::TestDevice app = device.app;
    const std::string sealed = app.Start(carer, v1::SYNC_TYPE_STANDARD).start().resume_token();
    if (sealed.empty()) continue;
    const absl::StatusOr<sync::ResumeToken> token = sync::OpenToken(server_->sealer(), device.tenant, sealed);
    if (!token.ok()) continue;
    const auto standing = commit::Standing(**snapshot, device.tenant, token->cursor);
    const auto losses = restore::LossesOf(**snapshot, device.tenant, token->cursor.timeline);
    if (!standing.ok() || !losses.ok()) continue;
    if (*standing == commit::CursorStanding::kForeign && !losses->is_noted) return true;
  }
  return false;
}

// What a source was answered for is there: sent again, it changes nothing.
void SimulatedWorld::CompareSources() {
  for (auto& [of, source] : sources_) {
    std::map<std::pair<int, std::string>, v1::RosterChange> last;
    for (const Source::Answered& answered : source.answered) {
      for (const v1::RosterChange& change : answered.request.changes()) {
        last[{static_cast<int>(change.record_case()), change.external_id()}] = change;
      }
    }
    const State& head = oracle_.model(of.first).head();
    for (const auto& [name, change] : last) {
      State state = oracle_.model(of.first).NextState();
      const v1::ChangeOutcome outcome = oracle_.model(of.first).Apply(state, change);
      const bool there = outcome == v1::CHANGE_OUTCOME_UNCHANGED || outcome == v1::CHANGE_OUTCOME_WAITING;
      if (!there) {
        Fail(absl::StrCat("a change that ", of.second, " was answered for is not there at revision ", head.revision,
                          ": ", change.ShortDebugString()));
      }
    }
  }
}

}  // namespace caresync::simulation

// What the oracle is told of the streams, and what becomes of those that have ended.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

// What a message holds, in one line.
std::string Describe(const v1::SyncResponse& response) {
  std::string text = "  sent:";
  if (response.has_started()) absl::StrAppend(&text, " started");
  if (response.has_upload_result()) absl::StrAppend(&text, " results=", response.upload_result().results_size());
  if (response.has_rebuild()) {
    absl::StrAppend(&text, " rebuild ", response.rebuild().rebuild_number(), " ",
                    v1::RebuildReason_Name(response.rebuild().reason()));
  }
  if (response.has_changes()) {
    absl::StrAppend(&text, response.changes().next_visits() ? " next visits" : " changes",
                    " rebuild=", response.changes().rebuild_number(), " upserts=", response.changes().upserts_size(),
                    " removals=", response.changes().removals_size());
  }
  if (response.has_caught_up()) {
    absl::StrAppend(&text, " caught_up revision=", response.caught_up().revision(),
                    " count=", response.caught_up().holds().count());
  }
  if (response.has_sync_recorded()) absl::StrAppend(&text, " sync_recorded");
  if (response.has_notice()) absl::StrAppend(&text, " notice ", response.notice().what_case());
  return text;
}

}  // namespace

void SimulatedWorld::OnTaken(StreamFacts& facts, const v1::SyncRequest& request) {
  facts.owed_before_last = OwesWork(facts);
  if (request.has_start()) {
    const State& head = oracle_.model(facts.identity.tenant).head();
    facts.head_at_start = head.revision;
    facts.commits_at_start = oracle_.applied();
    facts.at_start = NowMoment();
    uint64_t& last = last_start_[{facts.identity.tenant, facts.identity.device}];
    last = std::max(last, facts.arrival);
    if (head.unsettled.contains(facts.carer)) Count("start during a fan-out");
  }
  if (request.has_upload()) facts.unanswered.push_back(request.upload());
  if (request.upload().resend_complete()) facts.resend_owed = false;
  if (!request.has_ack()) return;
  const v1::Ack& ack = request.ack();
  facts.dropped.insert(ack.dropped_carer_ids().begin(), ack.dropped_carer_ids().end());
  for (const std::string& carer : ack.dropped_carer_ids()) facts.drops_owed.erase(carer);
  OnAck(facts, ack);
}

void SimulatedWorld::OnAck(StreamFacts& facts, const v1::Ack& ack) {
  const absl::StatusOr<sync::ResumeToken> token =
      sync::OpenToken(server_->sealer(), facts.identity.tenant, ack.resume_token());
  if (!token.ok()) return;
  // One that is said again, or after a later one, counts for nothing.
  const auto sent = std::find(facts.unacked.rbegin(), facts.unacked.rend(), *token);
  if (sent == facts.unacked.rend()) return;
  facts.unacked.erase(facts.unacked.begin(), sent.base());
  const bool of_caught_up = facts.caught_up.has_value() && ack.resume_token() == facts.caught_up->resume_token();
  // What confirms a copy says that it is right, too.
  if (!token->rebuild_began.has_value() && !of_caught_up) facts.acked.push_back(*token);
  if (!of_caught_up || !ack.has_holds()) return;
  const v1::CopySum& holds = facts.caught_up->holds();
  const bool same = ack.holds().count() == holds.count() && ack.holds().sum() == holds.sum();
  if (!same) return oracle_.OnDivergence(facts);
  facts.acked.push_back(*token);
  facts.confirmed = true;
  facts.at_confirmation = NowMoment();
}

std::shared_ptr<const View> SimulatedWorld::OnSend(StreamFacts& facts, const v1::SyncResponse& response) {
  if (retiring_) return nullptr;
  Mix(response.SerializeAsString());
  facts.last_sent = clock_.Monotonic();
  if (echo_) Echo(Describe(response));
  CountMessage(facts, response);
  if (response.has_sync_recorded()) facts.recorded_at = clock_.Monotonic();
  if (response.started().waiting()) JudgeWaiting(facts);
  const bool knows_carer = HeadOf(facts.identity.tenant).Knows(facts.carer);
  if (response.started().waiting() && !knows_carer) Count("told to wait, and the carer is not known");
  if (response.rebuild().reason() == v1::REBUILD_REASON_FOREIGN) JudgeWaitsEnd(facts);
  return oracle_.OnSend(facts, response, server_->sealer(), batch_bytes_);
}

void SimulatedWorld::CountMessage(const StreamFacts& facts, const v1::SyncResponse& response) {
  if (facts.recorded && response.has_changes()) Count("round");
  if (facts.recorded && response.has_rebuild()) Count("round that makes a new copy");
  if (facts.recorded && response.has_caught_up() && !response.has_changes()) Count("confirmation without changes");
  if (response.has_notice()) Count("notice");
  const bool cloned = oracle_.truth().permissions.IsCloned(facts.identity.tenant, facts.identity.device);
  if (cloned && response.upload_result().results_size() > 0) Count("upload of a cloned device taken");
  if (response.has_rebuild()) {
    Count(v1::RebuildReason_Name(response.rebuild().reason()));
    // One that was not finished.
    if (facts.rebuild_began.has_value()) Count("rebuild after another");
  } else if (response.has_started() && facts.start_token.has_value() && facts.start_token->rebuild_began.has_value() &&
             response.has_changes()) {
    Count("rebuild resumed");
  }
  if (response.has_sync_recorded() && response.has_started()) Count("one message each way");
  if (response.changes().removals_size() > 0) Count("removals sent");
  const bool to_new_copy = response.changes().rebuild_number() != 0;
  if (to_new_copy && response.changes().removals_size() > 0) Count("removals sent to a new copy");
  for (const v1::Upsert& upsert : response.changes().upserts()) {
    if (upsert.kind() == v1::RECORD_KIND_CARE_PLAN) Count("care plan sent");
  }
  for (const v1::Removal& removal : response.changes().removals()) {
    if (removal.kind() == v1::RECORD_KIND_CARE_PLAN) Count("care plan taken off");
  }
  if (response.changes().next_visits()) Count("next visits sent");
}

StreamFacts* SimulatedWorld::SessionOf(const std::string& session_id) {
  const auto stream = std::find_if(streams_.begin(), streams_.end(), [&session_id](const auto& one) {
    return one->server_open() && one->facts().session_id == session_id;
  });
  return stream == streams_.end() ? nullptr : &(*stream)->facts();
}

StreamFacts* SimulatedWorld::FactsOf(const std::string& session_id) {
  const auto is_its = [&session_id](const auto& one) { return one->facts().session_id == session_id; };
  for (const auto* streams : {&streams_, &gone_}) {
    const auto stream = std::find_if(streams->begin(), streams->end(), is_its);
    if (stream != streams->end()) return &(*stream)->facts();
  }
  return nullptr;
}

// Between two times that it is set the clock goes on.
bool SimulatedWorld::MayHaveShown(absl::Time time, const Moment& since) const {
  absl::Time from = since.time;
  for (size_t jump = since.jumps; jump < jumps_.size(); ++jump) {
    if (from <= time && time <= jumps_[jump].first) return true;
    from = jumps_[jump].second;
  }
  return from <= time && time <= clock_.Now();
}

absl::Time SimulatedWorld::LatestShown(const Moment& since) const {
  absl::Time latest = std::max(since.time, clock_.Now());
  for (size_t jump = since.jumps; jump < jumps_.size(); ++jump) {
    latest = std::max({latest, jumps_[jump].first, jumps_[jump].second});
  }
  return latest;
}

bool SimulatedWorld::MayHaveCalled(const base::TenantId& tenant, const base::Uuid& device, absl::Time time) const {
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& stream) {
    const StreamFacts& facts = stream->facts();
    if (facts.identity.tenant != tenant || facts.identity.device != device) return false;
    return stream->server_open() && MayHaveShown(time, facts.at_opening);
  });
}

void SimulatedWorld::Reap() {
  for (const auto& stream : streams_) {
    if (!stream->end().has_value() || std::exchange(stream->facts().end_judged, true)) continue;
    const StreamFacts& facts = stream->facts();
    // Of a server that is gone nobody knows what it still read.
    if (retiring_) continue;
    oracle_.CheckEnd(facts, *stream->end());
    const std::string reason = base::Reason(*stream->end());
    if (reason == "WAITING_AFTER_RESTORE") JudgeWaiting(facts);
    if (reason == "CARER_UNKNOWN") JudgeUnknownCarer(facts);
    if (reason == "CREDENTIAL_EXPIRED" || reason == "SHUTTING_DOWN") JudgeSentAway(facts, reason);
    const bool wrote_for_long = clock_.Monotonic() - facts.last_sent >= base::limits::kWriteDeadline;
    if (reason == "DEVICE_NOT_READING" && !wrote_for_long)
      Fail("DEVICE_NOT_READING though nothing was leaving for long");
  }
  for (std::unique_ptr<SimulatedStream>& stream : streams_) {
    if (!stream->done()) continue;
    const absl::Status& end = *stream->end();
    Count(absl::StrCat("ended ", end.ok() ? "OK" : base::Reason(end)));
    gone_.push_back(std::move(stream));
  }
  std::erase(streams_, nullptr);
}

}  // namespace caresync::simulation

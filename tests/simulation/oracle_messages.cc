// What the oracle says of messages to devices.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {
namespace {

bool IsBuilding(const sync::ResumeToken& token) { return token.rebuild_began.has_value(); }

std::string Say(const feed::Position& position) {
  return absl::StrCat("(", position.revision, ", ", position.record.bytes.size(), " bytes)");
}

// What the device owes an answer to, beside batches.
void NoteWhatIsAsked(StreamFacts& facts, const v1::SyncResponse& response) {
  facts.downloads = facts.downloads || response.has_rebuild() || response.has_changes() || response.has_caught_up();
  if (response.has_changes() || response.has_caught_up()) facts.mid_download = !response.has_caught_up();
  if (response.has_changes()) facts.of_new_copy = response.changes().rebuild_number() != 0;
  if (response.has_started()) facts.resend_owed = response.started().resend_events();
  for (const auto* carers : {&response.started().drop_now_carer_ids(), &response.notice().drop_now().carer_ids()}) {
    facts.drops_owed.insert(carers->begin(), carers->end());
  }
}

}  // namespace

std::shared_ptr<const View> Oracle::OnSend(StreamFacts& facts, const v1::SyncResponse& response,
                                           const base::TokenSealer& sealer, size_t batch_bytes) {
  const bool of_sync = response.has_upload_result() || response.has_rebuild() || response.has_changes() ||
                       response.has_caught_up() || response.has_sync_recorded();
  Expect(!facts.recorded || facts.start.follow() || !of_sync, "something is sent after sync_recorded");
  Expect(!response.has_started() || !facts.recorded, "a sync is started twice");
  Expect(facts.head_at_start.has_value(), "something is sent before start");
  Expect(!response.has_started() || !WouldLoseWork(facts.start), "a clean sync is begun that would lose work");
  NoteWhatIsAsked(facts, response);
  CheckTold(facts, response);
  std::shared_ptr<const View> expected;
  if (response.has_rebuild() || response.has_changes() || response.has_caught_up()) CheckStartBelieved(facts);
  if (response.has_upload_result()) CheckResults(facts, response.upload_result());
  if (response.has_rebuild()) CheckRebuild(facts, response.rebuild());
  if (response.has_changes()) CheckChanges(facts, response.changes(), sealer, batch_bytes);
  if (response.has_caught_up()) expected = CheckCaughtUp(facts, response.caught_up(), sealer);
  if (response.has_sync_recorded()) CheckRecorded(facts);
  return expected;
}

void Oracle::CheckResults(StreamFacts& facts, const v1::UploadResult& result) {
  Expect(!facts.unanswered.empty(), "results come without an upload");
  if (facts.unanswered.empty()) return;
  facts.answered = std::move(facts.unanswered.front());
  const v1::Upload& upload = facts.answered;
  facts.unanswered.pop_front();
  Expect(upload.events_size() == result.results_size(), "an upload and its results differ in number");
  const State& head = model(facts.identity.tenant).head();
  for (int i = 0; i < std::min(upload.events_size(), result.results_size()); ++i) {
    const v1::UploadedEvent& event = upload.events(i);
    const v1::EventResult& answer = result.results(i);
    Expect(event.event_id() == answer.event_id(), "a result names another event");
    const auto record = head.records.find({v1::RECORD_KIND_CARE_EVENT, event.event_id()});
    const bool stored = record != head.records.end() && record->second->payload == event.event();
    // A person may have ruled on it meanwhile, or long ago.
    const bool kept = head.for_review.contains({event.event_id(), event.event()}) ||
                      head.settled.contains({event.event_id(), event.event()});
    Expect(kept, absl::StrCat("event ", event.event_id(), " is answered but not stored"));
    if (answer.outcome() == v1::EVENT_OUTCOME_ACCEPTED) Expect(stored, "an accepted event is not stored as a record");
    if (answer.outcome() == v1::EVENT_OUTCOME_FOR_REVIEW) Expect(kept, "an event for review is not kept");
    Expect(answer.outcome() != v1::EVENT_OUTCOME_UNSPECIFIED, "a result has no outcome");
  }
  facts.events_answered += static_cast<size_t>(result.results_size());
}

void Oracle::CheckRebuild(StreamFacts& facts, const v1::Rebuild& rebuild) {
  const NaiveModel& model = this->model(facts.identity.tenant);
  const std::optional<sync::ResumeToken>& token = facts.start_token;
  const bool at_start = facts.position == (token.has_value() ? token->position : feed::Position{}) &&
                        facts.rebuild_number == (token.has_value() ? token->rebuild_number : 0);
  const bool known = token.has_value() && model.IsKnown(token->cursor);
  Expect(rebuild.rebuild_number() > facts.rebuild_number, "a rebuild's number does not rise");
  switch (rebuild.reason()) {
    case v1::REBUILD_REASON_NEW_COPY:
      Expect(at_start && !token.has_value(), "NEW_COPY though there is a token");
      break;
    case v1::REBUILD_REASON_FOREIGN:
      Expect(at_start && token.has_value() && !known, "FOREIGN though the cursor is known");
      break;
    case v1::REBUILD_REASON_CLEAN_SYNC:
      Expect(at_start && known && !IsBuilding(*token) && facts.start.sync_type() == v1::SYNC_TYPE_CLEAN,
             "CLEAN_SYNC though none was asked for, or a rebuild could go on");
      break;
    case v1::REBUILD_REASON_DATA_LEVEL:
      Expect(at_start && known && token->data_level != facts.level, "DATA_LEVEL though the app keeps what it kept");
      break;
    case v1::REBUILD_REASON_DIVERGED:
      Expect(at_start && known && !IsBuilding(*token) && truth_.diverged.contains(CopyOf(facts)),
             "DIVERGED though the copy was right, or another is being made");
      break;
    case v1::REBUILD_REASON_EXPIRED: {
      const feed::Position needed =
          facts.rebuild_began.has_value() ? feed::Position::EndOf(*facts.rebuild_began) : facts.position;
      Expect(model.head().horizons.at(facts.carer) > needed, "EXPIRED though no removal that matters was forgotten");
      break;
    }
    default:
      Expect(false, absl::StrCat("a rebuild without cause: ", rebuild.reason()));
  }
  facts.rebuild_number = rebuild.rebuild_number();
  facts.position = {};
  facts.rebuild_began = std::nullopt;
}

std::optional<sync::ResumeToken> Oracle::OpenIssued(const StreamFacts& facts, const std::string& sealed,
                                                    uint64_t number, const base::TokenSealer& sealer) {
  absl::StatusOr<sync::ResumeToken> token = sync::OpenToken(sealer, facts.identity.tenant, sealed);
  Expect(token.ok(), "an issued token is not valid");
  if (!token.ok()) return std::nullopt;
  const NaiveModel& model = this->model(facts.identity.tenant);
  Expect(token->device == facts.identity.device && token->carer == facts.identity.carer, "a token of another copy");
  Expect(model.IsKnown(token->cursor), "an issued cursor is not known");
  Expect(token->rebuild_number == facts.rebuild_number, "a token of another rebuild");
  Expect(number == 0 || number == facts.rebuild_number, "a batch of another rebuild");
  Expect(token->data_level == facts.level, "a copy of another data level is gone on with");
  const bool goes_on = facts.start_token.has_value() && token->rebuild_number == facts.start_token->rebuild_number;
  Expect(!goes_on || model.IsKnown(facts.start_token->cursor), "a copy from a foreign store is gone on with");
  Expect(token->position >= facts.position,
         absl::StrCat("the position goes back from ", Say(facts.position), " to ", Say(token->position)));
  Expect(facts.events_answered >= facts.start.unsent_events(), "a download begins before the uploads have results");
  if (!model.IsKnown(token->cursor)) return std::nullopt;
  CheckPermitted(facts, token->cursor);
  return *std::move(token);
}

void Oracle::CheckPermitted(const StreamFacts& facts, const base::CommitPoint& head) {
  const base::TenantId& tenant = facts.identity.tenant;
  const State& state = *model(tenant).At(head.revision);
  Expect(!state.HasLeft(facts.carer), "something is sent to a carer who left");
  Expect(truth_.permissions.WasAllowed(tenant, facts.identity.device, facts.carer, head.revision),
         "something is sent to a device that the carer may not use");
  Expect(!IsOlderApp(facts.start.app_version(), state.least_app_version),
         "something is sent to an app that is too old");
  Expect(!state.unsettled.contains(facts.carer), absl::StrCat("something is sent at revision ", head.revision,
                                                              " of a feed that is not what the carer may see"));
}

void Oracle::CheckChanges(StreamFacts& facts, const v1::Changes& changes, const base::TokenSealer& sealer,
                          size_t batch_bytes) {
  const std::optional<sync::ResumeToken> token =
      OpenIssued(facts, changes.resume_token(), changes.rebuild_number(), sealer);
  if (!token.has_value()) return;
  facts.unacked.push_back(*token);
  NoteSent(facts, changes, token->cursor.revision);
  Expect(IsBuilding(*token) == (changes.rebuild_number() != 0), "a batch's copy and its token's differ");
  if (facts.rebuild_began.has_value()) {
    Expect(token->rebuild_began == facts.rebuild_began, "a rebuild's beginning moves");
  }
  if (changes.next_visits()) return CheckNextVisits(facts, changes, *token, batch_bytes);
  CheckUpserts(facts, changes, *token);
  CheckRemovals(facts, changes, *token);
  Expect(changes.ByteSizeLong() <= batch_bytes || changes.upserts_size() + changes.removals_size() == 1,
         "a batch is too large");
  facts.position = token->position;
  facts.rebuild_began = token->rebuild_began;
}

// To a phone that holds nothing, before the first batch of its copy, what the carer may see at that revision: nothing
// of the copy is delivered by it.
void Oracle::CheckNextVisits(StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token,
                             size_t batch_bytes) {
  Expect(
      !facts.start_token.has_value() && facts.held_at_start.empty() && !facts.caught_up.has_value() && !facts.recorded,
      "next visits are sent to a phone that holds something");
  Expect(IsBuilding(token) && !facts.rebuild_began.has_value() && facts.position == feed::Position{} &&
             token.position == feed::Position{},
         "next visits are not the first of a new copy, or their token is not of its beginning");
  Expect(changes.removals_size() == 0 && changes.records_done() == 0 && changes.records_total() == 0,
         "next visits remove something, or count");
  const fakes::HeldRecords& visible =
      model(facts.identity.tenant).At(token.cursor.revision)->ViewOf(facts.carer).Through(facts.level);
  std::set<Name> sent;
  size_t visits = 0;
  for (const v1::Upsert& upsert : changes.upserts()) {
    const Name name(upsert.kind(), upsert.record_id());
    Expect(sent.insert(name).second, "a record is twice among the next visits");
    const auto seen = visible.find(name);
    Expect(seen != visible.end() && seen->second == upsert.payload(),
           absl::StrCat("record ", name.second, " of kind ", name.first,
                        " is among the next visits, which the carer may not see so"));
    if (upsert.kind() == v1::RECORD_KIND_VISIT) ++visits;
  }
  Expect(changes.ByteSizeLong() <= batch_bytes, "the next visits are too large");
  Expect(visits > 0 && visits <= base::limits::kNextVisits, "the next visits are none, or too many");
  facts.rebuild_began = token.rebuild_began;
}

// What the carer may see and was moved to between the last position and this one: all of it, and nothing else.
void Oracle::CheckUpserts(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token) {
  const State& state = *model(facts.identity.tenant).At(token.cursor.revision);
  const fakes::HeldRecords& visible = state.ViewOf(facts.carer).Through(facts.level);
  std::set<Name> sent;
  for (const v1::Upsert& upsert : changes.upserts()) {
    const Name name(upsert.kind(), upsert.record_id());
    Expect(sent.insert(name).second, "a record is twice in a batch");
    const auto seen = visible.find(name);
    Expect(seen != visible.end(),
           absl::StrCat("record ", name.second, " of kind ", name.first, " is sent, which the carer may not see"));
    if (seen == visible.end()) continue;
    Expect(seen->second == upsert.payload(),
           absl::StrCat("record ", name.second, " of kind ", name.first, " is sent with other bytes at revision ",
                        token.cursor.revision));
    const feed::Position position = state.PositionOf(facts.carer, name);
    Expect(position > facts.position && position <= token.position,
           absl::StrCat("record ", name.second, " of kind ", name.first, ", which moved at revision ",
                        position.revision, ", is sent again, or too early: after ", facts.position.revision, ", up to ",
                        token.position.revision));
  }
  for (const auto& [name, payload] : visible) {
    const feed::Position position = state.PositionOf(facts.carer, name);
    const bool due = position > facts.position && position <= token.position;
    Expect(!due || sent.contains(name), absl::StrCat("record ", name.second, " is left out"));
  }
}

void Oracle::CheckRemovals(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token) {
  const NaiveModel& model = this->model(facts.identity.tenant);
  const base::Revision from = token.rebuild_began.value_or(std::max<base::Revision>(facts.position.revision, 1) - 1);
  for (const v1::Removal& removal : changes.removals()) {
    const Name name(removal.kind(), removal.record_id());
    Expect(!model.At(token.cursor.revision)->ViewOf(facts.carer).records.contains(name),
           "a record is removed that the carer may see");
    Expect(LeastLevel(name.first) <= facts.level, "a record is removed that the app never could keep");
    // A feed may still hold what the carer sees no more.
    bool was_seen = false;
    for (base::Revision at = from; at <= token.cursor.revision && !was_seen; ++at) {
      const Feed& feed = *model.At(at)->feeds.at(facts.carer);
      const auto item = feed.find(name);
      was_seen = item != feed.end() && !item->second.removal;
    }
    Expect(was_seen, absl::StrCat("a removal tells of record ", name.second, " of kind ", name.first,
                                  ", which the copy never held since revision ", from));
  }
  CheckNoRemovalLeft(facts, changes, token);
}

// Every removal between the last position and this one is told, be it of something that the copy got or not; while a
// copy is made, of those since it began.
void Oracle::CheckNoRemovalLeft(const StreamFacts& facts, const v1::Changes& changes, const sync::ResumeToken& token) {
  std::set<Name> sent;
  for (const v1::Removal& removal : changes.removals()) sent.insert({removal.kind(), removal.record_id()});
  const State& state = *model(facts.identity.tenant).At(token.cursor.revision);
  for (const auto& [name, item] : *state.feeds.at(facts.carer)) {
    const feed::Position position{item.moved, KeyOf(name)};
    const bool passed = position > facts.position && position <= token.position;
    const bool before_copy = token.rebuild_began.has_value() && item.moved <= *token.rebuild_began;
    const bool due = item.removal && passed && !before_copy && LeastLevel(name.first) <= facts.level;
    Expect(!due || sent.contains(name), absl::StrCat("the removal of record ", name.second, " is left out"));
  }
}

std::shared_ptr<const View> Oracle::CheckCaughtUp(StreamFacts& facts, const v1::CaughtUp& caught_up,
                                                  const base::TokenSealer& sealer) {
  const std::optional<sync::ResumeToken> token =
      OpenIssued(facts, caught_up.resume_token(), caught_up.rebuild_number(), sealer);
  if (!token.has_value()) return nullptr;
  facts.unacked.push_back(*token);
  Expect(!IsBuilding(*token), "the token of a caught_up is of an unfinished rebuild");
  Expect(token->cursor.revision == caught_up.revision(), "the revision of a caught_up and its token's differ");
  const State* state = model(facts.identity.tenant).At(caught_up.revision());
  Expect(state != nullptr, "caught_up at a revision that is not there");
  if (state == nullptr) return nullptr;
  const std::shared_ptr<const View>& view = state->views.at(facts.carer);
  const fakes::HeldRecords& visible = view->Through(facts.level);
  for (const auto& [name, payload] : visible) {
    Expect(state->PositionOf(facts.carer, name) <= facts.position, "caught_up though something is left");
  }
  // A new copy of which nothing was sent has nothing that could be removed.
  if (caught_up.rebuild_number() == 0 || facts.rebuild_began.has_value()) {
    sync::ResumeToken up_to = *token;
    up_to.rebuild_began = facts.rebuild_began;
    CheckNoRemovalLeft(facts, v1::Changes(), up_to);
  }
  const v1::CopySum holds = fakes::SumOf(visible);
  Expect(holds.count() == caught_up.holds().count() && holds.sum() == caught_up.holds().sum(),
         "count and sum of a caught_up are wrong");
  facts.position = token->position;
  facts.rebuild_began = std::nullopt;
  facts.caught_up = caught_up;
  return view;
}

void Oracle::CheckRecorded(StreamFacts& facts) {
  Expect(facts.events_answered >= facts.start.unsent_events(), "sync_recorded though events have no result");
  Expect(facts.confirmed || HeldAll(facts), "sync_recorded though the device did not confirm");
  Expect(facts.success_stored, "sync_recorded though no success is stored");
  truth_.diverged.erase(CopyOf(facts));
  facts.recorded = true;
  facts.confirmed = false;
  facts.success_stored = false;
  facts.caught_up.reset();
  facts.unacked.clear();
}

}  // namespace caresync::simulation

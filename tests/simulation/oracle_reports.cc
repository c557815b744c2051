// What the oracle says of what sessions write of their devices: each change of it has its cause in what the device
// said. What follows from it for the report is the model's to say (naive_reports.h).
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/written_rows.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

// The stored form of an instant.
absl::Time At(int64_t stored_us) { return absl::FromUnixMicros(stored_us); }

bool IsBuilding(const sync::ResumeToken& token) { return token.rebuild_began.has_value(); }

struct Place {
  base::CommitPoint cursor;
  feed::Position position;
  bool operator==(const Place&) const = default;
};

Place PlaceOf(const sync::ResumeToken& token) { return {token.cursor, token.position}; }
Place PlaceOf(const NaiveCopy& copy) { return {copy.cursor, copy.position}; }
Place PlaceOf(const store::DeviceCopy& copy) {
  return {{copy.timeline(), copy.revision()}, {copy.position_revision(), {copy.position_record()}}};
}

bool HasEnded(v1::SyncOutcome outcome) {
  return outcome != v1::SYNC_OUTCOME_UNDER_WAY && outcome != v1::SYNC_OUTCOME_SUCCEEDED;
}

}  // namespace

void Oracle::TakeReports(const Rows& rows) {
  for (const auto& [report_key, of] : report_keys_) {
    const auto& [tenant, device] = of;
    TakeEnrolment(tenant, device, rows);
    const auto refused =
        WrittenIn<store::DeviceCall>(rows, keys::DeviceRow(tenant, device, keys::DevicePart::kRefusedCall));
    if (refused.has_value()) TakeRefusedCall(tenant, device, *refused);
    const auto report = WrittenIn<store::DeviceReport>(rows, report_key);
    if (report.has_value()) TakeReport(tenant, device, *report, rows);
  }
}

void Oracle::TakeEnrolment(const base::TenantId& tenant, const base::Uuid& device, const Rows& rows) {
  const auto row = WrittenIn<store::Device>(rows, keys::DeviceRow(tenant, device, keys::DevicePart::kDevice));
  if (!row.has_value()) return;
  std::optional<absl::Time>& enrolled = truth_.devices[{tenant, device}].enrolled;
  Expect(!enrolled.has_value() || *enrolled == At(row->enrolled_time_us()), "a device becomes known for a second time");
  enrolled = At(row->enrolled_time_us());
}

void Oracle::TakeRefusedCall(const base::TenantId& tenant, const base::Uuid& device, const store::DeviceCall& call) {
  Expect(call.state() == v1::CALL_STATE_FAILED && !call.reason().empty(), "a refused call has not failed by name");
  Expect(world_.may_have_called(tenant, device, At(call.time_us())), "a call is written down that nobody made then");
  truth_.devices[{tenant, device}].refused = {At(call.time_us()), call.state(), call.reason()};
}

void Oracle::TakeReport(const base::TenantId& tenant, const base::Uuid& device, const store::DeviceReport& report,
                        const Rows& rows) {
  NaiveDevice& known = truth_.devices[{tenant, device}];
  const auto session =
      WrittenIn<store::DeviceSession>(rows, keys::DeviceRow(tenant, device, keys::DevicePart::kSession));
  if (session.has_value()) TakeBegin(tenant, device, session->session_id(), rows);
  Expect(!known.syncs.empty(), "something is written of a device by no session");
  if (known.syncs.empty()) return;
  StreamFacts* facts = world_.session(known.syncs.back().session_id);
  const auto row = WrittenIn<store::SyncRow>(rows, keys::Sync(tenant, device, known.syncs.size()));
  Expect(facts != nullptr && row.has_value(), "what is written of a device is not its last session's");
  if (facts == nullptr || !row.has_value()) return;
  Expect(row->session_id() == facts->session_id && row->carer_id() == facts->carer &&
             row->sync_type() == facts->start.sync_type(),
         "a sync of the history is not as its start said");
  if (session.has_value()) {
    known.syncs.back().start = At(row->start_time_us());
    Expect(world_.may_have_shown(At(row->start_time_us()), facts->at_start), "a sync's start is not when it was");
    TakeWordsOfStart(*facts, *row, known);
    TakeSignIn(*facts, *row, rows);
  }
  TakeCopies(*facts, report, session.has_value(), *row, known);
  if (session.has_value()) CheckStartIsAck(*facts, *row, known);
  TakeHeld(*facts, report, session.has_value(), *row, rows);
  TakeOutcome(*facts, report, session.has_value(), *row, known);
}

void Oracle::TakeBegin(const base::TenantId& tenant, const base::Uuid& device, const std::string& session_id,
                       const Rows& rows) {
  NaiveDevice& known = truth_.devices[{tenant, device}];
  StreamFacts* facts = world_.session(session_id);
  Expect(facts != nullptr && facts->head_at_start.has_value(), "a sync is recorded that no device started");
  if (facts == nullptr) return;
  if (!known.syncs.empty() && known.syncs.back().outcome == v1::SYNC_OUTCOME_UNDER_WAY) {
    NaiveSync& last = known.syncs.back();
    const auto row = WrittenIn<store::SyncRow>(rows, keys::Sync(tenant, device, known.syncs.size()));
    const bool ended =
        row.has_value() && row->session_id() == last.session_id &&
        (row->outcome() == v1::SYNC_OUTCOME_TAKEN_OVER || row->outcome() == v1::SYNC_OUTCOME_INTERRUPTED);
    Expect(ended, "a sync that was left under way is not ended by the next one");
    // One that is there still was told to end, by this one or by another that came and went.
    StreamFacts* still_there = world_.session(last.session_id);
    if (still_there != nullptr) still_there->displaced = true;
    if (row.has_value()) last.outcome = row->outcome();
    if (row.has_value()) last.reason = row->reason();
    last.ended_by_next = true;
    ++known.failures;
  }
  NaiveSync sync;
  sync.session_id = session_id;
  sync.carer = facts->carer;
  sync.type = facts->start.sync_type();
  known.Begin(std::move(sync));
}

// Of a start that was refused at once only the version of an app that is too old is believed.
void Oracle::TakeWordsOfStart(const StreamFacts& facts, const store::SyncRow& row, NaiveDevice& known) {
  const bool refused_at_once = HasEnded(row.outcome());
  const bool version_believed = !refused_at_once || row.reason() == "APP_TOO_OLD";
  if (!refused_at_once && !facts.start.device_name().empty()) known.name = facts.start.device_name();
  if (version_believed && !facts.start.app_version().empty()) known.app_version = facts.start.app_version();
  known.next_allowed.reset();
  if (!facts.start.has_earliest_next_sync()) return;
  const absl::Time allowed = absl::FromUnixSeconds(facts.start.earliest_next_sync().seconds());
  known.next_allowed = std::min(allowed, known.syncs.back().start + base::limits::kNextSyncAhead);
}

// A copy comes with the first word of its carer's, goes when the device says that it dropped it, and is as far as the
// device has said.
void Oracle::TakeCopies(const StreamFacts& facts, const store::DeviceReport& report, bool begins,
                        const store::SyncRow& row, NaiveDevice& known) {
  std::set<std::string> written;
  for (const store::DeviceCopy& copy : report.copies()) {
    const std::string& carer = copy.carer_id();
    Expect(written.insert(carer).second, "a carer's copy is written twice");
    const bool is_new = !known.copies.contains(carer);
    Expect(!is_new || carer == facts.carer, "another carer's copy is made up");
    // What was written before the session came to the device's word, or was under way, still has the copy as it was.
    Expect(!is_new || !facts.dropped.contains(carer), "a copy that its device dropped is written again");
    NaiveCopy& before = known.copies[carer];
    const Place place = PlaceOf(copy);
    if (place == PlaceOf(before)) continue;
    Expect(carer == facts.carer && MayStandAt(facts, place.cursor, place.position, begins, row),
           absl::StrCat("a copy stands at revision ", place.cursor.revision, ", which its device has not said"));
    before.cursor = place.cursor;
    before.position = place.position;
  }
  std::erase_if(known.copies, [&](const auto& copy) {
    if (written.contains(copy.first)) return false;
    Expect(facts.dropped.contains(copy.first), "a copy is forgotten that was not dropped");
    return true;
  });
}

// Whatever becomes of the sync, what its start shows that the device holds is recorded, unless the copy is to be
// dropped or two phones use the UUID.
void Oracle::CheckStartIsAck(const StreamFacts& facts, const store::SyncRow& row, const NaiveDevice& known) {
  const base::TenantId& tenant = facts.identity.tenant;
  const std::optional<sync::ResumeToken>& token = facts.start_token;
  if (!token.has_value() || IsBuilding(*token) || !model(tenant).IsKnown(token->cursor)) return;
  // A start that is refused for what it says is not read to its end; one that succeeds at once moves on.
  if (WouldLoseWork(facts.start) || row.outcome() == v1::SYNC_OUTCOME_SUCCEEDED) return;
  if (!truth_.permissions.WhyNot(tenant, facts.identity.device, facts.carer).empty() || HadLeft(facts)) return;
  const auto copy = known.copies.find(facts.carer);
  Expect(copy != known.copies.end() && PlaceOf(copy->second) == PlaceOf(*token),
         "a sync begins or is refused, and what its start acknowledged is not recorded");
}

bool Oracle::MayStandAt(const StreamFacts& facts, const base::CommitPoint& cursor, const feed::Position& position,
                        bool begins, const store::SyncRow& row) const {
  const Place place{cursor, position};
  if (!begins) {
    return std::any_of(facts.acked.begin(), facts.acked.end(),
                       [&place](const sync::ResumeToken& token) { return PlaceOf(token) == place; });
  }
  const NaiveModel& model = truth_.models.at(facts.identity.tenant);
  const std::optional<sync::ResumeToken>& token = facts.start_token;
  const bool known = token.has_value() && model.IsKnown(token->cursor);
  if (known && !IsBuilding(*token) && PlaceOf(*token) == place) return true;
  if ((!known || IsBuilding(*token)) && place == Place{}) return true;
  // The start was the ack of all that the carer may see.
  const State* state = model.At(cursor.revision);
  return row.outcome() == v1::SYNC_OUTCOME_SUCCEEDED && state != nullptr && model.IsKnown(cursor) &&
         cursor.revision >= *facts.head_at_start && position == feed::Position::EndOf(cursor.revision) &&
         state->ViewOf(facts.carer).Through(facts.level) == facts.held_at_start;
}

void Oracle::TakeOutcome(StreamFacts& facts, const store::DeviceReport& report, bool begins, const store::SyncRow& row,
                         NaiveDevice& known) {
  NaiveSync& sync = known.syncs.back();
  if (row.outcome() == v1::SYNC_OUTCOME_UNDER_WAY) {
    Expect(sync.outcome == v1::SYNC_OUTCOME_UNDER_WAY || facts.start.follow(), "a sync is under way again");
    sync.outcome = v1::SYNC_OUTCOME_UNDER_WAY;
    return;
  }
  if (HasEnded(row.outcome())) {
    Expect(!row.reason().empty(), "a sync fails for no reason");
    Expect(row.outcome() != v1::SYNC_OUTCOME_DIVERGED || facts.diverged, "a copy diverges that is right");
    if (row.outcome() == v1::SYNC_OUTCOME_DIVERGED) known.copies[facts.carer].diverged = true;
    return known.FailLast(row.outcome(), row.reason());
  }
  // Of a device that follows, each confirmation is one.
  const bool again = sync.outcome == v1::SYNC_OUTCOME_SUCCEEDED && row.confirmations() == sync.confirmations;
  if (again) return;
  const bool said = begins ? HeldAll(facts) : facts.confirmed;
  Expect(said && !facts.success_stored, "a sync is recorded that no device of the session confirmed");
  facts.success_stored = true;
  const absl::Time time = At(report.last_success_us());
  Expect(world_.may_have_shown(time, begins ? facts.at_start : facts.at_confirmation),
         "a success is recorded, but not when the device said so");
  Expect(row.confirmations() == sync.confirmations + (facts.start.follow() ? 1 : 0), "confirmations are miscounted");
  known.Succeed(time, facts.level, row.confirmations());
}

// What was written of a sync that is over is how it ended, unless the store did not take it.
void Oracle::CheckRecordedEnd(const StreamFacts& facts, const absl::Status& end) {
  const NaiveDevice& known = truth_.devices[{facts.identity.tenant, facts.identity.device}];
  const auto sync = std::find_if(known.syncs.rbegin(), known.syncs.rend(),
                                 [&facts](const NaiveSync& one) { return one.session_id == facts.session_id; });
  if (sync == known.syncs.rend() || sync->ended_by_next) return;
  Expect(!end.ok() || sync->outcome == v1::SYNC_OUTCOME_SUCCEEDED, "a sync ends well and is not recorded so");
  // It may be taken over while it ends for another reason.
  const bool taken_over = base::Reason(end) == "SESSION_TAKEN_OVER";
  Expect(taken_over || !HasEnded(sync->outcome) || sync->reason == base::Reason(end),
         absl::StrCat("a sync that ended with ", base::Reason(end), " is recorded with ", sync->reason));
}

// Before anything of the download leaves, the server has believed the token in `start`, downwards too.
void Oracle::CheckStartBelieved(const StreamFacts& facts) {
  const NaiveDevice& known = truth_.devices[{facts.identity.tenant, facts.identity.device}];
  const bool is_last = !known.syncs.empty() && known.syncs.back().session_id == facts.session_id;
  const bool moved_on = facts.success_stored || facts.recorded || !facts.acked.empty();
  if (moved_on || !is_last || facts.dropped.contains(facts.carer)) return;
  const auto copy = known.copies.find(facts.carer);
  const bool holds_nothing =
      !facts.start_token.has_value() || !model(facts.identity.tenant).IsKnown(facts.start_token->cursor);
  if (!holds_nothing && IsBuilding(*facts.start_token)) return;
  const Place expected = holds_nothing ? Place{} : PlaceOf(*facts.start_token);
  Expect(copy != known.copies.end() && PlaceOf(copy->second) == expected,
         "a download begins, and the copy is not recorded as its device said");
}

}  // namespace caresync::simulation

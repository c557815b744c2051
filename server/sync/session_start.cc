// How a session begins: what its start is judged by, and what is recorded and sent first.
#include <algorithm>
#include <utility>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/devices/device_in_use.h"
#include "server/sync/policy.h"
#include "server/sync/restore_wait.h"
#include "server/sync/session.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;
using storage::CommitOutcome;
using storage::Durability;

void Session::OnFirstMessage(v1::SyncRequest request) {
  actions_.push_back(SetTimerAction{SessionTimer::kStart, std::nullopt});
  if (!request.has_start()) {
    return Fail(
        request.message_case() == v1::SyncRequest::MESSAGE_NOT_SET ? errors::EmptyMessage() : errors::StartExpected(),
        v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  start_ = std::move(*request.mutable_start());
  KeepWhatIsBounded(start_);
  // A level above this server's highest counts as that: it is the server's own that tokens name.
  start_.set_data_level(std::min(start_.data_level(), base::limits::kDataLevel));
  if (absl::Status status = CheckStart(identity_, start_); !status.ok()) {
    // A token that was not read tells of no loss.
    start_.clear_uploads_token();
    return Fail(std::move(status), v1::SYNC_OUTCOME_REFUSED);
  }
  holds_nothing_ = start_.resume_token().empty();
  if (!holds_nothing_) {
    absl::StatusOr<ResumeToken> token = OpenToken(sealer_, identity_.tenant, start_.resume_token());
    if (token.ok()) {
      start_token_ = *std::move(token);
    } else {
      token_refusal_ = token.status();
    }
  }
  start_uploads_token_ = OpenUploadsToken(sealer_, identity_.tenant, start_.uploads_token());
  phase_ = Phase::kLoading;
  actions_.push_back(LoadAction{{start_token_, start_uploads_token_}, devices::SignsIn(start_)});
}

void Session::On(LoadedEvent event) {
  // Once this session is listed itself, the one that is open is its own.
  if (!entered_) another_open_ = event.another_open;
  if (!event.facts.ok()) {
    const absl::Status status = failure_.value_or(base::Named(event.facts.status()));
    outcome_ = failure_.has_value() ? outcome_ : v1::SYNC_OUTCOME_SERVER_FAILED;
    return End(status);
  }
  facts_ = *std::move(event.facts);
  // The device's rows are the other session's. Of one that never entered there is a call to record.
  if (event.later_open && (entered_ || !failure_.has_value())) return On(StopEvent{errors::SessionTakenOver()});
  if (failure_.has_value()) return RecordUnbegunEnd();
  if (!facts_->carer_branch_id.has_value() && !AwaitsCarer()) {
    return Refuse(errors::CarerUnknown(identity_.carer.ToString()));
  }
  refusal_ = token_refusal_;
  if (absl::Status status = CheckDownload(identity_, start_, start_token_, *facts_); !status.ok())
    refusal_ = std::move(status);
  NoteOwnCopy();
  if (refusal_.has_value() && !HasToSay()) return Refuse(*refusal_);
  const absl::Status wait = CheckWait(identity_, start_token_, *facts_, now_);
  awaits_restore_ = !refusal_.has_value() && !wait.ok();
  if (awaits_restore_) refusal_ = wait;
  if (!refusal_.has_value()) {
    plan_ = PlanStart(start_, start_token_, *facts_, now_);
    CheckRoom();
    if (refusal_.has_value() && !HasToSay()) return Refuse(*refusal_);
  }
  if (!std::exchange(entered_, true)) {
    actions_.push_back(EnterAction{});
    if (follows()) actions_.push_back(SubscribeAction{SessionTopic::kFeed});
    // Who was not listed yet was not told of other preferences than those that were read.
    if (follows()) actions_.push_back(ReadTenantAction{});
  }
  MakeRows(start_);
  // The start is an ack, of a sync that is refused too.
  acknowledged_ = HasOwnToken() ? PlaceOf(*start_token_) : Place{};
  // This take-over is the one too many: nothing is certified for a UUID that two phones share, not even to this one.
  if (!refusal_.has_value() && rows_->cloned()) refusal_ = errors::DeviceCloned();
  if (refusal_.has_value()) return BeginRefused();
  // Who was not connected was not told. One that would be refused again is told when it is refused no more.
  if (facts_->sync_asked) notices_.sync_now = true;
  if (start_.unsent_events() > 0) {
    PrepareRows();
    return WriteBegin(Durability::kDurable);
  }
  phase_ = Phase::kFirstBatch;
  ReadOn({plan_.after, plan_.rebuild_began, start_.data_level()});
}

void Session::CheckRoom() {
  if (plan_.rebuild_began.has_value() && !facts_->copy_room.ok()) refusal_ = facts_->copy_room;
}

void Session::BeginRefused() {
  // `started` has nothing to estimate.
  plan_ = StartPlan();
  NoteHeld();
  WriteBegin(Durability::kDurable);
}

void Session::Refuse(absl::Status status) {
  outcome_ = v1::SYNC_OUTCOME_REFUSED;
  failure_ = std::move(status);
  RecordUnbegunEnd();
}

bool Session::HasToSay() {
  if (start_.unsent_events() > 0 || !facts_->pending_drops.empty()) return true;
  // The rows say whether events are to be sent again; they are made anew for whatever the session comes to.
  MakeRows(start_);
  return rows_->resend_wanted();
}

void Session::OnFirstBatch(DownloadBatch batch) {
  if (!batch.refusal.ok()) {
    refusal_ = std::move(batch.refusal);
    // There is no room for a copy: that is refused with all that the device is to be told, as before it was read.
    return absl::IsResourceExhausted(*refusal_) && HasToSay() ? BeginRefused() : Refuse(*refusal_);
  }
  if (batch.must_wait) {
    PrepareRows();
    return WriteBegin(Durability::kDurable);
  }
  if (batch.feed.horizon_passed) {
    // Of a copy that was to be made anyhow the reason stands.
    plan_ = NewCopy(start_, start_token_, *facts_, batch.head.revision,
                    plan_.new_copy.value_or(v1::REBUILD_REASON_EXPIRED));
    CheckRoom();
    if (refusal_.has_value()) return HasToSay() ? BeginRefused() : Refuse(*refusal_);
    return ReadOn({plan_.after, plan_.rebuild_began, start_.data_level()});
  }
  TakeReading(batch);
  PrepareRows();
  const bool copy_is_right = !plan_.rebuild_began.has_value() && start_.has_holds() &&
                             start_.holds().count() == batch.feed.summary.count &&
                             start_.holds().sum() == batch.feed.summary.sum;
  // A device that is to send its events again, or to be told something, is not done with its first message.
  if (copy_is_right && facts_->pending_drops.empty() && !rows_->resend_wanted() && !notices_.any() &&
      batch.feed.entries.empty() && batch.feed.nothing_left)
    return FinishAtOnce(batch);
  // Made before its rows are written, so that these say that it is on its way; sent after.
  v1::SyncResponse response = StartedResponse(&batch);
  AddBatch(std::move(batch), response);
  Queue(std::move(response));
  WriteBegin(Durability::kDurable);
}

void Session::MakeRows(const v1::Start& start) {
  rows_.emplace(devices::SessionOwner{identity_.tenant, identity_.device, identity_.carer, session_id_, opening_},
                facts_->rows, start, now_, another_open_ && entered_, facts_->branch_id, most_take_overs_);
  rows_->sync().set_start_revision(facts_->head.revision);
  cursor_lags_ = CursorLags(start_, *facts_);
  news_.Forget();
  if (facts_->changes_device) {
    rows_->SignIn();
    news_.AddCarer(identity_.carer);
  }
  if (another_open_) AddCarersOfCopies();
  NoteLostEvents();
}

void Session::AddCarersOfCopies() {
  if (!facts_->rows.rows.report.has_value()) return;
  for (const store::DeviceCopy& copy : facts_->rows.rows.report->copies()) {
    if (const std::optional<base::Uuid> carer = base::Uuid::Parse(copy.carer_id())) news_.AddCarer(*carer);
  }
}

bool Session::HasOwnToken() const {
  return start_token_.has_value() && start_token_->device == identity_.device && start_token_->carer == identity_.carer;
}

void Session::PrepareRows() {
  from_ = {plan_.after, plan_.rebuild_began, start_.data_level()};
  rebuild_number_ = plan_.rebuild_number;
  announce_rebuild_ = plan_.new_copy;
  records_total_ = plan_.rebuild_began.has_value() ? facts_->summary.Through(start_.data_level()).count : 0;

  store::DeviceCopy& copy = rows_->copy();
  switch (CursorAfterStart(start_, start_token_, *facts_)) {
    case CursorAfter::kOfToken:
      SetCursor(*start_token_);
      break;
    case CursorAfter::kNone:
      MarkNotHeld();
      SetCursor({});
      break;
    case CursorAfter::kUnchanged:
      break;
  }
  if (plan_.rebuild_began.has_value()) cursor_lags_ = true;
  if (!plan_.new_copy.has_value()) return;
  copy.set_rebuild_number(plan_.rebuild_number);
  rows_->sync().set_rebuild_reason(*plan_.new_copy);
  if (*plan_.new_copy == v1::REBUILD_REASON_DIVERGED) copy.set_last_divergence_rebuild_us(base::ToStoredTime(now_));
}

void Session::NoteHeld() {
  // Which of two phones holds it, nobody knows.
  if (!HasOwnToken() || rows_->cloned()) return;
  // A copy that is to be dropped may be dropped by now, as a later stream of the device has said.
  if (!WhyNotHeld(facts_->rows.rows.device, identity_.carer, facts_->carer_left).ok()) return;
  if (CursorAfterStart(start_, start_token_, *facts_) == CursorAfter::kOfToken) SetCursor(*start_token_);
  // What it holds came after the backup that the store was put back to.
  const bool is_foreign = facts_->token_standing == commit::CursorStanding::kForeign;
  if (is_foreign && rows_->Holds(identity_.carer.ToString())) MarkNotKnown();
}

std::set<base::Uuid> Session::LessByStart() const {
  if (!facts_->replaces_device && !rows_->FallsBack()) return {};
  return {identity_.carer};
}

void Session::WriteBegin(Durability durability) {
  phase_ = Phase::kBeginning;
  if (start_.unsent_events() > 0) rows_->sync().set_stage(v1::SYNC_STAGE_UPLOADING);
  writing_rows_ = true;
  rows_changed_ = false;
  storage::Commit commit = CommitOf(&devices::SessionRows::Begin, durability);
  actions_.push_back(WriteRowsAction{std::move(commit), LessByStart()});
}

void Session::FinishAtOnce(const DownloadBatch& batch) {
  v1::SyncResponse response = StartedResponse(&batch);
  AddCaughtUp(batch, response);
  success_ = Success::kConfirmed;
  SetCursor(issued_.back().token);
  cursor_lags_ = false;
  // `start` was the ack.
  acknowledged_ = PlaceOf(issued_.back().token);
  issued_.clear();
  MarkSuccess();
  // As it was read for the start, which is now: no visit has ended since a sync that began now.
  const bool by_carer = start_.sync_type() != v1::SYNC_TYPE_AUTO;
  manual_due_since_ = by_carer ? std::nullopt : facts_->manual_due_since;
  *response.mutable_sync_recorded() = RecordedNow();
  outbox_.push_back(std::move(response));
  WriteBegin(Durability::kDurable);
}

void Session::OnBegun(const RowsWrittenEvent& event) {
  if (!event.not_begun.ok()) return EndUnrecorded(event.not_begun);
  const storage::CommitResult& result = event.result;
  if (result.outcome == CommitOutcome::kConflict) {
    if (++begin_tries_ >= limits::kConflictTries) return EndUnrecorded(errors::CommitConflict());
    // Another stream of the device, or an administrator, wrote meanwhile: all is judged again.
    outbox_.clear();
    issued_.clear();
    drops_told_.clear();
    records_done_ = 0;
    holds_nothing_ = start_.resume_token().empty();
    caught_up_sent_ = false;
    more_left_ = true;
    success_ = Success::kNotYet;
    phase_ = Phase::kLoading;
    actions_.push_back(LoadAction{{start_token_, start_uploads_token_}, devices::SignsIn(start_)});
    return;
  }
  if (result.outcome == CommitOutcome::kFull) return EndUnrecorded(errors::StoreFull());
  if (result.outcome != CommitOutcome::kCommitted) return EndUnrecorded(errors::StoreUnavailable(result.detail));
  if (success_ == Success::kBeingRecorded) OnRecorded();
  phase_ = Phase::kRunning;
  if (failure_.has_value() && !IsIdle()) {
    phase_ = Phase::kEnding;
    if (!outbox_.empty()) ForgetUnsent();
    return WriteLastRows();
  }
  if (failure_.has_value()) return End(*failure_);
  begun_ = true;
  if (follows()) SetCredentialTimer(limits::kCredentialNotice);
  if (IsIdle() && !follows()) return Continue();
  actions_.push_back(ReadNextAction{});
  if (IsIdle()) return Continue();
  AwaitDevice(limits::kDeviceSilence);
  if (outbox_.empty()) Queue(StartedResponse(nullptr));
  Continue();
}

v1::Policy Session::PolicyNow() const {
  v1::Policy policy = PolicyFor(facts_->tenant, facts_->branch_id, identity_.device, now_);
  if (changes_wait_) BringForward(policy, identity_.device, now_);
  return policy;
}

v1::SyncResponse Session::StartedResponse(const DownloadBatch* first_batch) {
  // Who is refused gets nothing by coming soon.
  changes_wait_ = !refusal_.has_value() &&
                  (first_batch == nullptr || !first_batch->feed.entries.empty() || !first_batch->feed.nothing_left);
  v1::SyncResponse response;
  v1::Started* started = response.mutable_started();
  started->set_session_id(session_id_);
  *started->mutable_policy() = PolicyNow();
  *started->mutable_server_time() = base::ToTimestamp(now_);
  started->set_waiting(awaits_restore_);
  started->set_resend_events(rows_->resend_wanted());
  if (facts_->manual_due_since.has_value()) {
    *started->mutable_manual_sync_due_since_time() = base::ToTimestamp(*facts_->manual_due_since);
  }
  TellDrops(*started);
  Estimate(first_batch, *started);
  return response;
}

}  // namespace caresync::sync

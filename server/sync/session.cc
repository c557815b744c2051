#include "server/sync/session.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/sync/policy.h"
#include "server/sync/restore_wait.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;
using storage::CommitOutcome;
using storage::Durability;

Session::Session(SessionIdentity identity, std::string session_id, std::string opening, const base::TokenSealer& sealer,
                 size_t most_take_overs)
    : identity_(std::move(identity)),
      session_id_(std::move(session_id)),
      opening_(std::move(opening)),
      most_take_overs_(most_take_overs),
      sealer_(sealer) {}

std::vector<SessionAction> Session::Handle(SessionEvent event, absl::Time now) {
  now_ = now;
  actions_.clear();
  if (phase_ != Phase::kEnded) {
    std::visit([this](auto&& e) { On(std::forward<decltype(e)>(e)); }, std::move(event));
  }
  return std::move(actions_);
}

void Session::On(OpenedEvent event) {
  actions_.push_back(SetTimerAction{SessionTimer::kStart, limits::kStartDeadline});
  actions_.push_back(ReadNextAction{});
}

// ---- The start

void Session::On(MessageEvent event) {
  if (phase_ == Phase::kAwaitingStart) return OnFirstMessage(std::move(event.request));
  if (phase_ != Phase::kRunning) return;
  const size_t unanswered = Unanswered();
  switch (event.request.message_case()) {
    case v1::SyncRequest::kStart:
      return Fail(errors::StartRepeated(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
    case v1::SyncRequest::kUpload:
      OnUpload(std::move(*event.request.mutable_upload()));
      break;
    case v1::SyncRequest::kAck:
      OnAck(event.request.ack());
      break;
    case v1::SyncRequest::MESSAGE_NOT_SET:
      return Fail(errors::EmptyMessage(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  if (phase_ != Phase::kRunning) return;
  // What was said before gives the device no more time.
  if (event.request.has_upload() || Unanswered() != unanswered) AwaitDevice(limits::kDeviceSilence);
  next_message_held_ = IsReadingHeld();
  if (!next_message_held_) actions_.push_back(ReadNextAction{});
  Continue();
}

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
  actions_.push_back(LoadAction{{start_token_, start_uploads_token_}});
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
  if (!facts_->carer_branch_id.has_value()) return Refuse(errors::CarerUnknown(identity_.carer.ToString()));
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
  }
  MakeRows(start_);
  // The start is an ack, of a sync that is refused too.
  acknowledged_ = HasOwnToken() ? PlaceOf(*start_token_) : Place{};
  // This take-over is the one too many: nothing is certified for a UUID that two phones share, not even to this one.
  if (!refusal_.has_value() && rows_->cloned()) refusal_ = errors::DeviceCloned();
  if (refusal_.has_value()) return BeginRefused();
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
  WriteBegin(Durability::kDurable);
}

void Session::Refuse(absl::Status status) {
  outcome_ = v1::SYNC_OUTCOME_REFUSED;
  failure_ = std::move(status);
  RecordUnbegunEnd();
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
    plan_ = NewCopy(start_, start_token_, *facts_, batch.head.revision, v1::REBUILD_REASON_EXPIRED);
    CheckRoom();
    if (refusal_.has_value()) return HasToSay() ? BeginRefused() : Refuse(*refusal_);
    return ReadOn({plan_.after, plan_.rebuild_began, start_.data_level()});
  }
  TakeReading(batch);
  PrepareRows();
  const bool copy_is_right = !plan_.rebuild_began.has_value() && start_.has_holds() &&
                             start_.holds().count() == batch.feed.summary.count &&
                             start_.holds().sum() == batch.feed.summary.sum;
  // A device that is to send its events again cannot do so once the stream has ended.
  if (copy_is_right && facts_->pending_drops.empty() && !rows_->resend_wanted() && batch.feed.entries.empty() &&
      batch.feed.nothing_left)
    return FinishAtOnce(batch);
  // Made before its rows are written, so that these say that it is on its way; sent after.
  v1::SyncResponse response = StartedResponse(&batch);
  AddBatch(std::move(batch), response);
  Queue(std::move(response));
  WriteBegin(Durability::kDurable);
}

void Session::MakeRows(const v1::Start& start) {
  rows_.emplace(devices::SessionOwner{identity_.tenant, identity_.device, identity_.carer, session_id_, opening_},
                facts_->rows, start, now_, another_open_ && entered_, facts_->carer_branch_id.value_or(""),
                most_take_overs_);
  rows_->sync().set_start_revision(facts_->head.revision);
  NoteLostEvents();
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
  const bool known = start_token_.has_value() && facts_->token_standing == commit::CursorStanding::kKnown;
  if (known && !start_token_->rebuild_began.has_value()) {
    SetCursor(*start_token_);
  } else if (!known || start_token_->rebuild_number <= copy.in_use_number()) {
    // Nothing is known of the copy in use. The second case: the rebuild was finished once, so this is a phone put back
    // in time.
    SetCursor({});
  }
  if (!plan_.new_copy.has_value()) return;
  copy.set_rebuild_number(plan_.rebuild_number);
  rows_->sync().set_rebuild_reason(*plan_.new_copy);
  if (*plan_.new_copy == v1::REBUILD_REASON_DIVERGED) copy.set_last_divergence_rebuild_us(base::ToStoredTime(now_));
}

void Session::WriteBegin(Durability durability) {
  phase_ = Phase::kBeginning;
  if (start_.unsent_events() > 0) rows_->sync().set_stage(v1::SYNC_STAGE_UPLOADING);
  writing_rows_ = true;
  rows_changed_ = false;
  actions_.push_back(WriteRowsAction{rows_->Begin(durability)});
}

void Session::FinishAtOnce(const DownloadBatch& batch) {
  v1::SyncResponse response = StartedResponse(nullptr);
  AddCaughtUp(batch, response);
  SetCursor(issued_.back().token);
  // `start` was the ack.
  acknowledged_ = PlaceOf(issued_.back().token);
  issued_.clear();
  MarkSuccess();
  *response.mutable_sync_recorded()->mutable_recorded_time() = base::ToTimestamp(now_);
  outbox_.push_back(std::move(response));
  WriteBegin(Durability::kDurable);
}

void Session::OnBegun(const storage::CommitResult& result) {
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
    actions_.push_back(LoadAction{{start_token_, start_uploads_token_}});
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

v1::SyncResponse Session::StartedResponse(const DownloadBatch* first_batch) {
  v1::SyncResponse response;
  v1::Started* started = response.mutable_started();
  started->set_session_id(session_id_);
  *started->mutable_policy() = PolicyFor(facts_->tenant, identity_.device, now_);
  *started->mutable_server_time() = base::ToTimestamp(now_);
  started->set_waiting(awaits_restore_);
  started->set_resend_events(rows_->resend_wanted());
  TellDrops(*started);
  Estimate(first_batch, *started);
  return response;
}

// ---- Going on

void Session::Continue() {
  if (phase_ != Phase::kRunning) return;
  if (success_ == Success::kConfirmed && uploads_.empty() && !writing_rows_) {
    MarkSuccess();
    WriteRows(Durability::kDurable);
  } else if (rows_changed_ && !writing_rows_ && (success_ == Success::kNotYet || IsIdle())) {
    WriteRows(Durability::kBuffered);
  }
  if (sending_ || SendLast() || SendNext()) return;
  if (IsIdle() && (half_closed_ || !follows())) {
    // What a follower still uploaded is counted first.
    if (!follows() || (uploads_.empty() && !writing_rows_)) End(absl::OkStatus());
    return;
  }
  if (next_message_held_ && !IsReadingHeld()) {
    next_message_held_ = false;
    actions_.push_back(ReadNextAction{});
  }
  const bool events_taken = uploads_.empty() && events_settled_ >= start_.unsent_events();
  if (refusal_.has_value() && events_taken) {
    if (!AwaitsResend() && !AwaitsDrops()) return Fail(*refusal_, v1::SYNC_OUTCOME_REFUSED);
    AwaitDeviceBriefly(limits::kResendSilence);
    return;
  }
  if (half_closed_ && !AtWork()) AwaitDeviceBriefly(limits::kHalfCloseGrace);
  if (half_closed_ || !MayReadBatch()) return;
  ReadOn(from_);
}

bool Session::SendLast() {
  const bool more_to_say = outbox_.size() != 1 || notices_.any() || !uploads_.empty();
  if (!IsIdle() || follows() || more_to_say) return false;
  EndSaying(std::move(outbox_.front()));
  return true;
}

bool Session::SendNext() {
  std::optional<v1::SyncResponse> next;
  sending_notice_ = outbox_.empty();
  if (sending_notice_) {
    next = NextNotice();
  } else {
    next = std::move(outbox_.front());
    outbox_.pop_front();
  }
  if (!next.has_value()) return false;
  sending_ = true;
  actions_.push_back(SendAction{*std::move(next)});
  actions_.push_back(SetTimerAction{SessionTimer::kWrite, limits::kWriteDeadline});
  return true;
}

bool Session::AtWork() const {
  return sending_ || reading_batch_ || !uploads_.empty() || success_ == Success::kConfirmed ||
         success_ == Success::kBeingRecorded;
}

bool Session::WaitsForDevice() const { return !issued_.empty() || events_settled_ < start_.unsent_events(); }

bool Session::MayReadBatch() const {
  const bool wanted = more_left_ || permission_asked_ || moved_to_ > read_at_;
  // What is asked of a device that is caught up is its ack, but where it has dropped the copy: it has nothing to ack.
  const bool drops_instead = own_drop_told_ && !drops_told_.contains(identity_.carer.ToString());
  return wanted && (!caught_up_sent_ || drops_instead) && !reading_batch_ && (!waiting_ || look_again_) &&
         uploads_.empty() && events_settled_ >= start_.unsent_events() &&
         issued_.size() < limits::kUnacknowledgedBatches;
}

void Session::ReadOn(const feed::ReadFrom& from) {
  reading_batch_ = true;
  permission_asked_ = false;
  look_again_ = false;
  const bool begins_copy = from.rebuild_began.has_value() && from.after == feed::Position();
  actions_.push_back(ReadBatchAction{from, holds_nothing_ && begins_copy, start_.app_version()});
}

void Session::TakeReading(const DownloadBatch& batch) {
  read_at_ = batch.head.revision;
  more_left_ = !batch.feed.nothing_left;
}

void Session::WriteRows(Durability durability) {
  writing_rows_ = true;
  rows_changed_ = false;
  actions_.push_back(WriteRowsAction{rows_->Update(durability)});
}

void Session::On(RowsWrittenEvent event) {
  writing_rows_ = false;
  if (phase_ == Phase::kBeginning) return OnBegun(event.result);
  if (phase_ == Phase::kEnding) {
    if (success_ == Success::kBeingRecorded && event.result.outcome == CommitOutcome::kCommitted) {
      OnRecorded();
      return End(*failure_);
    }
    if (!rows_.has_value()) return End(*failure_);
    if (rows_->sync().outcome() == v1::SYNC_OUTCOME_UNDER_WAY) return WriteLastRows();
    // Another session wrote the device's rows meanwhile: the call alone is recorded.
    if (event.result.outcome == CommitOutcome::kConflict) return WriteRefusedCall();
    return End(*failure_);
  }
  switch (event.result.outcome) {
    case CommitOutcome::kCommitted:
      break;
    case CommitOutcome::kConflict:
      // The session row holds another session's ID: whatever this one has to say of the device no longer counts.
      outcome_ = v1::SYNC_OUTCOME_TAKEN_OVER;
      return End(errors::SessionTakenOver());
    case CommitOutcome::kFull:
      return EndUnrecorded(errors::StoreFull());
    case CommitOutcome::kUnknown:
    case CommitOutcome::kUnavailable:
      return EndUnrecorded(errors::StoreUnavailable(event.result.detail));
  }
  if (success_ == Success::kBeingRecorded) {
    OnRecorded();
    v1::SyncResponse response;
    *response.mutable_sync_recorded()->mutable_recorded_time() = base::ToTimestamp(now_);
    outbox_.push_back(std::move(response));
  }
  Continue();
}

// ---- The stream

void Session::On(SentEvent event) {
  sending_ = false;
  actions_.push_back(SetTimerAction{SessionTimer::kWrite, std::nullopt});
  if (!event.ok) return Fail(errors::StreamCut(), v1::SYNC_OUTCOME_INTERRUPTED, true);
  if (phase_ != Phase::kRunning) return;
  // A notice asks for no answer, so it gives the device no more time for one.
  if (!sending_notice_) {
    const std::optional<absl::Duration> silence =
        WaitsForDevice() ? std::optional<absl::Duration>(limits::kDeviceSilence) : std::nullopt;
    AwaitDevice(silence);
  }
  Continue();
}

void Session::On(HalfClosedEvent event) {
  half_closed_ = true;
  if (phase_ == Phase::kAwaitingStart) return Fail(errors::StartExpected(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  Continue();
}

void Session::On(CancelledEvent event) { Fail(errors::StreamCut(), v1::SYNC_OUTCOME_INTERRUPTED, true); }

void Session::On(BadMessageEvent event) { Fail(std::move(event.status), v1::SYNC_OUTCOME_BROKEN_PROTOCOL); }

void Session::On(StopEvent event) {
  const bool taken_over = event.status == errors::SessionTakenOver();
  if (!taken_over) {
    going_away_ = true;
    return Fail(errors::ShuttingDown(ReconnectAfter(identity_.device)), v1::SYNC_OUTCOME_INTERRUPTED);
  }
  // The device's rows are the other session's from now on; it ends this sync in the history.
  outcome_ = v1::SYNC_OUTCOME_TAKEN_OVER;
  End(std::move(event.status));
}

void Session::On(TimerEvent event) {
  switch (event.timer) {
    case SessionTimer::kStart:
      if (phase_ == Phase::kAwaitingStart) Fail(errors::StartTooLate(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
      return;
    case SessionTimer::kSilence:
      if (phase_ == Phase::kRunning) OnSilence();
      return;
    case SessionTimer::kWrite:
      if (sending_) Fail(errors::DeviceNotReading(), v1::SYNC_OUTCOME_INTERRUPTED, true);
      return;
    case SessionTimer::kConfirm:
      if (phase_ != Phase::kRunning || !IsIdle()) return;
      BeginRound();
      more_left_ = true;
      return Continue();
    case SessionTimer::kCredential:
      if (phase_ == Phase::kRunning) OnCredentialTimer();
      return;
    case SessionTimer::kFanOutLook:
      look_again_ = true;
      return Continue();
    case SessionTimer::kFanOutWait:
      return Fail(errors::FanOutUnderWay(limits::kFanOutRetryAfter), v1::SYNC_OUTCOME_REFUSED);
  }
}

size_t Session::Unanswered() const { return issued_.size() + drops_told_.size(); }

void Session::AwaitDevice(std::optional<absl::Duration> silence) {
  brief_silence_.reset();
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, silence});
}

void Session::AwaitDeviceBriefly(absl::Duration silence) {
  if (brief_silence_ == silence) return;
  brief_silence_ = silence;
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, silence});
}

void Session::OnSilence() {
  brief_silence_.reset();
  if (AtWork()) return AwaitDevice(limits::kDeviceSilence);
  if (refusal_.has_value() && (AwaitsResend() || AwaitsDrops())) return Fail(*refusal_, v1::SYNC_OUTCOME_REFUSED);
  if (half_closed_ && !IsIdle()) return Fail(errors::LeftUnfinished(), v1::SYNC_OUTCOME_LEFT_UNFINISHED);
  if (WaitsForDevice()) Fail(errors::DeviceSilent(), v1::SYNC_OUTCOME_INTERRUPTED);
}

}  // namespace caresync::sync

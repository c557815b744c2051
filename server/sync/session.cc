#include "server/sync/session.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/sync/policy.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;
using storage::CommitOutcome;
using storage::Durability;

Session::Session(SessionIdentity identity, std::string session_id, std::string opening, const base::TokenSealer& sealer)
    : identity_(std::move(identity)),
      session_id_(std::move(session_id)),
      opening_(std::move(opening)),
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
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, limits::kDeviceSilence});
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
  if (absl::Status status = CheckStart(identity_, start_); !status.ok()) {
    return Fail(std::move(status), v1::SYNC_OUTCOME_REFUSED);
  }
  if (!start_.resume_token().empty()) {
    absl::StatusOr<ResumeToken> token = OpenToken(sealer_, identity_.tenant, start_.resume_token());
    if (token.ok()) {
      start_token_ = *std::move(token);
    } else {
      token_refusal_ = token.status();
    }
  }
  phase_ = Phase::kLoading;
  actions_.push_back(LoadAction{start_token_});
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
  if (failure_.has_value()) return RecordUnbegunEnd();
  if (!facts_->carer_branch_id.has_value()) return Refuse(errors::CarerUnknown(identity_.carer.ToString()));
  refusal_ = token_refusal_;
  if (absl::Status status = CheckDownload(identity_, start_token_, *facts_); !status.ok()) refusal_ = std::move(status);
  if (refusal_.has_value() && start_.unsent_events() == 0) return Refuse(*refusal_);
  if (!std::exchange(entered_, true)) actions_.push_back(EnterAction{});
  if (refusal_.has_value()) {
    MakeRows(start_);
    return WriteBegin(Durability::kDurable);
  }
  plan_ = PlanStart(start_, start_token_, *facts_, now_);
  if (start_.unsent_events() > 0) {
    PrepareRows();
    return WriteBegin(Durability::kDurable);
  }
  phase_ = Phase::kFirstBatch;
  actions_.push_back(ReadBatchAction{{plan_.after, plan_.rebuild_began}});
}

void Session::Refuse(absl::Status status) {
  outcome_ = v1::SYNC_OUTCOME_REFUSED;
  failure_ = std::move(status);
  RecordUnbegunEnd();
}

void Session::OnFirstBatch(DownloadBatch batch) {
  if (!batch.permitted) return Refuse(errors::CarerNotAUser(identity_.carer.ToString()));
  if (batch.feed.horizon_passed) {
    plan_ = NewCopy(start_, start_token_, *facts_, batch.head.revision, v1::REBUILD_REASON_EXPIRED);
    actions_.push_back(ReadBatchAction{{plan_.after, plan_.rebuild_began}});
    return;
  }
  PrepareRows();
  const bool copy_is_right = !plan_.rebuild_began.has_value() && start_.has_holds() &&
                             start_.holds().count() == batch.feed.summary.count &&
                             start_.holds().sum() == batch.feed.summary.sum;
  if (copy_is_right && batch.feed.entries.empty() && batch.feed.nothing_left) return FinishAtOnce(batch);
  first_batch_ = std::move(batch);
  WriteBegin(Durability::kDurable);
}

void Session::MakeRows(const v1::Start& start) {
  rows_.emplace(devices::SessionOwner{identity_.tenant, identity_.device, identity_.carer, session_id_, opening_},
                facts_->rows, start, now_, another_open_ && entered_, facts_->carer_branch_id.value_or(""));
}

void Session::PrepareRows() {
  MakeRows(start_);
  from_ = {plan_.after, plan_.rebuild_began};
  rebuild_number_ = plan_.rebuild_number;
  announce_rebuild_ = plan_.new_copy;
  records_total_ = plan_.rebuild_began.has_value() ? facts_->summary.count : 0;
  acknowledged_ = start_token_.has_value() ? PlaceOf(*start_token_) : Place{};

  store::DeviceCopy& copy = rows_->copy();
  const bool known = start_token_.has_value() && facts_->token_standing == commit::CursorStanding::kKnown;
  if (known && !start_token_->rebuild_began.has_value()) {
    SetCursor(*start_token_);
  } else if (!known || start_token_->rebuild_number <= copy.in_use_number()) {
    // Nothing is known of the copy in use. The second case: the rebuild was finished once, so this is a phone put back
    // in time.
    SetCursor({});
  }
  rows_->sync().set_start_revision(facts_->head.revision);
  if (!plan_.new_copy.has_value()) return;
  copy.set_rebuild_number(plan_.rebuild_number);
  rows_->sync().set_rebuild_reason(*plan_.new_copy);
  if (*plan_.new_copy == v1::REBUILD_REASON_DIVERGED) copy.set_last_divergence_rebuild_us(base::ToStoredTime(now_));
}

void Session::WriteBegin(Durability durability) {
  phase_ = Phase::kBeginning;
  if (start_.unsent_events() > 0) rows_->sync().set_stage(v1::SYNC_STAGE_UPLOADING);
  writing_rows_ = true;
  actions_.push_back(WriteRowsAction{rows_->Begin(durability)});
}

void Session::FinishAtOnce(const DownloadBatch& batch) {
  v1::SyncResponse response = StartedResponse();
  AddCaughtUp(batch, response);
  SetCursor(issued_.back().token);
  rows_->MarkSuccess(now_);
  *response.mutable_sync_recorded()->mutable_recorded_time() = base::ToTimestamp(now_);
  outbox_.push_back(std::move(response));
  success_ = Success::kBeingRecorded;
  WriteBegin(Durability::kDurable);
}

void Session::OnBegun(const storage::CommitResult& result) {
  if (result.outcome == CommitOutcome::kConflict) {
    if (++begin_tries_ >= limits::kConflictTries) return EndUnrecorded(errors::CommitConflict());
    // Another stream of the device, or an administrator, wrote meanwhile: all is judged again.
    outbox_.clear();
    issued_.clear();
    first_batch_.reset();
    caught_up_sent_ = false;
    success_ = Success::kNotYet;
    phase_ = Phase::kLoading;
    actions_.push_back(LoadAction{start_token_});
    return;
  }
  if (result.outcome == CommitOutcome::kFull) return EndUnrecorded(errors::StoreFull());
  if (result.outcome != CommitOutcome::kCommitted) return EndUnrecorded(errors::StoreUnavailable(result.detail));
  if (success_ == Success::kBeingRecorded) success_ = Success::kRecorded;
  phase_ = Phase::kRunning;
  if (failure_.has_value() && success_ != Success::kRecorded) {
    phase_ = Phase::kEnding;
    return WriteLastRows();
  }
  if (failure_.has_value()) return End(*failure_);
  if (success_ == Success::kRecorded) return Continue();
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, limits::kDeviceSilence});
  actions_.push_back(ReadNextAction{});
  v1::SyncResponse response = StartedResponse();
  if (first_batch_.has_value()) AddBatch(*std::exchange(first_batch_, std::nullopt), response);
  outbox_.push_back(std::move(response));
  Continue();
}

v1::SyncResponse Session::StartedResponse() const {
  v1::SyncResponse response;
  v1::Started* started = response.mutable_started();
  started->set_session_id(session_id_);
  *started->mutable_policy() = PolicyFor(facts_->tenant, identity_.device, now_);
  *started->mutable_server_time() = base::ToTimestamp(now_);
  uint64_t estimate = records_total_;
  if (!plan_.rebuild_began.has_value() && first_batch_.has_value()) estimate = first_batch_->feed.entries.size();
  started->set_estimated_records(estimate);
  return response;
}

// ---- The upload

void Session::OnUpload(v1::Upload upload) {
  const size_t count = static_cast<size_t>(upload.events_size());
  if (count == 0) {
    return Fail(errors::InvalidArgument("upload.events", "is empty; send at least one event, or no upload"),
                v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  if (count > limits::kUploadEvents) {
    return Fail(errors::TooManyEvents(
                    absl::StrCat("an upload has ", count, " events; send 1 to ", limits::kUploadEvents, " in each")),
                v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  if (upload.ByteSizeLong() > limits::kUploadBytes) {
    return Fail(errors::MessageTooLarge("an upload", limits::kUploadBytes), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  for (const v1::UploadedEvent& event : upload.events()) {
    if (event.event_id().empty() || event.event_id().size() > limits::kEventIdBytes) {
      return Fail(errors::InvalidArgument("upload.events.event_id", absl::StrCat("has ", event.event_id().size(),
                                                                                 " bytes; give each event a UUID")),
                  v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
    }
  }
  uploads_.push_back(std::move(upload));
  if (uploads_.size() == 1) actions_.push_back(TakeEventsAction{uploads_.front()});
}

void Session::On(EventsTakenEvent event) {
  if (phase_ != Phase::kRunning) return;
  if (!event.result.ok()) return Fail(event.result.status(), v1::SYNC_OUTCOME_SERVER_FAILED);
  OnEvents(*event.result);
  uploads_.pop_front();
  if (!uploads_.empty()) actions_.push_back(TakeEventsAction{uploads_.front()});
  v1::SyncResponse response;
  *response.mutable_upload_result() = *std::move(event.result);
  outbox_.push_back(std::move(response));
  Continue();
}

bool Session::IsReadingHeld() const { return uploads_.size() + outbox_.size() >= limits::kUploadsInFlight; }

void Session::OnEvents(const v1::UploadResult& result) {
  store::SyncRow& sync = rows_->sync();
  for (int i = 0; i < result.results_size(); ++i) {
    const v1::EventOutcome outcome = result.results(i).outcome();
    if (outcome == v1::EVENT_OUTCOME_ACCEPTED) sync.set_events_accepted(sync.events_accepted() + 1);
    if (outcome == v1::EVENT_OUTCOME_FOR_REVIEW) sync.set_events_for_review(sync.events_for_review() + 1);
  }
  const uint64_t count = static_cast<uint64_t>(result.results_size());
  sync.set_events_received(sync.events_received() + count);
  events_settled_ += count;
  rows_changed_ = true;
}

// ---- The download

void Session::On(BatchReadEvent event) {
  reading_batch_ = false;
  if (phase_ == Phase::kFirstBatch) {
    if (!failure_.has_value() && event.batch.ok()) return OnFirstBatch(*std::move(event.batch));
    if (!failure_.has_value()) {
      outcome_ = v1::SYNC_OUTCOME_SERVER_FAILED;
      failure_ = base::Named(event.batch.status());
    }
    return RecordUnbegunEnd();
  }
  if (phase_ != Phase::kRunning) return;
  if (!event.batch.ok()) return Fail(base::Named(event.batch.status()), v1::SYNC_OUTCOME_SERVER_FAILED);
  if (!event.batch->permitted) {
    return Fail(errors::CarerNotAUser(identity_.carer.ToString()), v1::SYNC_OUTCOME_REFUSED);
  }
  if (event.batch->feed.horizon_passed) {
    BeginCopyAnew(event.batch->head.revision, v1::REBUILD_REASON_EXPIRED);
    return Continue();
  }
  v1::SyncResponse response;
  AddBatch(*std::move(event.batch), response);
  if (response.has_changes() || response.has_caught_up()) outbox_.push_back(std::move(response));
  Continue();
}

void Session::BeginCopyAnew(base::Revision began, v1::RebuildReason reason) {
  rebuild_number_ = std::max(rebuild_number_, rows_->copy().rebuild_number()) + 1;
  from_ = {feed::Position(), began};
  announce_rebuild_ = reason;
  records_done_ = 0;
  records_total_ = facts_->summary.count;
  rows_->copy().set_rebuild_number(rebuild_number_);
  rows_->sync().set_rebuild_reason(reason);
  rows_changed_ = true;
}

void Session::AddBatch(DownloadBatch batch, v1::SyncResponse& response) {
  from_.after = batch.feed.end;
  const bool has_changes = batch.changes.upserts_size() > 0 || batch.changes.removals_size() > 0;
  if (announce_rebuild_.has_value() && (has_changes || batch.feed.nothing_left)) {
    response.mutable_rebuild()->set_reason(*announce_rebuild_);
    response.mutable_rebuild()->set_rebuild_number(rebuild_number_);
    announce_rebuild_.reset();
  }
  if (has_changes) {
    const uint64_t upserts = static_cast<uint64_t>(batch.changes.upserts_size());
    const uint64_t removals = static_cast<uint64_t>(batch.changes.removals_size());
    records_done_ += upserts + removals;
    records_total_ = std::max(records_total_, records_done_);
    const ResumeToken token = TokenAt(batch.head, from_.after);
    v1::Changes& changes = *response.mutable_changes();
    changes = std::move(batch.changes);
    changes.set_resume_token(SealToken(sealer_, identity_.tenant, token));
    if (from_.rebuild_began.has_value()) changes.set_rebuild_number(rebuild_number_);
    changes.set_records_done(records_done_);
    changes.set_records_total(records_total_);
    issued_.push_back({token, std::nullopt});
    store::SyncRow& sync = rows_->sync();
    sync.set_stage(v1::SYNC_STAGE_DOWNLOADING);
    sync.set_upserts_sent(sync.upserts_sent() + upserts);
    sync.set_removals_sent(sync.removals_sent() + removals);
    sync.set_bytes_sent(sync.bytes_sent() + changes.ByteSizeLong());
    rows_changed_ = true;
  }
  if (batch.feed.nothing_left) AddCaughtUp(batch, response);
}

void Session::AddCaughtUp(const DownloadBatch& batch, v1::SyncResponse& response) {
  v1::CaughtUp* caught_up = response.mutable_caught_up();
  if (from_.rebuild_began.has_value()) caught_up->set_rebuild_number(rebuild_number_);
  from_ = {feed::Position::EndOf(batch.head.revision), std::nullopt};
  const ResumeToken token = TokenAt(batch.head, from_.after);
  caught_up->set_revision(batch.head.revision);
  caught_up->set_resume_token(SealToken(sealer_, identity_.tenant, token));
  caught_up->mutable_holds()->set_count(batch.feed.summary.count);
  caught_up->mutable_holds()->set_sum(batch.feed.summary.sum);
  issued_.push_back({token, caught_up->holds()});
  caught_up_sent_ = true;
  rows_->sync().set_stage(v1::SYNC_STAGE_CONFIRMING);
  rows_->sync().set_end_revision(batch.head.revision);
  rows_changed_ = true;
}

ResumeToken Session::TokenAt(const base::CommitPoint& head, const feed::Position& position) const {
  return {identity_.device, identity_.carer, start_.data_level(), head, position, rebuild_number_, from_.rebuild_began};
}

void Session::SetCursor(const ResumeToken& token) {
  store::DeviceCopy& copy = rows_->copy();
  copy.set_timeline(token.cursor.timeline);
  copy.set_revision(token.cursor.revision);
  copy.set_position_revision(token.position.revision);
  copy.set_position_record(token.position.record.bytes);
  copy.set_in_use_number(token.rebuild_number);
  rows_changed_ = true;
}

// ---- Acks

void Session::OnAck(const v1::Ack& ack) {
  const absl::StatusOr<ResumeToken> token = OpenToken(sealer_, identity_.tenant, ack.resume_token());
  if (!token.ok()) return Fail(token.status(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  if (token->device != identity_.device || token->carer != identity_.carer) {
    return Fail(errors::TokenOfAnotherCopy(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  const auto issued = std::find_if(issued_.begin(), issued_.end(), [&](const Issued& i) { return i.token == *token; });
  if (issued == issued_.end()) {
    if (PlaceOf(*token) <= acknowledged_) return;
    return Fail(errors::AckNeverIssued(), v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  const std::optional<v1::CopySum> caught_up = issued->caught_up;
  issued_.erase(issued_.begin(), issued + 1);
  if (caught_up.has_value()) return OnCaughtUpAck(*token, *caught_up, ack);
  acknowledged_ = PlaceOf(*token);
  // While a copy is made, nothing of it counts as delivered.
  if (!token->rebuild_began.has_value()) SetCursor(*token);
}

void Session::OnCaughtUpAck(const ResumeToken& token, const v1::CopySum& caught_up, const v1::Ack& ack) {
  if (!ack.has_holds()) {
    return Fail(
        errors::InvalidArgument("ack.holds", "is missing; the ack of `caught_up` carries the copy's count and sum"),
        v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
  }
  if (ack.holds().count() != caught_up.count() || ack.holds().sum() != caught_up.sum()) {
    // The rebuild that made it, if it was one, is finished all the same: the device shows this copy.
    rows_->copy().set_in_use_number(token.rebuild_number);
    rows_->copy().set_diverged(true);
    return Fail(errors::CopyDiverged(), v1::SYNC_OUTCOME_DIVERGED);
  }
  acknowledged_ = PlaceOf(token);
  SetCursor(token);
  success_ = Success::kConfirmed;
}

// ---- Going on

void Session::Continue() {
  if (phase_ != Phase::kRunning) return;
  if (success_ == Success::kConfirmed && uploads_.empty() && !writing_rows_) {
    rows_->MarkSuccess(now_);
    success_ = Success::kBeingRecorded;
    WriteRows(Durability::kDurable);
  } else if (rows_changed_ && !writing_rows_ && success_ == Success::kNotYet) {
    WriteRows(Durability::kBuffered);
  }
  if (!sending_ && !outbox_.empty()) {
    sending_ = true;
    actions_.push_back(SendAction{std::move(outbox_.front())});
    outbox_.pop_front();
    actions_.push_back(SetTimerAction{SessionTimer::kWrite, limits::kWriteDeadline});
    return;
  }
  if (sending_) return;
  if (success_ == Success::kRecorded) return End(absl::OkStatus());
  if (next_message_held_ && !IsReadingHeld()) {
    next_message_held_ = false;
    actions_.push_back(ReadNextAction{});
  }
  const bool events_taken = uploads_.empty() && events_settled_ >= start_.unsent_events();
  if (refusal_.has_value() && events_taken) return Fail(*refusal_, v1::SYNC_OUTCOME_REFUSED);
  if (half_closed_ && !AtWork()) actions_.push_back(SetTimerAction{SessionTimer::kSilence, limits::kHalfCloseGrace});
  if (half_closed_ || !MayReadBatch()) return;
  reading_batch_ = true;
  actions_.push_back(ReadBatchAction{from_});
}

bool Session::AtWork() const { return sending_ || reading_batch_ || !uploads_.empty() || success_ != Success::kNotYet; }

bool Session::MayReadBatch() const {
  return !caught_up_sent_ && !reading_batch_ && uploads_.empty() && events_settled_ >= start_.unsent_events() &&
         issued_.size() < limits::kUnacknowledgedBatches;
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
      success_ = Success::kRecorded;
      outcome_ = v1::SYNC_OUTCOME_SUCCEEDED;
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
    success_ = Success::kRecorded;
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
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, limits::kDeviceSilence});
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
  if (!taken_over) return Fail(std::move(event.status), v1::SYNC_OUTCOME_INTERRUPTED);
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
      if (phase_ != Phase::kRunning) return;
      if (!AtWork() && half_closed_) return Fail(errors::LeftUnfinished(), v1::SYNC_OUTCOME_LEFT_UNFINISHED);
      if (!AtWork()) return Fail(errors::DeviceSilent(), v1::SYNC_OUTCOME_INTERRUPTED);
      actions_.push_back(SetTimerAction{SessionTimer::kSilence, limits::kDeviceSilence});
      return;
    case SessionTimer::kWrite:
      if (sending_) Fail(errors::DeviceNotReading(), v1::SYNC_OUTCOME_INTERRUPTED, true);
      return;
  }
}

// ---- The end

void Session::Fail(absl::Status status, v1::SyncOutcome outcome, bool abandon) {
  abandon_ = abandon_ || abandon;
  if (failure_.has_value()) return;
  // What is recorded is recorded, whether or not the device hears of it.
  if (success_ == Success::kRecorded) return End(std::move(status));
  failure_ = std::move(status);
  outcome_ = outcome;
  switch (phase_) {
    case Phase::kAwaitingStart:
      phase_ = Phase::kLoading;
      actions_.push_back(LoadAction{std::nullopt});
      return;
    case Phase::kLoading:
    case Phase::kFirstBatch:
    case Phase::kBeginning:
      return;  // Recorded when what is under way is done.
    case Phase::kRunning:
      phase_ = Phase::kEnding;
      if (!writing_rows_) WriteLastRows();
      return;
    case Phase::kEnding:
    case Phase::kEnded:
      return;
  }
}

void Session::RecordUnbegunEnd() {
  phase_ = Phase::kEnding;
  const bool device_known = facts_->rows.rows.device.has_value();
  const bool is_sync = start_.sync_type() != v1::SYNC_TYPE_UNSPECIFIED && v1::SyncType_IsValid(start_.sync_type());
  // An attempt that was refused does not disturb another session of the device.
  const bool may_write = entered_ || !another_open_;
  if (is_sync && may_write && (device_known || facts_->carer_branch_id.has_value())) {
    // What the device says of itself was not checked, or not believed: only the kind of sync is recorded.
    v1::Start refused;
    refused.set_sync_type(start_.sync_type());
    if (v1::InterruptionCause_IsValid(start_.last_interruption())) {
      refused.set_last_interruption(start_.last_interruption());
    }
    if (start_.has_earliest_next_sync()) *refused.mutable_earliest_next_sync() = start_.earliest_next_sync();
    MakeRows(refused);
    rows_->MarkEnd(outcome_, base::Reason(*failure_), now_);
    writing_rows_ = true;
    actions_.push_back(WriteRowsAction{rows_->Begin(Durability::kBuffered)});
    return;
  }
  if (!device_known) return End(*failure_);
  WriteRefusedCall();
}

void Session::WriteRefusedCall() {
  rows_.reset();
  storage::Commit commit;
  commit.durability = Durability::kBuffered;
  commit.writes.push_back(devices::RefusedCallRow(identity_.tenant, identity_.device, now_, base::Reason(*failure_)));
  writing_rows_ = true;
  actions_.push_back(WriteRowsAction{std::move(commit)});
}

void Session::WriteLastRows() {
  if (success_ == Success::kConfirmed && uploads_.empty()) {
    // The device has confirmed; that it will not hear of it changes nothing.
    rows_->MarkSuccess(now_);
    success_ = Success::kBeingRecorded;
    return WriteRows(Durability::kDurable);
  }
  rows_->MarkEnd(outcome_, base::Reason(*failure_), now_);
  // That a copy is wrong must not be forgotten.
  WriteRows(outcome_ == v1::SYNC_OUTCOME_DIVERGED ? Durability::kDurable : Durability::kBuffered);
}

void Session::EndUnrecorded(absl::Status status) {
  outcome_ = v1::SYNC_OUTCOME_SERVER_FAILED;
  End(std::move(status));
}

void Session::End(absl::Status status) {
  phase_ = Phase::kEnded;
  if (success_ == Success::kRecorded) outcome_ = v1::SYNC_OUTCOME_SUCCEEDED;
  actions_.push_back(SetTimerAction{SessionTimer::kStart, std::nullopt});
  actions_.push_back(SetTimerAction{SessionTimer::kSilence, std::nullopt});
  actions_.push_back(SetTimerAction{SessionTimer::kWrite, std::nullopt});
  actions_.push_back(EndAction{std::move(status), abandon_});
}

}  // namespace caresync::sync

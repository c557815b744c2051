#include "server/sync/session.h"

#include <utility>
#include <variant>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/sync/policy.h"

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

// ---- Going on

void Session::Continue() {
  if (phase_ != Phase::kRunning) return;
  if (success_ == Success::kConfirmed && uploads_.empty() && !writing_rows_) {
    MarkSuccess();
    actions_.push_back(ReadManualDueAction{rows_->ManualSyncCountsFrom()});
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
  writing_dropped_ = std::exchange(dropped_, {});
  std::set<base::Uuid> less_of = std::exchange(less_of_, {});
  // What is waited for again would be found settled, were it forgotten that the device holds less.
  if (!less_of.empty()) durability = Durability::kDurable;
  actions_.push_back(WriteRowsAction{CommitOf(&devices::SessionRows::Update, durability), std::move(less_of)});
}

void Session::On(RowsWrittenEvent event) {
  // Before what the event leads to, which may write again.
  const bool with_marks = news_.marks_on_their_way();
  std::vector<SessionAction> follow_ups = news_.TakeFollowUps();
  // An unknown one may have taken effect.
  const bool written = event.not_begun.ok() && (event.result.outcome == CommitOutcome::kCommitted ||
                                                event.result.outcome == CommitOutcome::kUnknown);
  // Before anything that is written next takes its place.
  if (event.not_begun.ok() && event.result.outcome == CommitOutcome::kCommitted) RecordDropped();
  OnRowsWritten(event, with_marks);
  if (!written) return;
  // Behind all that the device waits for.
  for (SessionAction& action : follow_ups) actions_.push_back(std::move(action));
}

void Session::OnRowsWritten(const RowsWrittenEvent& event, bool with_marks) {
  writing_rows_ = false;
  if (phase_ == Phase::kBeginning) return OnBegun(event);
  const storage::CommitResult& result = event.result;
  if (phase_ == Phase::kEnding) {
    if (!event.not_begun.ok()) return End(*failure_);
    if (success_ == Success::kBeingRecorded && result.outcome == CommitOutcome::kCommitted) {
      OnRecorded();
      return End(*failure_);
    }
    if (!rows_.has_value()) return End(*failure_);
    // Where marks may be lost, the rows would say without them what the device holds.
    const bool may_write = result.outcome == CommitOutcome::kCommitted || !with_marks;
    if (may_write && rows_->sync().outcome() == v1::SYNC_OUTCOME_UNDER_WAY) return WriteLastRows();
    // Another session wrote the device's rows meanwhile: the call alone is recorded.
    if (result.outcome == CommitOutcome::kConflict) return WriteRefusedCall();
    return End(*failure_);
  }
  if (!event.not_begun.ok()) return EndUnrecorded(event.not_begun);
  switch (result.outcome) {
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
      return EndUnrecorded(errors::StoreUnavailable(result.detail));
  }
  if (success_ == Success::kBeingRecorded) {
    OnRecorded();
    v1::SyncResponse response;
    *response.mutable_sync_recorded() = RecordedNow();
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

// How a session ends: what is still recorded, and of what.
#include "server/base/errors.h"
#include "server/sync/session.h"

namespace caresync::sync {

namespace errors = base::errors;
using storage::Durability;

void Session::Fail(absl::Status status, v1::SyncOutcome outcome, bool abandon) {
  abandon_ = abandon_ || abandon;
  if (failure_.has_value()) return;
  // What is recorded is recorded, whether or not the device hears of it.
  if (IsIdle()) return End(std::move(status));
  failure_ = std::move(status);
  outcome_ = outcome;
  switch (phase_) {
    case Phase::kAwaitingStart:
      phase_ = Phase::kLoading;
      actions_.push_back(LoadAction{});
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
    // What the device says of itself was not checked, or not believed: beside what its token proves only the kind of
    // sync is recorded, and of an app that is too old its version, so that the report says so.
    v1::Start refused;
    refused.set_sync_type(start_.sync_type());
    // Below whichever least version: that may have risen since the start was judged first.
    if (base::Reason(*failure_) == base::Reason(errors::AppTooOld(""))) {
      refused.set_app_version(start_.app_version());
    }
    if (v1::InterruptionCause_IsValid(start_.last_interruption())) {
      refused.set_last_interruption(start_.last_interruption());
    }
    if (start_.has_earliest_next_sync()) *refused.mutable_earliest_next_sync() = start_.earliest_next_sync();
    MakeRows(refused);
    NoteHeld();
    rows_->MarkEnd(outcome_, base::Reason(*failure_), now_);
    writing_rows_ = true;
    storage::Commit commit = CommitOf(&devices::SessionRows::Begin, Durability::kBuffered);
    actions_.push_back(WriteRowsAction{std::move(commit), LessByStart()});
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
    MarkSuccess();
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

void Session::ForgetUnsent() {
  outbox_.clear();
  store::SyncRow& sync = rows_->sync();
  sync.set_stage(v1::SYNC_STAGE_STARTED);
  sync.set_upserts_sent(0);
  sync.set_removals_sent(0);
  sync.set_bytes_sent(0);
  sync.set_end_revision(0);
}

void Session::EndSaying(v1::SyncResponse last) {
  phase_ = Phase::kEnded;
  outcome_ = v1::SYNC_OUTCOME_SUCCEEDED;
  actions_.push_back(EndAction{absl::OkStatus(), false, std::move(last)});
}

void Session::End(absl::Status status) {
  phase_ = Phase::kEnded;
  if (IsIdle()) outcome_ = v1::SYNC_OUTCOME_SUCCEEDED;
  SayGoodbye();
  actions_.push_back(EndAction{std::move(status), abandon_});
}

}  // namespace caresync::sync

// What a session does about a restore of the store.
#include "server/sync/restore_wait.h"
#include "server/sync/session.h"

namespace caresync::sync {

bool Session::AwaitsResend() const {
  const bool events_taken = uploads_.empty() && events_settled_ >= start_.unsent_events();
  return refusal_.has_value() && events_taken && !half_closed_ && rows_.has_value() && rows_->resend_wanted();
}

bool Session::AwaitsCarer() const { return HasOwnToken() && !CheckWait(identity_, start_token_, *facts_, now_).ok(); }

void Session::NoteLostEvents() {
  // A cursor can be known, or there can be none, though events were lost: a sync that was cut between its uploads and
  // its download left nothing that tells of them. So everybody is asked once, phones that seem to be new among them.
  if (facts_->rows.last_began < facts_->restore.losses_noted) rows_->WantResendOfAll();
  if (UploadsMayBeLost()) rows_->WantResend();
  // Another copy's token says nothing of this carer's events.
  if (HasOwnToken() && facts_->token_standing == commit::CursorStanding::kForeign) rows_->WantResend();
}

bool Session::UploadsMayBeLost() const {
  if (start_.uploads_token().empty()) return false;
  // One that cannot be read comes from nowhere that is known; one that is too old tells nothing any more.
  const bool own = start_uploads_token_.has_value() && start_uploads_token_->device == identity_.device &&
                   start_uploads_token_->carer == identity_.carer;
  return !own || facts_->uploads_standing != commit::CursorStanding::kKnown;
}

}  // namespace caresync::sync

// What a session takes in and gives out: events up, batches down, acks.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/sync/session.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;

// ---- The upload

void Session::OnUpload(v1::Upload upload) {
  const size_t count = static_cast<size_t>(upload.events_size());
  if (count == 0 && !upload.resend_complete()) {
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
  if (uploads_.front().resend_complete()) rows_->ResendComplete();
  uploads_.pop_front();
  if (!uploads_.empty()) actions_.push_back(TakeEventsAction{uploads_.front()});
  v1::SyncResponse response;
  *response.mutable_upload_result() = *std::move(event.result);
  // Until the device has sent again what its old token shows as lost, that token is to go on telling.
  if (!UploadsMayBeLost() || !rows_->resend_wanted()) {
    response.mutable_upload_result()->set_uploads_token(
        SealUploadsToken(sealer_, identity_.tenant, {identity_.device, identity_.carer, event.head}));
  }
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

// Of a whole copy, what the feed's head says; of a delta, what its first batch holds, where that is read by now.
void Session::Estimate(const DownloadBatch* first_batch, v1::Started& started) const {
  if (plan_.rebuild_began.has_value()) {
    const feed::Totals whole = facts_->summary.Through(start_.data_level());
    started.set_estimated_records(whole.count);
    started.set_estimated_bytes(whole.payload_bytes);
    return;
  }
  if (first_batch == nullptr) return;
  uint64_t bytes = 0;
  for (const feed::Entry& entry : first_batch->feed.entries) bytes += entry.payload_bytes;
  started.set_estimated_records(first_batch->feed.entries.size());
  started.set_estimated_bytes(bytes);
}

void Session::Queue(v1::SyncResponse response) {
  if (response.ByteSizeLong() > 0) outbox_.push_back(std::move(response));
}

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
  if (!event.batch->refusal.ok()) return Fail(event.batch->refusal, v1::SYNC_OUTCOME_REFUSED);
  // The carer may have the copy again by now, but the device has dropped what a delta would change.
  if (own_drop_told_) return Fail(errors::CarerNotAUser(identity_.carer.ToString()), v1::SYNC_OUTCOME_REFUSED);
  if (event.batch->must_wait) return WaitForFanOuts();
  EndWaiting();
  // A follower that has left gets no further round.
  if (IsIdle() && half_closed_) return Continue();
  if (event.batch->feed.horizon_passed && !base::HasPlantedBug(base::PlantedBug::kHorizonAtStartOnly)) {
    if (IsIdle()) BeginRound();
    BeginCopyAnew(*event.batch);
    return Continue();
  }
  TakeReading(*event.batch);
  if (IsIdle()) {
    if (event.batch->changes.upserts_size() == 0 && event.batch->changes.removals_size() == 0) {
      from_.after = event.batch->feed.end;
      return Continue();
    }
    BeginRound();
  }
  v1::SyncResponse response;
  AddBatch(*std::move(event.batch), response);
  Queue(std::move(response));
  Continue();
}

void Session::BeginCopyAnew(const DownloadBatch& batch) {
  rebuild_number_ = std::max(rebuild_number_, rows_->copy().rebuild_number()) + 1;
  from_ = {feed::Position(), batch.head.revision, start_.data_level()};
  more_left_ = true;
  // Of a copy that the device was not told of the reason stands.
  announce_rebuild_ = announce_rebuild_.value_or(v1::REBUILD_REASON_EXPIRED);
  cursor_lags_ = true;
  records_done_ = 0;
  records_total_ = batch.feed.summary.count;
  rows_->copy().set_rebuild_number(rebuild_number_);
  rows_->sync().set_rebuild_reason(*announce_rebuild_);
  rows_changed_ = true;
}

void Session::AddRebuild(v1::SyncResponse& response) {
  if (!announce_rebuild_.has_value()) return;
  response.mutable_rebuild()->set_reason(*announce_rebuild_);
  response.mutable_rebuild()->set_rebuild_number(rebuild_number_);
  announce_rebuild_.reset();
}

void Session::SendNextVisits(const base::CommitPoint& head, v1::Changes next_visits, v1::SyncResponse response) {
  AddRebuild(response);
  *response.mutable_changes() = std::move(next_visits);
  Issue(head, *response.mutable_changes());
  Queue(std::move(response));
}

void Session::Issue(const base::CommitPoint& head, v1::Changes& changes) {
  const ResumeToken token = TokenAt(head, from_.after);
  changes.set_resume_token(SealToken(sealer_, identity_.tenant, token));
  if (from_.rebuild_began.has_value()) changes.set_rebuild_number(rebuild_number_);
  issued_.push_back({.token = token, .caught_up = std::nullopt, .sent = now_});
  store::SyncRow& sync = rows_->sync();
  sync.set_stage(v1::SYNC_STAGE_DOWNLOADING);
  sync.set_bytes_sent(sync.bytes_sent() + changes.ByteSizeLong());
  rows_changed_ = true;
}

void Session::AddBatch(DownloadBatch batch, v1::SyncResponse& response) {
  if (batch.next_visits.has_value()) {
    SendNextVisits(batch.head, *std::move(batch.next_visits), std::exchange(response, {}));
  }
  from_.after = batch.feed.end;
  if (base::HasPlantedBug(base::PlantedBug::kPositionWithoutRecordKey)) {
    from_.after = feed::Position::EndOf(from_.after.revision);
  }
  const bool has_changes = batch.changes.upserts_size() > 0 || batch.changes.removals_size() > 0;
  if (has_changes || batch.feed.nothing_left) AddRebuild(response);
  if (has_changes) {
    cursor_lags_ = true;
    const uint64_t upserts = static_cast<uint64_t>(batch.changes.upserts_size());
    const uint64_t removals = static_cast<uint64_t>(batch.changes.removals_size());
    records_done_ += upserts + removals;
    records_total_ = std::max(records_total_, records_done_);
    v1::Changes& changes = *response.mutable_changes();
    changes = std::move(batch.changes);
    changes.set_records_done(records_done_);
    changes.set_records_total(records_total_);
    Issue(batch.head, changes);
    issued_.back().rota_changes = std::move(batch.rota_changes);
    store::SyncRow& sync = rows_->sync();
    sync.set_upserts_sent(sync.upserts_sent() + upserts);
    sync.set_removals_sent(sync.removals_sent() + removals);
  }
  if (batch.feed.nothing_left) AddCaughtUp(batch, response);
}

void Session::AddCaughtUp(const DownloadBatch& batch, v1::SyncResponse& response) {
  v1::CaughtUp* caught_up = response.mutable_caught_up();
  if (from_.rebuild_began.has_value()) caught_up->set_rebuild_number(rebuild_number_);
  from_ = {feed::Position::EndOf(batch.head.revision), std::nullopt, start_.data_level()};
  const ResumeToken token = TokenAt(batch.head, from_.after);
  caught_up->set_revision(batch.head.revision);
  caught_up->set_resume_token(SealToken(sealer_, identity_.tenant, token));
  caught_up->mutable_holds()->set_count(batch.feed.summary.count);
  caught_up->mutable_holds()->set_sum(batch.feed.summary.sum);
  issued_.push_back({.token = token, .caught_up = caught_up->holds(), .sent = now_});
  caught_up_sent_ = true;
  holds_nothing_ = false;
  rows_->sync().set_stage(v1::SYNC_STAGE_CONFIRMING);
  rows_->sync().set_end_revision(batch.head.revision);
  rows_changed_ = true;
}

ResumeToken Session::TokenAt(const base::CommitPoint& head, const feed::Position& position) const {
  ResumeToken token{identity_.device, identity_.carer, start_.data_level(), head,
                    position,         rebuild_number_, from_.rebuild_began};
  if (base::HasPlantedBug(base::PlantedBug::kCursorOfPosition)) token.cursor.revision = position.revision;
  return token;
}

void Session::SetCursor(const ResumeToken& token, absl::Time sent) {
  if (!token.cursor.timeline.empty()) MarkHeld(token, sent);
  store::DeviceCopy& copy = rows_->copy();
  copy.set_timeline(token.cursor.timeline);
  copy.set_revision(token.cursor.revision);
  copy.set_position_revision(token.position.revision);
  copy.set_position_record(token.position.record.bytes);
  copy.set_in_use_number(token.rebuild_number);
  rows_changed_ = true;
  if (cursor_lags_ && !token.cursor.timeline.empty()) news_.AddCarer(identity_.carer);
}

// ---- Acks

void Session::OnAck(const v1::Ack& ack) {
  OnDropped(ack);
  if (ack.resume_token().empty() && ack.dropped_carer_ids_size() > 0) return;
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
  // What came before it is acknowledged with it.
  std::vector<mismatch::RotaChange> applied;
  for (auto batch = issued_.begin(); batch != issued + 1; ++batch) {
    applied.insert(applied.end(), batch->rota_changes.begin(), batch->rota_changes.end());
  }
  const absl::Time sent = issued_.front().sent;
  issued_.erase(issued_.begin(), issued + 1);
  // What made a wrong copy is not applied.
  if (caught_up.has_value() && !ConfirmCopy(*token, *caught_up, ack, sent)) return;
  news_.AddApplied(applied);
  if (caught_up.has_value()) return;
  acknowledged_ = PlaceOf(*token);
  // While a copy is made, nothing of it counts as delivered.
  const bool counts = !token->rebuild_began.has_value() || base::HasPlantedBug(base::PlantedBug::kRebuildAckCounts);
  if (counts) SetCursor(*token, sent);
}

bool Session::ConfirmCopy(const ResumeToken& token, const v1::CopySum& caught_up, const v1::Ack& ack, absl::Time sent) {
  if (!ack.has_holds()) {
    Fail(errors::InvalidArgument("ack.holds", "is missing; the ack of `caught_up` carries the copy's count and sum"),
         v1::SYNC_OUTCOME_BROKEN_PROTOCOL);
    return false;
  }
  if (ack.holds().count() != caught_up.count() || ack.holds().sum() != caught_up.sum()) {
    MarkNotKnown();
    // The rebuild that made it, if it was one, is finished all the same: the device shows this copy.
    rows_->copy().set_in_use_number(token.rebuild_number);
    rows_->copy().set_diverged(true);
    // What its batches settled was applied to a wrong copy.
    less_of_.insert(identity_.carer);
    Fail(errors::CopyDiverged(), v1::SYNC_OUTCOME_DIVERGED);
    return false;
  }
  acknowledged_ = PlaceOf(token);
  success_ = Success::kConfirmed;
  SetCursor(token, sent);
  cursor_lags_ = false;
  return true;
}

}  // namespace caresync::sync

// One sync as a state machine: events in, actions out (session_events.h); no I/O, no clock, no thread of its own.
//
// The way of a sync: `start` is checked and recorded; declared events are taken; the feed is read batch by batch, each
// batch sent, then acknowledged; `caught_up` closes the copy; the device's ack of it, with the right count and sum, is
// recorded as the sync's success; `sync_recorded` tells it. Where a token shows that the device is caught up and it has
// nothing to upload, the start itself is that ack: one message each way.
//
// A phone that holds nothing gets its carer's next visits before the first batch of the copy, in a message of their
// own. Its token is that of the copy's beginning: the batches then bring everything, those visits too.
//
// A follower's stream goes on after that in rounds, each of which is the same again from where the last one ended: it
// begins when the feed has moved, or when the interval since the last success is over, and ends with the next
// `sync_recorded`. Between rounds nothing is outstanding, and the device may be silent for as long as it likes.
//
// While a fan-out concerns the carer, nothing is read: the session waits to be told that it is through.
//
// Where a copy is to be made and the server has no room for that, the download is refused; events are taken all the
// same.
//
// Not thread-safe. Broken protocol, refusals, silence, cuts and failures of the store each end it by name, recorded in
// the history.
#ifndef CARESYNC_SERVER_SYNC_SESSION_H_
#define CARESYNC_SERVER_SYNC_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/delivery.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/base/uuid.h"
#include "server/devices/session_rows.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/integration_lag.h"
#include "server/sync/copy_news.h"
#include "server/sync/download.h"
#include "server/sync/resume_token.h"
#include "server/sync/session_events.h"
#include "server/sync/start_check.h"
#include "storage/store.h"

namespace caresync::sync {

class Session {
 public:
  // `opening` is that of the store (its timeline). `most_take_overs`: see SyncParts. `sealer` must outlive the session.
  Session(SessionIdentity identity, std::string session_id, std::string opening, const base::TokenSealer& sealer,
          size_t most_take_overs = base::limits::kTakeOversInAnHour);

  // What is to be done next, in this order. After an EndAction every event is ignored.
  std::vector<SessionAction> Handle(SessionEvent event, absl::Time now);

  const SessionIdentity& identity() const { return identity_; }
  const std::string& session_id() const { return session_id_; }
  bool ended() const { return phase_ == Phase::kEnded; }
  // How the sync ended, for the log; meaningful when ended.
  v1::SyncOutcome outcome() const { return outcome_; }

 private:
  enum class Phase {
    kAwaitingStart,
    kLoading,
    kFirstBatch,  // Nothing to upload: the first batch is read before anything is recorded, since it may end the sync
                  // at once.
    kBeginning,   // The first commit is under way.
    kRunning,
    kEnding,  // The last commit is under way, or waited for.
    kEnded,
  };
  // How acks are ordered: by rebuild number, then position.
  using Place = std::pair<uint64_t, feed::Position>;
  static Place PlaceOf(const ResumeToken& token) { return {token.rebuild_number, token.position}; }
  // A batch or `caught_up` that was sent and is not acknowledged.
  struct Issued {
    ResumeToken token;
    // Set for a `caught_up`.
    std::optional<v1::CopySum> caught_up;
    // As of DownloadBatch.
    std::vector<mismatch::RotaChange> rota_changes = {};
    absl::Time sent = absl::InfinitePast();
  };

  void On(OpenedEvent event);
  void On(MessageEvent event);
  void On(HalfClosedEvent event);
  void On(SentEvent event);
  void On(CancelledEvent event);
  void On(BadMessageEvent event);
  void On(StopEvent event);
  void On(LoadedEvent event);
  void On(BatchReadEvent event);
  void On(RowsWrittenEvent event);
  void On(EventsTakenEvent event);
  void On(MovedEvent event);
  void On(FanOutsMovedEvent event);
  void On(NoticeEvent event);
  void On(TenantReadEvent event);
  void On(DropsRecordedEvent event);
  void On(ManualDueReadEvent event);
  void On(TimerEvent event);

  // The start, up to what begins (session_start.cc).
  void OnFirstMessage(v1::SyncRequest request);
  // Refuses the download where the plan is a copy that the server has no room for.
  void CheckRoom();
  // Begins a sync in which nothing is downloaded, for what the device has to say.
  void BeginRefused();
  // Ends a sync that had not begun.
  void Refuse(absl::Status status);
  // Something is to come from the device though it is refused: events, or that it dropped a copy.
  bool HasToSay();
  void OnFirstBatch(DownloadBatch batch);
  // The carer, where the device may hold less by the first commit than was known: another one is in use, or its copy
  // falls back. Else nobody.
  std::set<base::Uuid> LessByStart() const;
  // `start` has a token of this device's copy of this carer.
  bool HasOwnToken() const;
  // The rows of this session, from what was loaded.
  void MakeRows(const v1::Start& start);
  // The session that this one ends hears no more of what it wrote last: what that settled is looked at by this one.
  void AddCarersOfCopies();
  // Takes the plan up in them, in the device's copy: the token in `start` replaces what is recorded, downwards too.
  void PrepareRows();
  // The same of a sync in which nothing is downloaded: what the token in `start` proves is recorded where the device
  // may hold the copy, downwards too; what it does not prove stays as it was.
  void NoteHeld();
  void WriteBegin(storage::Durability durability);
  void FinishAtOnce(const DownloadBatch& batch);
  void OnBegun(const RowsWrittenEvent& event);
  // `first_batch`: of a delta, where it goes with it.
  v1::SyncResponse StartedResponse(const DownloadBatch* first_batch);
  v1::Policy PolicyNow() const;

  // Events up, batches down, acks (session_transfer.cc).
  void OnUpload(v1::Upload upload);
  // So much is on its way that no further message is taken.
  bool IsReadingHeld() const;
  void OnEvents(const v1::UploadResult& result);
  void Estimate(const DownloadBatch* first_batch, v1::Started& started) const;
  // Puts it in the outbox, unless it says nothing.
  void Queue(v1::SyncResponse response);
  // Removals that the device has not got are forgotten.
  void BeginCopyAnew(const DownloadBatch& batch);
  // Announces the new copy, where one is to be.
  void AddRebuild(v1::SyncResponse& response);
  // Sends `response` with the next visits.
  void SendNextVisits(const base::CommitPoint& head, v1::Changes next_visits, v1::SyncResponse response);
  // The batch's own token and numbers, and that it is on its way.
  void Issue(const base::CommitPoint& head, v1::Changes& changes);
  // Adds the batch to `response`, and `caught_up` where it shows nothing left. Where the batch has next visits,
  // `response` leaves with them, and is begun anew.
  void AddBatch(DownloadBatch batch, v1::SyncResponse& response);
  void AddCaughtUp(const DownloadBatch& batch, v1::SyncResponse& response);
  // The token at `position` in the copy that is being read now.
  ResumeToken TokenAt(const base::CommitPoint& head, const feed::Position& position) const;
  // `sent`: when what the device holds by it was sent; InfinitePast: in an earlier sync.
  void SetCursor(const ResumeToken& token, absl::Time sent = absl::InfinitePast());
  // `with_marks`: what was written takes marks along.
  void OnRowsWritten(const RowsWrittenEvent& event, bool with_marks);
  void OnAck(const v1::Ack& ack);
  // The ack of a `caught_up`; `sent` as of SetCursor. False where the copy is not what the feed holds, which ends the
  // stream.
  bool ConfirmCopy(const ResumeToken& token, const v1::CopySum& caught_up, const v1::Ack& ack, absl::Time sent);

  // What the device says that it holds (session_marks.cc).
  // The device holds the copy up to `token`, by an ack or by its start. Before that is recorded. Where nothing lies
  // between that and what was recorded there is nothing to mark.
  void MarkHeld(const ResumeToken& token, absl::Time sent);
  // What that is: nullopt where it is nothing new.
  std::optional<store::CopyMark::Kind> KindOfHeld(const ResumeToken& token);
  // The start tells nothing of the copy in use, which is still recorded: the device holds none, or nobody knows what.
  void MarkNotHeld();
  void MarkNotKnown();
  void AddMark(const base::Uuid& carer, store::CopyMark::Kind kind, const ResumeToken& token, absl::Time sent);
  // The commit that rows_->Begin or rows_->Update makes. It takes along what was learnt so far.
  storage::Commit CommitOf(storage::Commit (devices::SessionRows::*make)(storage::Durability),
                           storage::Durability durability);

  // After a restore (session_restore.cc).
  // Nothing is downloaded, but the events that the device was asked for may still come.
  bool AwaitsResend() const;
  // The carer came after the backup that the store was put back to: known again once the rostering system has sent
  // that.
  bool AwaitsCarer() const;
  // Notes what the device is to send again.
  void NoteLostEvents();
  // Whether events of the device that had their result may be lost, as its uploads token shows.
  bool UploadsMayBeLost() const;

  // Copies that are to be dropped (session_drops.cc).
  // A refused device whose token shows that it holds the carer's copy is to drop it, whatever is known of that here.
  void NoteOwnCopy();
  void TellDrops(v1::Started& started);
  // It is refused, and has something to drop first.
  bool AwaitsDrops() const;
  void OnDropped(const v1::Ack& ack);
  // The device dropped the carer's copy: so its rows are to say.
  void ForgetDropped(const base::Uuid& carer);
  // The rows that said so are written.
  void RecordDropped();

  // Going on (session.cc).
  // Goes on with whatever can be done now: sends, records, reads on, or waits for the device.
  void Continue();
  // Sends what comes next, if anything does.
  bool SendNext();
  // Sends what is the last that there is to say together with the end of the stream, where nothing else is to come.
  bool SendLast();
  bool MayReadBatch() const;
  void ReadOn(const feed::ReadFrom& from);
  // Takes up how far a read came.
  void TakeReading(const DownloadBatch& batch);
  // Something is under way on this side: the device is not waited for.
  bool AtWork() const;
  // It is the device's turn: to ack, or to send the events that it declared.
  bool WaitsForDevice() const;
  // What was sent that asks for an answer and has none.
  size_t Unanswered() const;
  // So long the device may say nothing from now on (nullopt: however long).
  void AwaitDevice(std::optional<absl::Duration> silence);
  // The same from the first of such calls in a row on: what else happens meanwhile gives no more time.
  void AwaitDeviceBriefly(absl::Duration silence);
  void OnSilence();
  void WriteRows(storage::Durability durability);

  // Following (session_following.cc).
  bool follows() const { return start_.follow(); }
  // Everything sent is confirmed, and recorded.
  bool IsIdle() const { return success_ == Success::kRecorded; }
  void BeginRound();
  void MarkSuccess();
  // The success is durable.
  void OnRecorded();
  v1::SyncRecorded RecordedNow();
  void SetConfirmTimer();
  // So long before the credential's end.
  void SetCredentialTimer(absl::Duration early);
  void OnCredentialTimer();
  void WaitForFanOuts();
  void EndWaiting();
  // Tells the device, where that is possible, that the server goes away.
  void SayGoodbye();
  std::optional<v1::SyncResponse> NextNotice();

  // The end (session_ending.cc).
  // Ends the sync with `status`, recorded as `outcome` as soon as what is under way allows.
  void Fail(absl::Status status, v1::SyncOutcome outcome, bool abandon = false);
  // Records the end of a sync that had not begun; the call alone where it was none.
  void RecordUnbegunEnd();
  void WriteRefusedCall();
  void WriteLastRows();
  // The sync has failed before its first message left, of which its rows tell already.
  void ForgetUnsent();
  // The store does not take what there is to record.
  void EndUnrecorded(absl::Status status);
  void End(absl::Status status);
  // The sync is a success, and the device was told all but this.
  void EndSaying(v1::SyncResponse last);

  const SessionIdentity identity_;
  const std::string session_id_;
  const std::string opening_;
  const size_t most_take_overs_;
  const base::TokenSealer& sealer_;

  Phase phase_ = Phase::kAwaitingStart;
  absl::Time now_;
  std::vector<SessionAction> actions_;

  // What the sync began with.
  v1::Start start_;
  std::optional<ResumeToken> start_token_;
  std::optional<UploadsToken> start_uploads_token_;
  std::optional<StartFacts> facts_;
  StartPlan plan_;
  // Nothing may be downloaded, for this reason; declared events are taken first.
  std::optional<absl::Status> refusal_;
  // Of the token in `start`, whatever else is read.
  std::optional<absl::Status> token_refusal_;
  // The device waits after a restore: that is why it is refused.
  bool awaits_restore_ = false;
  // Carers whose copies it was told to drop and has not said that it did; those of whom it did, which the rows are to
  // say next, or say by what is written now; and what is not durable yet after that. Where the rows could not be
  // written it is told again, by a later session.
  std::set<std::string> drops_told_;
  std::vector<std::string> dropped_;
  std::vector<std::string> writing_dropped_;
  int recording_drops_ = 0;
  bool another_open_ = false;
  bool entered_ = false;
  int begin_tries_ = 0;

  // The download: where reading goes on, and what is on its way.
  feed::ReadFrom from_;
  uint64_t rebuild_number_ = 0;
  // A new copy is to be announced with the next message.
  std::optional<v1::RebuildReason> announce_rebuild_;
  // The device holds nothing of this carer, nor was told that it is caught up.
  bool holds_nothing_ = false;
  uint64_t records_done_ = 0;
  uint64_t records_total_ = 0;
  std::deque<Issued> issued_;
  // The last acknowledged, by (rebuild number, position).
  Place acknowledged_;
  bool caught_up_sent_ = false;
  // Changes of the copy wait, or nobody has looked yet: until the sync is recorded the next one is near.
  bool changes_wait_ = false;
  bool reading_batch_ = false;
  // The last read left something, or there was none, or a fresh `caught_up` is due.
  bool more_left_ = true;
  // Only a read that begins from now on shows whether the carer and the app may go on.
  bool permission_asked_ = false;
  // A notice has told the device to drop the copy that this session brings up to date.
  bool own_drop_told_ = false;
  // The head in the last read's snapshot, and how far the feed is known to have moved.
  base::Revision read_at_ = 0;
  base::Revision moved_to_ = 0;

  // Waiting for fan-outs, and subscribed to them: whether, and whether it is time to look again.
  bool waiting_ = false;
  bool look_again_ = false;

  // The upload. The first that are settled are those that `start` declared: what was asked for again comes behind them.
  uint64_t events_settled_ = 0;
  // The first is being taken: one at a time, so that a device's events keep their order.
  std::deque<v1::Upload> uploads_;
  bool next_message_held_ = false;

  // What the device is to be told: of each kind the last.
  struct {
    std::set<std::string> drop_now;
    bool preferences = false;
    // They are being read, to be told whatever they are.
    bool preferences_asked = false;
    bool sync_now = false;
    bool credentials_end = false;

    bool any() const { return !drop_now.empty() || preferences || sync_now || credentials_end; }
  } notices_;
  bool going_away_ = false;
  // The device is told of the session.
  bool begun_ = false;

  // As AwaitDeviceBriefly set it last.
  std::optional<absl::Duration> brief_silence_;

  // The stream.
  std::deque<v1::SyncResponse> outbox_;
  bool sending_ = false;
  bool sending_notice_ = false;
  bool half_closed_ = false;

  // The device's rows.
  std::optional<devices::SessionRows> rows_;
  bool writing_rows_ = false;
  bool rows_changed_ = false;
  // The recorded cursor stands before something that the feed has had: the next one may settle changes of the rota.
  bool cursor_lags_ = false;
  CopyNews news_;
  // Carers of whom the device holds less than was known, as is to be written next.
  std::set<base::Uuid> less_of_;

  // Since when a manual sync is due once the last round is recorded; nullopt: none is.
  std::optional<absl::Time> manual_due_since_;

  // Success, of the last round: the device confirmed, it is being recorded, it is recorded.
  enum class Success { kNotYet, kConfirmed, kBeingRecorded, kRecorded } success_ = Success::kNotYet;

  // The end.
  std::optional<absl::Status> failure_;
  bool abandon_ = false;
  v1::SyncOutcome outcome_ = v1::SYNC_OUTCOME_UNDER_WAY;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_SESSION_H_

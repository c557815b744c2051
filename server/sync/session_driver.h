// Carries out what a session asks for: reads, commits, timers, sends. The same in production and in simulation; what
// differs is the peer, the store, the clock and the executor.
#ifndef CARESYNC_SERVER_SYNC_SESSION_DRIVER_H_
#define CARESYNC_SERVER_SYNC_SESSION_DRIVER_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/limits.h"
#include "server/base/random.h"
#include "server/base/sealed_token.h"
#include "server/base/uuid.h"
#include "server/commit/head_memo.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/deliveries/mark_teller.h"
#include "server/mismatch/integration_lag.h"
#include "server/restore/standing.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "server/sync/session.h"
#include "server/sync/session_events.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::sync {

// The stream to the device, as the driver sees it. Its calls come one at a time, none after End or SendLast. It must
// not call back into the driver from within a call.
class SyncPeer {
 public:
  virtual ~SyncPeer() = default;
  // Sends one message; OnSent answers it. One is under way at a time.
  virtual void Send(v1::SyncResponse response) = 0;
  // Takes the next message of the device; OnMessage or OnHalfClose answers it. One is under way at a time.
  virtual void ReadNext() = 0;
  // Ends the stream with `status`; the last call. A message under way is given up where `abandon` is true (the device
  // does not read), else sent first.
  virtual void End(absl::Status status, bool abandon) = 0;
  // Sends one message and ends the stream, OK; the last call. None is under way.
  virtual void SendLast(v1::SyncResponse response) {
    Send(std::move(response));
    End(absl::OkStatus(), false);
  }
};

// What every session shares. All must outlive every driver.
struct SyncParts {
  storage::Store& store;
  commit::Sequencer& sequencer;
  commit::Subscriptions& subscriptions;
  base::Clock& clock;
  base::Executor& executor;
  base::RandomSource& random;
  const base::TokenSealer& sealer;
  LiveSessions& live;
  Admission& admission;
  commit::HeadMemo& memo;
  mismatch::IntegrationLag& lag;
  // The opening of the store (its timeline).
  std::string opening;
  // The most that a `changes` comes to, unless one record alone is larger; at most limits::kBatchBytes.
  size_t batch_bytes;
  // When the store was opened, by the monotonic clock.
  absl::Duration opened;
  // Take-overs of a device within an hour past which two phones must be using its UUID.
  size_t most_take_overs = base::limits::kTakeOversInAnHour;
  // nullptr: of what devices hold nobody is told.
  deliveries::MarkTeller* teller = nullptr;
};

// The opening, its time by the wall clock as it goes now: what is counted from it takes as long as it should, however
// somebody sets the clock meanwhile.
restore::Opening OpeningOf(const SyncParts& parts);

// Thread-safe; runs its session on the executor, one event at a time (but for its opening, see Open). It keeps itself
// alive until it has ended.
class SessionDriver : public std::enable_shared_from_this<SessionDriver> {
 public:
  // `arrival`: when the stream came, by `parts.live`. `peer` must live until its End or
  // SendLast was called.
  static std::shared_ptr<SessionDriver> Create(const SyncParts& parts, SessionIdentity identity, Arrival arrival,
                                               SyncPeer& peer);
  ~SessionDriver();

  // As logs and the history name it.
  const std::string& session_id() const { return session_.session_id(); }

  // The stream is open: asks for the first message, before it returns where nothing else was said before.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnMessage(v1::SyncRequest request);
  // What the device sent instead of a message.
  void OnBadMessage(absl::Status status);
  // The device has ended its side.
  void OnHalfClose();
  // The message given to Send has left (`ok`), or the stream is broken.
  void OnSent(bool ok);
  // The stream is gone: nothing can be sent any more. End still follows.
  void OnCancelled();
  // The server is going away: the session ends with `status` unless it is done.
  void Stop(absl::Status status);
  // There is something to tell the device.
  void Tell(const Notice& notice);

 private:
  SessionDriver(const SyncParts& parts, SessionIdentity identity, Arrival arrival, SyncPeer& peer);

  // Session, timers and peer are touched only while draining, or opening before anything drains. Queues an event and
  // runs what is queued, on the executor, one at a time.
  void Enqueue(SessionEvent event) ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // What moves while the session is busy is one event: the queue does not grow with the commits.
  void OnMoved(base::Revision revision) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFanOutsMoved() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<SessionEvent> NextEvent() ABSL_LOCKS_EXCLUDED(mutex_);
  // A timer that fired just before it was set anew or forgotten.
  bool IsStale(const SessionEvent& event) const;
  absl::StatusOr<StartFacts> ReadFacts(const LoadAction& load) const;
  // Answers a LoadAction.
  void EnqueueLoaded(absl::StatusOr<StartFacts> facts);
  // Lets the tenant know that commits of `timeline` are lost; then loads anew.
  void NoteLoss(LoadAction action, const std::string& timeline);
  void LogTrouble(std::string_view event, const absl::Status& status) const;
  absl::StatusOr<std::optional<absl::Time>> ReadManualDue(absl::Time counts_from) const;
  absl::StatusOr<DownloadBatch> ReadFeed(const ReadBatchAction& action) const;
  // A copy counts among those of all sessions while batches of it are read and sent, and no longer: not while the
  // session waits for fan-outs, nor before the device's events are taken. Refuses the batch that begins one, or goes on
  // with one after a wait, where there is no room.
  void CountCopy(const feed::ReadFrom& from, DownloadBatch& batch);
  // While draining, or opening.
  void Handle(SessionEvent event);
  void NoteWritten(const RowsWrittenEvent& event);
  void CarryOut(SessionAction action);
  void Perform(SendAction action);
  void Perform(ReadNextAction action);
  void Perform(LoadAction action);
  void Perform(EnterAction action);
  void Perform(SubscribeAction action);
  void Perform(UnsubscribeAction action);
  void Perform(ReadBatchAction action);
  void Perform(ReadTenantAction action);
  void Perform(ReadManualDueAction action);
  void Perform(WriteRowsAction action);
  void WriteRows(storage::Commit commit);
  // Of `carers`, those of whom something is to be waited for again: of others than the session's own, where the device
  // is the one that they use.
  std::vector<base::Uuid> ToLookAtAgain(const std::set<base::Uuid>& carers) const;
  // Lets what the device had acknowledged of these carers be waited for again; then writes. A crash in between leaves
  // that some is looked at in vain.
  struct LookingAgain;
  void LookAgainThenWrite(std::shared_ptr<LookingAgain> work);
  void Perform(TakeEventsAction action);
  // An upload that may take several commits.
  struct Taking;
  void TakeFrom(int first, std::shared_ptr<Taking> taking);
  void Perform(RecordDropsAction action);
  void Perform(LookAtMismatchesAction action);
  void Perform(TellMarksAction action);
  // Counts them where the device is the one that its carer uses: what a tablet at home holds is promised to nobody.
  absl::Status CountApplied(const storage::Reader& reader, const std::vector<mismatch::RotaChange>& changes) const;
  void Perform(SetTimerAction action);
  void Perform(EndAction action);

  SyncParts parts_;
  const Arrival arrival_;
  SyncPeer& peer_;
  Session session_;
  struct SetTimer {
    base::TimerId id;
    // Tells this setting of the timer from earlier ones.
    uint64_t setting;
  };
  std::map<SessionTimer, SetTimer> timers_;
  uint64_t timer_settings_ = 0;
  LiveSessions::Handle live_;
  bool entered_ = false;
  // The device's rows were written once.
  bool wrote_ = false;
  Admission::Copy copy_;
  commit::Subscriptions::Handle feed_;
  commit::Subscriptions::Handle fan_outs_;
  // The session has ended. Also read where a change of the tenant is done.
  std::atomic<bool> over_ = false;

  storage::Mutex mutex_;
  std::deque<SessionEvent> events_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  // Set while it waits to be handled.
  std::optional<base::Revision> moved_ ABSL_GUARDED_BY(mutex_);
  bool fan_outs_moved_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_SESSION_DRIVER_H_

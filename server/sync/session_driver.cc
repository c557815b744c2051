#include "server/sync/session_driver.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/commit/timeline.h"
#include "server/devices/copy_facts.h"
#include "server/devices/device_in_use.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/resolving.h"
#include "server/records/care_events.h"
#include "server/records/record_key.h"
#include "server/restore/standing.h"
#include "server/sync/download.h"
#include "server/sync/restore_wait.h"
#include "server/sync/taking.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {

restore::Opening OpeningOf(const SyncParts& parts) {
  return {parts.opening, parts.clock.Now() - (parts.clock.Monotonic() - parts.opened)};
}

std::shared_ptr<SessionDriver> SessionDriver::Create(const SyncParts& parts, SessionIdentity identity, Arrival arrival,
                                                     SyncPeer& peer) {
  return std::shared_ptr<SessionDriver>(new SessionDriver(parts, std::move(identity), arrival, peer));
}

SessionDriver::SessionDriver(const SyncParts& parts, SessionIdentity identity, Arrival arrival, SyncPeer& peer)
    : parts_(parts),
      arrival_(arrival),
      peer_(peer),
      session_(std::move(identity), base::Uuid::Random(parts.random).ToString(), parts.opening, parts.sealer,
               parts.most_take_overs) {}

SessionDriver::~SessionDriver() = default;

void SessionDriver::Open() {
  {
    storage::MutexLock lock(mutex_);
    // It was told to end before it began.
    if (std::exchange(running_, true)) return events_.push_back(OpenedEvent{});
  }
  // Asks for a message and sets a timer: that is not worth a turn of the executor. What comes of it is.
  Handle(OpenedEvent{});
  {
    storage::MutexLock lock(mutex_);
    running_ = !events_.empty() || moved_.has_value() || fan_outs_moved_;
    if (!running_) return;
  }
  parts_.executor.Post([self = shared_from_this()] { self->Drain(); });
}

void SessionDriver::OnMessage(v1::SyncRequest request) { Enqueue(MessageEvent{std::move(request)}); }
void SessionDriver::OnBadMessage(absl::Status status) { Enqueue(BadMessageEvent{std::move(status)}); }
void SessionDriver::OnHalfClose() { Enqueue(HalfClosedEvent{}); }
void SessionDriver::OnSent(bool ok) { Enqueue(SentEvent{ok}); }
void SessionDriver::OnCancelled() { Enqueue(CancelledEvent{}); }
void SessionDriver::Stop(absl::Status status) { Enqueue(StopEvent{std::move(status)}); }

void SessionDriver::Tell(const Notice& notice) { Enqueue(NoticeEvent{notice}); }

void SessionDriver::Enqueue(SessionEvent event) {
  {
    storage::MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    if (std::exchange(running_, true)) return;
  }
  parts_.executor.Post([self = shared_from_this()] { self->Drain(); });
}

void SessionDriver::OnMoved(base::Revision revision) {
  {
    storage::MutexLock lock(mutex_);
    const bool waits = moved_.has_value();
    moved_ = std::max(revision, moved_.value_or(0));
    if (waits || std::exchange(running_, true)) return;
  }
  parts_.executor.Post([self = shared_from_this()] { self->Drain(); });
}

void SessionDriver::OnFanOutsMoved() {
  {
    storage::MutexLock lock(mutex_);
    const bool waits = std::exchange(fan_outs_moved_, true);
    if (waits || std::exchange(running_, true)) return;
  }
  parts_.executor.Post([self = shared_from_this()] { self->Drain(); });
}

std::optional<SessionEvent> SessionDriver::NextEvent() {
  storage::MutexLock lock(mutex_);
  if (!events_.empty()) {
    std::optional<SessionEvent> event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  if (moved_.has_value()) return MovedEvent{*std::exchange(moved_, std::nullopt)};
  if (std::exchange(fan_outs_moved_, false)) return FanOutsMovedEvent{};
  running_ = false;
  return std::nullopt;
}

void SessionDriver::Drain() {
  while (std::optional<SessionEvent> event = NextEvent()) {
    if (!IsStale(*event)) Handle(*std::move(event));
  }
}

void SessionDriver::NoteWritten(const RowsWrittenEvent& event) {
  const storage::CommitOutcome outcome = event.result.outcome;
  const bool committed = event.not_begun.ok() && outcome == storage::CommitOutcome::kCommitted;
  wrote_ |= committed;
  // What met a conflict is another session's to write, or is tried again.
  if (!committed && outcome != storage::CommitOutcome::kConflict) parts_.live.NoteRowsLost();
}

void SessionDriver::Handle(SessionEvent event) {
  if (const auto* written = std::get_if<RowsWrittenEvent>(&event)) NoteWritten(*written);
  for (SessionAction& action : session_.Handle(std::move(event), parts_.clock.Now())) CarryOut(std::move(action));
}

bool SessionDriver::IsStale(const SessionEvent& event) const {
  const TimerEvent* fired = std::get_if<TimerEvent>(&event);
  if (fired == nullptr) return false;
  const auto timer = timers_.find(fired->timer);
  return timer == timers_.end() || timer->second.setting != fired->setting;
}

void SessionDriver::CarryOut(SessionAction action) {
  std::visit([this](auto&& a) { Perform(std::forward<decltype(a)>(a)); }, std::move(action));
}

void SessionDriver::Perform(SendAction action) { peer_.Send(std::move(action.response)); }

void SessionDriver::Perform(ReadNextAction action) { peer_.ReadNext(); }

void SessionDriver::Perform(LoadAction action) {
  absl::StatusOr<StartFacts> facts = ReadFacts(action);
  if (facts.ok() && !facts->restore.loss_to_note.empty()) {
    return NoteLoss(std::move(action), facts->restore.loss_to_note);
  }
  EnqueueLoaded(std::move(facts));
}

void SessionDriver::EnqueueLoaded(absl::StatusOr<StartFacts> facts) {
  const SessionIdentity& identity = session_.identity();
  // Only after the rows were read: a session is listed before it writes, so rows of another one that is open are never
  // taken for those of one that has ended.
  const std::optional<Arrival> open = parts_.live.OpenOf(identity.tenant, identity.device);
  Enqueue(LoadedEvent{std::move(facts), open.has_value(), open > arrival_});
}

void SessionDriver::NoteLoss(LoadAction action, const std::string& timeline) {
  parts_.sequencer.Submit(
      session_.identity().tenant,
      [opening = parts_.opening, timeline](commit::Transaction& transaction) {
        return restore::NoteLost(transaction, opening, timeline);
      },
      // Before it is noted no copy may be made anew: the cursor would be gone that shows it.
      [self = shared_from_this(), action = std::move(action),
       timeline](const absl::StatusOr<commit::Committed>& noted) {
        if (!noted.ok()) return self->EnqueueLoaded(noted.status());
        observability::Log(observability::Level::kWarning, "restore_shown",
                           {{"tenant", self->session_.identity().tenant.text()}, {"lost_timeline", timeline}});
        self->Perform(action);
      });
}

void SessionDriver::LogTrouble(std::string_view event, const absl::Status& status) const {
  const SessionIdentity& identity = session_.identity();
  observability::Log(observability::Level::kWarning, event,
                     {{"tenant", identity.tenant.text()},
                      {"device", identity.device.ToString()},
                      {"carer", identity.carer.ToString()},
                      {"error", status.message()}});
}

void SessionDriver::Perform(LookAtMismatchesAction action) {
  const auto look = [&]() -> absl::Status {
    const base::TenantId& tenant = session_.identity().tenant;
    ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
    ASSIGN_OR_RETURN(const commit::HeadReader reader, commit::HeadReader::Open(*snapshot, tenant, parts_.memo));
    for (const std::string& carer : action.carers) {
      RETURN_IF_ERROR(mismatch::ResolveAfterAck(reader, parts_.sequencer, tenant, *base::Uuid::Parse(carer)));
    }
    return CountApplied(reader, action.applied);
  };
  // What is not looked at now is when the server starts, or when the device acknowledges something again.
  if (const absl::Status status = look(); !status.ok()) LogTrouble("mismatches_not_looked_at", status);
}

void SessionDriver::Perform(TellMarksAction action) {
  if (parts_.teller != nullptr) parts_.teller->Tell(session_.identity().tenant);
}

absl::Status SessionDriver::CountApplied(const storage::Reader& reader,
                                         const std::vector<mismatch::RotaChange>& changes) const {
  if (changes.empty()) return absl::OkStatus();
  const SessionIdentity& identity = session_.identity();
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> in_use,
                   devices::ReadDeviceInUse(reader, identity.tenant, identity.carer));
  if (in_use == identity.device) parts_.lag.NoteApplied(identity.tenant, changes);
  return absl::OkStatus();
}

void SessionDriver::Perform(EnterAction action) {
  const SessionIdentity& identity = session_.identity();
  entered_ = true;
  live_ = parts_.live.Enter(
      identity.tenant, identity.device, session_.session_id(), arrival_,
      [weak = weak_from_this()](absl::Status status) {
        if (const std::shared_ptr<SessionDriver> self = weak.lock()) self->Stop(std::move(status));
      },
      [weak = weak_from_this()](const Notice& notice) {
        if (const std::shared_ptr<SessionDriver> self = weak.lock()) self->Tell(notice);
      });
}

void SessionDriver::Perform(SubscribeAction action) {
  const SessionIdentity& identity = session_.identity();
  const std::weak_ptr<SessionDriver> weak = weak_from_this();
  if (action.topic == SessionTopic::kFeed) {
    feed_ = parts_.subscriptions.Subscribe(identity.tenant, records::CarerReceiver(identity.carer),
                                           [weak](base::Revision revision) {
                                             if (const auto self = weak.lock()) self->OnMoved(revision);
                                           });
    return;
  }
  fan_outs_ = parts_.subscriptions.Subscribe(identity.tenant, records::FanOutTopic(), [weak](base::Revision) {
    if (const auto self = weak.lock()) self->OnFanOutsMoved();
  });
}

void SessionDriver::Perform(UnsubscribeAction action) {
  (action.topic == SessionTopic::kFeed ? feed_ : fan_outs_) = commit::Subscriptions::Handle();
}

absl::StatusOr<StartFacts> SessionDriver::ReadFacts(const LoadAction& load) const {
  const absl::Time now = parts_.clock.Now();
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
  const SessionIdentity& identity = session_.identity();
  ASSIGN_OR_RETURN(const commit::HeadReader reader, commit::HeadReader::Open(*snapshot, identity.tenant, parts_.memo));
  ASSIGN_OR_RETURN(StartFacts facts, ReadStartFacts(reader, identity, load.tokens, load.signs_in, now));
  ASSIGN_OR_RETURN(facts.restore,
                   ReadRestoreFacts(reader, identity.tenant, load.tokens, facts, OpeningOf(parts_), now));
  // What it makes already is not in its own way.
  if (!copy_.counts()) facts.copy_room = parts_.admission.RoomForCopy();
  return facts;
}

namespace {

// The planted bug of a `caught_up` whose head, count and sum are those of a later snapshot than the one that showed
// nothing left.
absl::Status TakeLaterHead(storage::Store& store, const SessionIdentity& identity, feed::Level level,
                           DownloadBatch& batch) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> later, store.NewSnapshot());
  ASSIGN_OR_RETURN(const feed::FeedSummary summary,
                   feed::ReadSummary(*later, identity.tenant, records::CarerReceiver(identity.carer)));
  batch.feed.summary = summary.Through(level);
  ASSIGN_OR_RETURN(batch.head, commit::ReadHead(*later, identity.tenant));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DownloadBatch> SessionDriver::ReadFeed(const ReadBatchAction& action) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
  const SessionIdentity& identity = session_.identity();
  ASSIGN_OR_RETURN(const commit::HeadReader reader, commit::HeadReader::Open(*snapshot, identity.tenant, parts_.memo));
  absl::StatusOr<DownloadBatch> batch =
      ReadDownload(reader, identity.tenant, identity.device, identity.carer,
                   {action.from, parts_.batch_bytes, action.next_visits, action.app_version}, parts_.clock.Now());
  const bool later = base::HasPlantedBug(base::PlantedBug::kCaughtUpOfLaterSnapshot);
  if (later && batch.ok() && batch->feed.nothing_left) {
    RETURN_IF_ERROR(TakeLaterHead(parts_.store, identity, action.from.level, *batch));
  }
  return batch;
}

void SessionDriver::CountCopy(const feed::ReadFrom& from, DownloadBatch& batch) {
  const bool of_copy = from.rebuild_began.has_value() && !batch.must_wait;
  if (of_copy && !copy_.counts()) batch.refusal = parts_.admission.RoomForCopy();
  if (!of_copy || !batch.refusal.ok() || batch.feed.nothing_left) {
    copy_ = Admission::Copy();
  } else if (!copy_.counts()) {
    copy_ = parts_.admission.BeginCopy();
  }
}

void SessionDriver::Perform(ReadBatchAction action) {
  absl::StatusOr<DownloadBatch> batch = ReadFeed(action);
  if (batch.ok() && batch->refusal.ok()) CountCopy(action.from, *batch);
  Enqueue(BatchReadEvent{std::move(batch)});
}

void SessionDriver::Perform(ReadTenantAction action) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = parts_.store.NewSnapshot();
  if (!snapshot.ok()) return Enqueue(TenantReadEvent{snapshot.status()});
  const SessionIdentity& identity = session_.identity();
  const absl::StatusOr<std::optional<store::Device>> device =
      devices::ReadDevice(**snapshot, identity.tenant, identity.device);
  if (!device.ok()) return Enqueue(TenantReadEvent{device.status()});
  TenantReadEvent read{tenants::GetTenant(**snapshot, identity.tenant)};
  if (device->has_value()) read.branch_id = (*device)->branch_id();
  Enqueue(std::move(read));
}

absl::StatusOr<std::optional<absl::Time>> SessionDriver::ReadManualDue(absl::Time counts_from) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
  const SessionIdentity& identity = session_.identity();
  ASSIGN_OR_RETURN(const commit::HeadReader reader, commit::HeadReader::Open(*snapshot, identity.tenant, parts_.memo));
  const auto since = devices::FirstVisitEnded(reader, identity.tenant, identity.carer, counts_from, parts_.clock.Now());
  return mismatch::UnlessDamaged(since, "manual_sync_due_not_known", identity.tenant, identity.carer);
}

void SessionDriver::Perform(ReadManualDueAction action) {
  Enqueue(ManualDueReadEvent{ReadManualDue(action.counts_from)});
}

struct SessionDriver::LookingAgain {
  std::vector<base::Uuid> carers;
  storage::Commit commit;
  // It makes the device's rows this session's; a later one stands on their being so.
  bool begins = false;
};

void SessionDriver::Perform(WriteRowsAction action) {
  std::vector<base::Uuid> carers = ToLookAtAgain(action.less_of);
  if (carers.empty()) return WriteRows(std::move(action.commit));
  LookAgainThenWrite(
      std::make_shared<LookingAgain>(LookingAgain{std::move(carers), std::move(action.commit), !wrote_}));
}

void SessionDriver::WriteRows(storage::Commit commit) {
  parts_.store.Apply(std::move(commit), [self = shared_from_this()](storage::CommitResult result) {
    self->Enqueue(RowsWrittenEvent{std::move(result)});
  });
}

std::vector<base::Uuid> SessionDriver::ToLookAtAgain(const std::set<base::Uuid>& carers) const {
  if (carers.empty()) return {};
  const auto needs_look = [this](const base::Uuid& carer) -> absl::StatusOr<bool> {
    const SessionIdentity& identity = session_.identity();
    ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
    ASSIGN_OR_RETURN(const commit::HeadReader reader,
                     commit::HeadReader::Open(*snapshot, identity.tenant, parts_.memo));
    if (carer != identity.carer) {
      ASSIGN_OR_RETURN(const std::optional<base::Uuid> in_use,
                       devices::ReadDeviceInUse(reader, identity.tenant, carer));
      if (in_use != identity.device) return false;
    }
    ASSIGN_OR_RETURN(const bool is_looked_at,
                     mismatch::IsLookedAtAgain(reader, identity.tenant, carer, parts_.clock.Now()));
    return !is_looked_at;
  };
  std::vector<base::Uuid> again;
  for (const base::Uuid& carer : carers) {
    // Where it cannot be read the change says why.
    if (needs_look(carer).value_or(true)) again.push_back(carer);
  }
  return again;
}

void SessionDriver::LookAgainThenWrite(std::shared_ptr<LookingAgain> work) {
  if (work->carers.empty()) return WriteRows(std::move(work->commit));
  // One after the other: each may fill a commit.
  const base::Uuid carer = work->carers.back();
  work->carers.pop_back();
  parts_.sequencer.Submit(
      session_.identity().tenant,
      [carer](commit::Transaction& transaction) { return mismatch::LookAgain(transaction, carer); },
      [self = shared_from_this(), work](const absl::StatusOr<commit::Committed>& looked) {
        // The device's rows are another session's by now.
        if (self->over_ && work->begins) return;
        if (looked.ok()) return self->LookAgainThenWrite(work);
        self->Enqueue(RowsWrittenEvent{{storage::CommitOutcome::kUnavailable, ""}, looked.status()});
      });
}

struct SessionDriver::Taking {
  v1::Upload upload;
  v1::UploadResult result;
};

void SessionDriver::Perform(TakeEventsAction action) {
  auto taking = std::make_shared<Taking>();
  taking->upload = std::move(action.upload);
  TakeFrom(0, std::move(taking));
}

void SessionDriver::Perform(RecordDropsAction action) {
  const SessionIdentity& identity = session_.identity();
  devices::RecordDropped(
      parts_.store, parts_.executor, identity.tenant, identity.device, std::move(action.carers), parts_.clock.Now(),
      [self = shared_from_this()](absl::Status status) { self->Enqueue(DropsRecordedEvent{std::move(status)}); });
}

void SessionDriver::TakeFrom(int first, std::shared_ptr<Taking> taking) {
  const records::EventSender sender{session_.identity().device, session_.identity().carer};
  parts_.sequencer.Submit(
      session_.identity().tenant,
      [taking, first, sender](commit::Transaction& transaction) {
        return TakeEvents(transaction, sender, taking->upload, first, taking->result);
      },
      [self = shared_from_this(), taking](absl::StatusOr<commit::Committed> committed) {
        if (!committed.ok()) return self->Enqueue(EventsTakenEvent{committed.status()});
        const int taken = taking->result.results_size();
        if (taken < taking->upload.events_size()) return self->TakeFrom(taken, taking);
        self->Enqueue(EventsTakenEvent{std::move(taking->result), committed->head});
      },
      taking->upload.ByteSizeLong());
}

void SessionDriver::Perform(SetTimerAction action) {
  if (const auto timer = timers_.find(action.timer); timer != timers_.end()) {
    parts_.executor.Cancel(timer->second.id);
    timers_.erase(timer);
  }
  if (!action.after.has_value()) return;
  const uint64_t setting = ++timer_settings_;
  const base::TimerId id =
      parts_.executor.PostAfter(*action.after, [weak = weak_from_this(), timer = action.timer, setting] {
        if (const std::shared_ptr<SessionDriver> self = weak.lock()) self->Enqueue(TimerEvent{timer, setting});
      });
  timers_[action.timer] = {id, setting};
}

void SessionDriver::Perform(EndAction action) {
  over_ = true;
  const SessionIdentity& identity = session_.identity();
  observability::Log(observability::Level::kInfo, "sync_ended",
                     {{"session", session_.session_id()},
                      {"tenant", identity.tenant.text()},
                      {"device", identity.device.ToString()},
                      {"carer", identity.carer.ToString()},
                      {"outcome", v1::SyncOutcome_Name(session_.outcome())},
                      {"reason", base::Reason(action.status)}});
  // It may have ended another session of the device in the middle of a round, and no row says so.
  const bool left_untold = entered_ && session_.outcome() != v1::SYNC_OUTCOME_TAKEN_OVER && !wrote_;
  if (left_untold) parts_.live.NoteRowsLost();
  live_ = LiveSessions::Handle();
  copy_ = Admission::Copy();
  feed_ = commit::Subscriptions::Handle();
  fan_outs_ = commit::Subscriptions::Handle();
  for (const auto& [timer, set] : timers_) parts_.executor.Cancel(set.id);
  timers_.clear();
  if (action.last.has_value()) return peer_.SendLast(*std::move(action.last));
  peer_.End(std::move(action.status), action.abandon);
}

}  // namespace caresync::sync

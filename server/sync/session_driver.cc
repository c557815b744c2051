#include "server/sync/session_driver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "server/records/care_events.h"
#include "server/records/record_store.h"
#include "server/sync/download.h"

namespace caresync::sync {

std::shared_ptr<SessionDriver> SessionDriver::Create(const SyncParts& parts, SessionIdentity identity, SyncPeer& peer) {
  return std::shared_ptr<SessionDriver>(new SessionDriver(parts, std::move(identity), peer));
}

SessionDriver::SessionDriver(const SyncParts& parts, SessionIdentity identity, SyncPeer& peer)
    : parts_(parts),
      peer_(peer),
      session_(std::move(identity), base::Uuid::Random(parts.random).ToString(), parts.opening, parts.sealer) {}

SessionDriver::~SessionDriver() = default;

void SessionDriver::Open() { Enqueue(OpenedEvent{}); }
void SessionDriver::OnMessage(v1::SyncRequest request) { Enqueue(MessageEvent{std::move(request)}); }
void SessionDriver::OnBadMessage(absl::Status status) { Enqueue(BadMessageEvent{std::move(status)}); }
void SessionDriver::OnHalfClose() { Enqueue(HalfClosedEvent{}); }
void SessionDriver::OnSent(bool ok) { Enqueue(SentEvent{ok}); }
void SessionDriver::OnCancelled() { Enqueue(CancelledEvent{}); }
void SessionDriver::Stop(absl::Status status) { Enqueue(StopEvent{std::move(status)}); }

void SessionDriver::Enqueue(SessionEvent event) {
  {
    storage::MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    if (std::exchange(running_, true)) return;
  }
  parts_.executor.Post([self = shared_from_this()] { self->Drain(); });
}

void SessionDriver::Drain() {
  while (true) {
    std::optional<SessionEvent> event;
    {
      storage::MutexLock lock(mutex_);
      if (events_.empty()) {
        running_ = false;
        return;
      }
      event = std::move(events_.front());
      events_.pop_front();
    }
    if (IsStale(*event)) continue;
    for (SessionAction& action : session_.Handle(*std::move(event), parts_.clock.Now())) CarryOut(std::move(action));
  }
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
  const SessionIdentity& identity = session_.identity();
  const bool another_open = parts_.live.IsOpen(identity.tenant, identity.device);
  Enqueue(LoadedEvent{ReadFacts(action.token), another_open});
}

void SessionDriver::Perform(EnterAction action) {
  const SessionIdentity& identity = session_.identity();
  live_ = parts_.live.Enter(identity.tenant, identity.device, [weak = weak_from_this()](absl::Status status) {
    if (const std::shared_ptr<SessionDriver> self = weak.lock()) self->Stop(std::move(status));
  });
}

absl::StatusOr<StartFacts> SessionDriver::ReadFacts(const std::optional<ResumeToken>& token) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
  return ReadStartFacts(*snapshot, session_.identity(), token);
}

absl::StatusOr<DownloadBatch> SessionDriver::ReadFeed(const feed::ReadFrom& from) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts_.store.NewSnapshot());
  return ReadDownload(*snapshot, session_.identity().tenant, session_.identity().device, session_.identity().carer,
                      from, parts_.batch_bytes);
}

void SessionDriver::Perform(ReadBatchAction action) { Enqueue(BatchReadEvent{ReadFeed(action.from)}); }

void SessionDriver::Perform(WriteRowsAction action) {
  parts_.store.Apply(std::move(action.commit), [self = shared_from_this()](storage::CommitResult result) {
    self->Enqueue(RowsWrittenEvent{std::move(result)});
  });
}

namespace {

// Takes events from `first` on, as many as one commit can carry: the first one always, or it is an error.
absl::Status TakeSome(commit::Transaction& transaction, const records::EventSender& sender, const v1::Upload& upload,
                      int first, v1::UploadResult& result) {
  result.mutable_results()->DeleteSubrange(first, result.results_size() - first);
  records::RecordStore records(transaction);
  for (int i = first; i < upload.events_size(); ++i) {
    const records::RecordStore::Mark mark = records.SetMark();
    absl::StatusOr<v1::EventResult> taken = records::TakeEvent(records, sender, upload.events(i));
    if (!taken.ok() && i > first && base::Reason(taken.status()) == base::Reason(base::errors::CommitTooLarge())) {
      records.RollBackTo(mark);
      return absl::OkStatus();
    }
    if (!taken.ok()) return taken.status();
    if (taken->outcome() != v1::EVENT_OUTCOME_KNOWN) {
      RETURN_IF_ERROR(devices::CountEvent(transaction, sender.device, upload.events(i).sequence()));
    }
    *result.add_results() = *std::move(taken);
  }
  return absl::OkStatus();
}

}  // namespace

struct SessionDriver::Taking {
  v1::Upload upload;
  v1::UploadResult result;
};

void SessionDriver::Perform(TakeEventsAction action) {
  auto taking = std::make_shared<Taking>();
  taking->upload = std::move(action.upload);
  TakeFrom(0, std::move(taking));
}

void SessionDriver::TakeFrom(int first, std::shared_ptr<Taking> taking) {
  const records::EventSender sender{session_.identity().device, session_.identity().carer};
  parts_.sequencer.Submit(
      session_.identity().tenant,
      [taking, first, sender](commit::Transaction& transaction) {
        return TakeSome(transaction, sender, taking->upload, first, taking->result);
      },
      [self = shared_from_this(), taking](absl::StatusOr<commit::Committed> committed) {
        if (!committed.ok()) return self->Enqueue(EventsTakenEvent{committed.status()});
        const int taken = taking->result.results_size();
        if (taken < taking->upload.events_size()) return self->TakeFrom(taken, taking);
        self->Enqueue(EventsTakenEvent{std::move(taking->result)});
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
  const SessionIdentity& identity = session_.identity();
  observability::Log(observability::Level::kInfo, "sync_ended",
                     {{"session", session_.session_id()},
                      {"tenant", identity.tenant.text()},
                      {"device", identity.device.ToString()},
                      {"carer", identity.carer.ToString()},
                      {"outcome", v1::SyncOutcome_Name(session_.outcome())},
                      {"reason", base::Reason(action.status)}});
  live_ = LiveSessions::Handle();
  peer_.End(std::move(action.status), action.abandon);
}

}  // namespace caresync::sync

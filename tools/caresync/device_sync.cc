#include "tools/caresync/device_sync.h"

#include <algorithm>
#include <csignal>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "caresync/v1/device_sync.grpc.pb.h"
#include "server/base/random.h"
#include "server/base/status_macros.h"
#include "storage/mutex.h"
#include "tools/caresync/coming_back.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using Stream = grpc::ClientReaderWriter<v1::SyncRequest, v1::SyncResponse>;

// Writes beside the reading: the server answers uploads while later ones are on their way, and must not wait for a
// device that reads nothing until all of its own are out. Thread-safe.
class Writer {
 public:
  // `stream` must outlive it, and is its own to write.
  explicit Writer(Stream& stream) : stream_(stream), thread_([this] { Run(); }) {}
  // Writes what is left, unless the stream is broken.
  ~Writer() {
    {
      storage::MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
    thread_.join();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Write(v1::SyncRequest request) {
    {
      storage::MutexLock lock(mutex_);
      requests_.push_back(std::move(request));
    }
    changed_.NotifyAll();
  }
  // Nothing comes after what was given to Write.
  void Done() {
    {
      storage::MutexLock lock(mutex_);
      done_ = true;
    }
    changed_.NotifyAll();
  }

 private:
  void Run() {
    while (const std::optional<v1::SyncRequest> request = Next()) {
      if (!stream_.Write(*request)) return;
    }
    storage::MutexLock lock(mutex_);
    if (done_) stream_.WritesDone();
  }
  // nullopt: there is no more.
  std::optional<v1::SyncRequest> Next() {
    storage::MutexLock lock(mutex_);
    while (requests_.empty() && !done_ && !ended_) changed_.Wait(mutex_);
    if (requests_.empty()) return std::nullopt;
    std::optional<v1::SyncRequest> request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

  Stream& stream_;
  storage::Mutex mutex_;
  storage::CondVar changed_;
  std::deque<v1::SyncRequest> requests_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

void KillHere(const KillPoints& kill, const v1::SyncResponse& response, uint64_t batches) {
  const bool at_batch = response.has_changes() && kill.after_batches != 0 && batches == kill.after_batches;
  const bool at_end = response.has_caught_up() && kill.before_last_ack;
  if (at_batch || at_end) std::raise(SIGKILL);
}

// How the following is to go on when the stream has ended.
struct GoOn {
  // The server sent something.
  bool heard = false;
  // A copy is complete.
  bool caught_up = false;
  // It ended its side itself, to come with a new credential.
  bool left = false;
  // A new stream is asked for, after so long.
  std::optional<absl::Duration> again;
};

// A follower leaves where the server says that this stream is not going to last.
void HandleNotice(const v1::Notice& notice, const Connection& connection, const SyncRun& run, Writer& writer,
                  GoOn& go_on) {
  if (!run.plan.follow) return;
  if (notice.has_going_away()) {
    go_on.again = absl::Seconds(notice.going_away().reconnect_after().seconds()) +
                  absl::Nanoseconds(notice.going_away().reconnect_after().nanos());
  } else if (notice.has_credentials_end_time() && connection.options().token.empty()) {
    go_on.again = absl::ZeroDuration();
    go_on.left = true;
    writer.Done();
  }
}

// Reads until the stream ends. An error is the device's own; how the server ended the stream is told by Finish.
absl::Status Converse(Stream& stream, Writer& writer, DeviceClient& client, const Connection& connection,
                      const SyncRun& run, GoOn& go_on) {
  v1::SyncResponse response;
  uint64_t batches = 0;
  while (stream.Read(&response)) {
    go_on.heard = true;
    ASSIGN_OR_RETURN(std::optional<v1::SyncRequest> ack, client.Handle(response, absl::Now()));
    ASSIGN_OR_RETURN(std::vector<v1::SyncRequest> resent, client.Resend(response));
    RETURN_IF_ERROR(run.on_response(response));
    if (response.has_changes()) ++batches;
    if (response.has_caught_up()) go_on.caught_up = true;
    KillHere(run.kill, response, batches);
    if (response.has_notice()) HandleNotice(response.notice(), connection, run, writer, go_on);
    for (v1::SyncRequest& upload : resent) writer.Write(std::move(upload));
    if (ack) writer.Write(*std::move(ack));
    if (client.done()) writer.Done();
  }
  return absl::OkStatus();
}

// A stream from its start to its end.
absl::Status Talk(const Connection& connection, DeviceClient& client, const SyncRun& run,
                  std::vector<v1::SyncRequest> requests, grpc::ClientContext& context, GoOn& go_on) {
  const auto stub = v1::DeviceSyncService::NewStub(connection.channel());
  const std::unique_ptr<Stream> stream = stub->Sync(&context);
  absl::Status own;
  {
    Writer writer(*stream);
    if (run.stop != nullptr) run.stop->Tell([&writer] { writer.Done(); });
    for (v1::SyncRequest& request : requests) writer.Write(std::move(request));
    own = Converse(*stream, writer, client, connection, run, go_on);
    if (!own.ok()) context.TryCancel();
    if (run.stop != nullptr) run.stop->Tell(nullptr);
  }
  absl::Status ended = connection.Result(stream->Finish());
  if (!own.ok()) return own;
  // Once it is recorded, nothing that comes after undoes it.
  if (client.done()) return absl::OkStatus();
  // Perhaps in the middle of a round, which comes again.
  if (go_on.left) return absl::OkStatus();
  if (!ended.ok()) return ended;
  if (client.recorded()) return absl::OkStatus();
  return errors::ServerBrokeProtocol("the stream ended well before the sync was recorded");
}

v1::InterruptionCause CauseOf(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  // A server that answers, with whatever error, is no missing network.
  if (reason == "SERVER_UNREACHABLE") return v1::INTERRUPTION_CAUSE_NO_NETWORK;
  // Whoever ended it, it was not the server.
  const bool nameless = !status.ok() && reason == absl::StatusCodeToString(status.code());
  if (nameless || reason == "TIMED_OUT") return v1::INTERRUPTION_CAUSE_UNKNOWN;
  return v1::INTERRUPTION_CAUSE_UNSPECIFIED;
}

absl::Status RunStream(const Connection& connection, const DeviceStore& store, DeviceClient& client, const SyncRun& run,
                       GoOn& go_on) {
  const Caller caller{access::Role::kCarer, run.plan.carer_id, run.device};
  grpc::ClientContext context;
  RETURN_IF_ERROR(connection.Prepare(caller, run.timeout, context));
  ASSIGN_OR_RETURN(std::vector<v1::SyncRequest> requests, client.Begin(absl::Now()));
  absl::Status status = Talk(connection, client, run, std::move(requests), context, go_on);
  // Each stream, also of a follower: the next one's start tells of it.
  if (ErrorReason(status) == "OVERLOADED" && !client.recorded()) {
    RETURN_IF_ERROR(store.EndUnheardSync());
  } else {
    RETURN_IF_ERROR(store.EndSync(client.recorded() ? v1::INTERRUPTION_CAUSE_UNSPECIFIED : CauseOf(status)));
  }
  return status;
}

bool TokenIsRefused(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == "TOKEN_NOT_VALID" || reason == "TOKEN_OF_ANOTHER_COPY";
}

// One that follows is stopped by its user, and has synced if it ever did.
absl::Status RunFollowing(const Connection& connection, const DeviceStore& store, const SyncRun& run) {
  bool recorded = false;
  SyncPlan plan = run.plan;
  base::SystemRandom random;
  ComingBack coming_back(random, /*new_credential=*/connection.options().token.empty());
  while (true) {
    DeviceClient client(store, plan);
    GoOn go_on;
    absl::Status status = RunStream(connection, store, client, run, go_on);
    recorded |= client.recorded();
    // One new copy is enough, and any sync confirms it.
    if ((recorded || go_on.caught_up) && plan.type == v1::SYNC_TYPE_CLEAN) plan.type = v1::SYNC_TYPE_STANDARD;
    if (run.stop->asked()) return recorded ? absl::OkStatus() : status;
    if (go_on.heard) coming_back.Heard();
    const std::optional<absl::Duration> pause = status.ok() ? go_on.again : coming_back.PauseAfter(status);
    if (!pause) return status;
    run.stop->Wait(std::max(*pause, go_on.again.value_or(absl::ZeroDuration())));
    if (run.stop->asked()) return recorded ? absl::OkStatus() : status;
  }
}

absl::Status RunOnce(const Connection& connection, const DeviceStore& store, const SyncRun& run) {
  if (run.plan.follow) return RunFollowing(connection, store, run);
  DeviceClient client(store, run.plan);
  GoOn go_on;
  return RunStream(connection, store, client, run, go_on);
}

}  // namespace

absl::Status RunSync(const Connection& connection, const DeviceStore& store, const SyncRun& run) {
  ASSIGN_OR_RETURN(const SyncLock lock, store.LockForSync());
  absl::Status status = RunOnce(connection, store, run);
  if (TokenIsRefused(status)) {
    RETURN_IF_ERROR(store.ForgetTokens(run.plan.carer_id));
    status = RunOnce(connection, store, run);
  }
  return status;
}

std::string OutcomeText(const absl::Status& status) {
  if (status.ok()) return "succeeded";
  const std::string reason = ErrorReason(status);
  if (reason == "SESSION_TAKEN_OVER") return "taken over";
  if (reason == "COPY_DIVERGED") return "diverged";
  if (reason == "WAITING_AFTER_RESTORE") return "waiting";
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kNotFound:
      return "refused";
    default:
      return "interrupted";
  }
}

}  // namespace caresync::cli

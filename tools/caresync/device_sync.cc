#include "tools/caresync/device_sync.h"

#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "caresync/v1/device_sync.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using Stream = grpc::ClientReaderWriter<v1::SyncRequest, v1::SyncResponse>;

// Writes the first messages beside the reading: the server answers uploads while later ones are on their way, and must
// not wait for a device that reads nothing until all of its own are out.
class FirstWriter {
 public:
  FirstWriter(Stream& stream, std::vector<v1::SyncRequest> requests)
      : thread_([&stream, requests = std::move(requests)] {
          for (const v1::SyncRequest& request : requests) {
            if (!stream.Write(request)) return;
          }
        }) {}
  ~FirstWriter() { Wait(); }
  FirstWriter(const FirstWriter&) = delete;
  FirstWriter& operator=(const FirstWriter&) = delete;

  // The stream is the caller's to write when it returns.
  void Wait() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

void KillHere(const KillPoints& kill, const v1::SyncResponse& response, uint64_t batches) {
  const bool at_batch = response.has_changes() && kill.after_batches != 0 && batches == kill.after_batches;
  const bool at_end = response.has_caught_up() && kill.before_last_ack;
  if (at_batch || at_end) std::raise(SIGKILL);
}

// Reads until the stream ends. An error is the device's own; how the server ended the stream is told by Finish.
absl::Status Converse(Stream& stream, FirstWriter& first, DeviceClient& client, const SyncRun& run) {
  v1::SyncResponse response;
  uint64_t batches = 0;
  while (stream.Read(&response)) {
    ASSIGN_OR_RETURN(const std::optional<v1::SyncRequest> ack, client.Handle(response, absl::Now()));
    run.on_response(response);
    if (response.has_changes()) ++batches;
    KillHere(run.kill, response, batches);
    if (!ack && !client.done()) continue;
    first.Wait();
    if (ack) stream.Write(*ack);
    if (client.done()) stream.WritesDone();
  }
  return absl::OkStatus();
}

absl::Status RunStream(const Connection& connection, DeviceClient& client, const SyncRun& run) {
  ASSIGN_OR_RETURN(std::vector<v1::SyncRequest> requests, client.Begin(absl::Now()));
  const Caller caller{access::Role::kCarer, run.plan.carer_id, run.device};
  grpc::ClientContext context;
  RETURN_IF_ERROR(connection.Prepare(caller, run.timeout, context));
  const auto stub = v1::DeviceSyncService::NewStub(connection.channel());
  const std::unique_ptr<Stream> stream = stub->Sync(&context);
  absl::Status own;
  {
    FirstWriter first(*stream, std::move(requests));
    own = Converse(*stream, first, client, run);
    if (!own.ok()) context.TryCancel();
  }
  absl::Status ended = connection.Result(stream->Finish());
  if (!own.ok()) return own;
  // Once it is recorded, nothing that comes after undoes it.
  if (client.done()) return absl::OkStatus();
  if (!ended.ok()) return ended;
  return errors::ServerBrokeProtocol("the stream ended well before the sync was recorded");
}

v1::InterruptionCause CauseOf(const absl::Status& status) {
  // A server that answers, with whatever error, is no missing network.
  if (ErrorReason(status) == "SERVER_UNREACHABLE") return v1::INTERRUPTION_CAUSE_NO_NETWORK;
  if (ErrorReason(status) == "TIMED_OUT") return v1::INTERRUPTION_CAUSE_UNKNOWN;
  return v1::INTERRUPTION_CAUSE_UNSPECIFIED;
}

}  // namespace

absl::Status RunSync(const Connection& connection, const DeviceStore& store, const SyncRun& run) {
  ASSIGN_OR_RETURN(const SyncLock lock, store.LockForSync());
  DeviceClient client(store, run.plan);
  absl::Status status = RunStream(connection, client, run);
  RETURN_IF_ERROR(store.EndSync(run.plan.carer_id, CauseOf(status)));
  return status;
}

std::string OutcomeText(const absl::Status& status) {
  if (status.ok()) return "succeeded";
  const std::string reason = ErrorReason(status);
  if (reason == "SESSION_TAKEN_OVER") return "taken over";
  if (reason == "COPY_DIVERGED") return "diverged";
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

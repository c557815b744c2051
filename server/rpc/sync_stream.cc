#include "server/rpc/sync_stream.h"

#include <utility>

#include "server/base/uuid.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/error_details.h"
#include "server/rpc/message.h"
#include "server/rpc/refused_call.h"

namespace caresync::rpc {
namespace {

constexpr char kMethod[] = "DeviceSyncService.Sync";
constexpr RoleSet kRoles = {access::Role::kCarer};

// The verifier vouches that a carer's credential names a device, and the carer by a UUID.
sync::SessionIdentity SessionIdentityOf(const access::Identity& caller) {
  return {caller.tenant, *caller.device, *base::Uuid::Parse(caller.subject), caller.expires};
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* SyncStream::Serve(Edge& edge,
                                                                               grpc::CallbackServerContext* context) {
  std::shared_ptr<SyncStream> stream(new SyncStream(edge, context));
  stream->self_ = stream;
  stream->Begin(*context);
  return stream.get();
}

SyncStream::SyncStream(Edge& edge, grpc::CallbackServerContext* context)
    : edge_(edge),
      arrival_(edge.sync.live.NextArrival()),
      record_(kMethod, edge.clock),
      deadline_(edge.executor, context) {}

void SyncStream::Begin(const grpc::CallbackServerContext& context) {
  const access::Verified verified = Authenticate(edge_.verifier, context, kRoles, kMethod);
  if (!verified.identity.has_value()) return FinishNow(verified.status);
  const access::Identity& caller = *verified.identity;
  record_.SetCaller(caller);
  if (!verified.status.ok()) return Refuse(verified.status, caller);
  if (const absl::Status room = edge_.sync.admission.RoomForCall(); !room.ok()) return Shed(room, caller);

  const std::shared_ptr<sync::SessionDriver> driver =
      sync::SessionDriver::Create(edge_.sync, SessionIdentityOf(caller), arrival_, *this);
  absl::StatusOr<OpenCalls::Handle> open =
      edge_.sessions.Enter([driver](const absl::Status& status) { driver->Stop(status); });
  // As many sessions are open as may be; the driver has done nothing yet.
  if (!open.ok() && absl::IsResourceExhausted(open.status())) return Shed(open.status(), caller);
  if (!open.ok()) return Refuse(open.status(), caller);
  open_ = *std::move(open);
  coming_ = edge_.sync.admission.BeginCall();
  driver_ = driver;
  driver->Open();
}

void SyncStream::Shed(const absl::Status& why, const access::Identity& caller) {
  edge_.shed_calls.Note(caller, why);
  deadline_.Start();
  Finish(ToGrpc(why));
}

void SyncStream::Refuse(const absl::Status& why, const access::Identity& caller) {
  if (!caller.device.has_value()) return FinishNow(why);
  RecordRefusedCall(edge_, caller, why, [self = shared_from_this(), why] { self->FinishNow(why); });
}

void SyncStream::Send(v1::SyncResponse response) {
  outgoing_ = SerializeMessage(response);
  {
    storage::MutexLock lock(mutex_);
    writing_ = true;
  }
  StartWrite(&outgoing_);
}

void SyncStream::ReadNext() { StartRead(&incoming_); }

void SyncStream::End(absl::Status status, bool abandon) {
  // Finish may lead to OnDone on another thread before this function returns.
  const std::shared_ptr<SyncStream> self = shared_from_this();
  {
    storage::MutexLock lock(mutex_);
    if (writing_ && !abandon) {
      end_ = std::move(status);
      deadline_.Start();
      return;
    }
  }
  if (abandon) deadline_.Cancel();
  FinishNow(status);
}

void SyncStream::SendLast(v1::SyncResponse response) {
  // The write may lead to OnDone on another thread before this function returns.
  const std::shared_ptr<SyncStream> self = shared_from_this();
  outgoing_ = SerializeMessage(response);
  record_.Ended(absl::OkStatus());
  deadline_.Start();
  StartWriteAndFinish(&outgoing_, grpc::WriteOptions(), grpc::Status::OK);
}

void SyncStream::FinishNow(const absl::Status& status) {
  record_.Ended(status);
  // A device that does not read gets no status either: then gRPC would keep the stream until the connection goes.
  deadline_.Start();
  Finish(ToGrpc(status));
}

void SyncStream::OnReadDone(bool ok) {
  // Counted until the driver has it: the next read, and with it the next reaction, may follow at once.
  const sync::Admission::Call come = std::move(coming_);
  if (!ok) return driver_->OnHalfClose();
  absl::StatusOr<v1::SyncRequest> request = ParseMessage<v1::SyncRequest>(incoming_);
  if (!request.ok()) return driver_->OnBadMessage(request.status());
  driver_->OnMessage(*std::move(request));
}

void SyncStream::OnWriteDone(bool ok) {
  std::optional<absl::Status> end;
  {
    storage::MutexLock lock(mutex_);
    writing_ = false;
    end = std::exchange(end_, std::nullopt);
    if (end.has_value()) deadline_.Stop();
  }
  if (end.has_value()) return FinishNow(*end);
  driver_->OnSent(ok);
}

void SyncStream::OnCancel() {
  if (driver_ != nullptr) driver_->OnCancelled();
}

void SyncStream::OnDone() {
  deadline_.Forget();
  open_ = OpenCalls::Handle();
  // Perhaps the last reference.
  const std::shared_ptr<SyncStream> self = std::move(self_);
}

}  // namespace caresync::rpc

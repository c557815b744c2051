#include "server/rpc/device_export_stream.h"

#include <string>
#include <utility>

#include "server/base/status_macros.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/error_details.h"
#include "server/rpc/message.h"
#include "server/sync/unrecorded_ends.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr char kMethod[] = "DeviceService.ExportDevices";
constexpr RoleSet kRoles = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* DeviceExportStream::Serve(Edge& edge, grpc::CallbackServerContext* context,
                                                                      const grpc::ByteBuffer* request) {
  std::shared_ptr<DeviceExportStream> stream(new DeviceExportStream(edge, context));
  stream->self_ = stream;
  const absl::Status admitted = stream->Admit(*context, *request);
  storage::MutexLock lock(stream->mutex_);
  if (admitted.ok()) {
    stream->PostNext();
  } else {
    stream->FinishNow(admitted);
  }
  return stream.get();
}

DeviceExportStream::DeviceExportStream(Edge& edge, grpc::CallbackServerContext* context)
    : edge_(edge), record_(kMethod, edge.clock), deadline_(edge.executor, context) {}

absl::Status DeviceExportStream::Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request) {
  access::Verified verified = Authenticate(edge_.verifier, context, kRoles, kMethod);
  if (verified.identity.has_value()) record_.SetCaller(*verified.identity);
  RETURN_IF_ERROR(verified.status);
  caller_ = *std::move(verified.identity);
  grpc::ByteBuffer bytes = request;
  ASSIGN_OR_RETURN(request_, ParseMessage<v1::ExportDevicesRequest>(bytes));
  ASSIGN_OR_RETURN(open_, edge_.other_calls.Enter([stream = weak_from_this()](const absl::Status& status) {
    if (const std::shared_ptr<DeviceExportStream> self = stream.lock()) self->EndWith(status);
  }));
  return absl::OkStatus();
}

void DeviceExportStream::PostNext() {
  edge_.executor.Post([self = shared_from_this()] { self->MakePiece(); });
}

absl::StatusOr<std::string> DeviceExportStream::NextPiece() {
  if (!export_.has_value()) {
    ASSIGN_OR_RETURN(snapshot_, edge_.store.NewSnapshot());
    absl::StatusOr<devices::DeviceExport> opened = devices::DeviceExport::Open(
        *snapshot_, caller_.tenant, request_, {.syncs = sync::SyncsOf(edge_.sync), .now = edge_.clock.Now()});
    if (!opened.ok()) return opened.status();
    export_.emplace(*std::move(opened));
  }
  return export_->Next();
}

void DeviceExportStream::MakePiece() {
  absl::StatusOr<std::string> piece = NextPiece();
  storage::MutexLock lock(mutex_);
  if (end_.has_value()) return FinishNow(*end_);
  if (!piece.ok() || piece->empty()) return FinishNow(piece.status());
  v1::ExportDevicesResponse response;
  response.set_csv(*std::move(piece));
  outgoing_ = SerializeMessage(response);
  deadline_.Start();
  StartWrite(&outgoing_);
}

void DeviceExportStream::OnWriteDone(bool ok) {
  deadline_.Stop();
  storage::MutexLock lock(mutex_);
  if (end_.has_value() || !ok) return FinishNow(end_.value_or(absl::CancelledError()));
  PostNext();
}

void DeviceExportStream::EndWith(const absl::Status& status) {
  storage::MutexLock lock(mutex_);
  if (!end_.has_value()) end_ = status;
}

void DeviceExportStream::FinishNow(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  // The server may go away as soon as gRPC knows of the end: nothing of the store is held on to.
  export_.reset();
  snapshot_.reset();
  record_.Ended(status);
  Finish(ToGrpc(status));
}

void DeviceExportStream::OnCancel() { EndWith(absl::CancelledError()); }

void DeviceExportStream::OnDone() {
  deadline_.Forget();
  open_ = OpenCalls::Handle();
  // Perhaps the last reference.
  const std::shared_ptr<DeviceExportStream> self = std::move(self_);
}

}  // namespace caresync::rpc

#include "server/rpc/resumable_stream.h"

#include <utility>

#include "server/base/errors.h"
#include "server/base/status_macros.h"
#include "server/rpc/error_details.h"
#include "server/tenants/tenants.h"

namespace caresync::rpc {

grpc::ServerWriteReactor<grpc::ByteBuffer>* ResumableStream::Serve(const ResumableKind& kind, Edge& edge,
                                                                   grpc::CallbackServerContext* context,
                                                                   const grpc::ByteBuffer* request) {
  std::shared_ptr<ResumableStream> stream(new ResumableStream(kind, edge, context));
  stream->self_ = stream;
  if (const absl::Status admitted = stream->Admit(*context, *request); !admitted.ok()) {
    stream->EndWith(admitted);
  } else {
    storage::MutexLock lock(stream->mutex_);
    // A commit that woke the stream meanwhile has begun to read already.
    if (stream->doing_ == Doing::kWaiting) stream->PostRead();
  }
  return stream.get();
}

ResumableStream::ResumableStream(const ResumableKind& kind, Edge& edge, grpc::CallbackServerContext* context)
    : kind_(kind), edge_(edge), record_(kind.method, edge.clock), deadline_(edge.executor, context) {}

absl::Status ResumableStream::Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request) {
  access::Verified verified = Authenticate(edge_.verifier, context, kind_.roles, kind_.method);
  if (verified.identity.has_value()) record_.SetCaller(*verified.identity);
  RETURN_IF_ERROR(verified.status);
  caller_ = *std::move(verified.identity);
  ASSIGN_OR_RETURN(const base::ReceiverId topic, kind_.topic(caller_));
  grpc::ByteBuffer bytes = request;
  ASSIGN_OR_RETURN(ResumableRequest parsed, kind_.parse(bytes));
  resume_token_ = std::move(parsed.resume_token);
  follow_ = parsed.follow;
  ASSIGN_OR_RETURN(open_, edge_.other_calls.Enter([stream = weak_from_this()](const absl::Status& status) {
    if (const std::shared_ptr<ResumableStream> self = stream.lock()) self->EndWith(status);
  }));
  if (!follow_) return absl::OkStatus();
  // Before the first read, so that no commit falls between them.
  subscription_ = edge_.subscriptions.Subscribe(caller_.tenant, topic, [stream = weak_from_this()](base::Revision) {
    if (const std::shared_ptr<ResumableStream> self = stream.lock()) self->Wake();
  });
  // Nothing but its credential's end may wake it for days.
  const absl::Duration left = caller_.expires - edge_.clock.Now();
  credential_end_ = edge_.executor.PostAfter(left, Ending(base::errors::CredentialExpired()));
  return absl::OkStatus();
}

void ResumableStream::PostRead() {
  doing_ = Doing::kReading;
  woken_ = false;
  edge_.executor.Post([self = shared_from_this()] { self->ReadOn(); });
}

absl::StatusOr<ResumableMessage> ResumableStream::ReadMessage() const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge_.store.NewSnapshot());
  RETURN_IF_ERROR(tenants::GetTenant(*snapshot, caller_.tenant).status());
  return kind_.read(edge_, *snapshot, caller_, resume_token_);
}

void ResumableStream::ReadOn() {
  absl::StatusOr<ResumableMessage> message = ReadMessage();
  if (!message.ok()) {
    storage::MutexLock lock(mutex_);
    return FinishNow(end_.value_or(message.status()));
  }
  resume_token_ = std::move(message->resume_token);
  // A commit may have told of nothing that this reader has not had, and all of a message may be passed over.
  if (message->is_empty && (said_caught_up_ || !message->caught_up)) return GoOn(message->caught_up);
  said_caught_up_ = message->caught_up;

  storage::MutexLock lock(mutex_);
  if (end_.has_value()) return FinishNow(*end_);
  doing_ = Doing::kWriting;
  outgoing_.Swap(&message->bytes);
  deadline_.Start(Ending(base::errors::StreamNotRead()));
  StartWrite(&outgoing_);
}

void ResumableStream::OnWriteDone(bool ok) {
  deadline_.Stop();
  if (ok) return GoOn(said_caught_up_);
  storage::MutexLock lock(mutex_);
  FinishNow(end_.value_or(absl::CancelledError()));
}

void ResumableStream::GoOn(bool caught_up) {
  storage::MutexLock lock(mutex_);
  if (end_.has_value()) return FinishNow(*end_);
  if (!caught_up || woken_) return PostRead();
  if (!follow_) return FinishNow(absl::OkStatus());
  doing_ = Doing::kWaiting;
}

void ResumableStream::Wake() {
  storage::MutexLock lock(mutex_);
  woken_ = true;
  if (doing_ == Doing::kWaiting) PostRead();
}

void ResumableStream::EndWith(const absl::Status& status) {
  storage::MutexLock lock(mutex_);
  if (!end_.has_value()) end_ = status;
  if (doing_ == Doing::kWaiting) FinishNow(*end_);
}

base::Work ResumableStream::Ending(const absl::Status& status) {
  return [stream = weak_from_this(), status] {
    if (const std::shared_ptr<ResumableStream> self = stream.lock()) self->EndWith(status);
  };
}

void ResumableStream::FinishNow(const absl::Status& status) {
  if (std::exchange(doing_, Doing::kEnded) == Doing::kEnded) return;
  record_.Ended(status);
  Finish(ToGrpc(status));
}

void ResumableStream::OnCancel() { EndWith(absl::CancelledError()); }

void ResumableStream::OnDone() {
  deadline_.Forget();
  open_ = OpenCalls::Handle();
  if (credential_end_ != 0) edge_.executor.Cancel(credential_end_);
  // Here, never in its own callback: that would wait for itself.
  subscription_ = commit::Subscriptions::Handle();
  // Perhaps the last reference.
  const std::shared_ptr<ResumableStream> self = std::move(self_);
}

}  // namespace caresync::rpc

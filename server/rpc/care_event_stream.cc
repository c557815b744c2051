#include "server/rpc/care_event_stream.h"

#include <utility>

#include "server/base/errors.h"
#include "server/base/status_macros.h"
#include "server/records/record_key.h"
#include "server/roster/care_event_stream.h"
#include "server/roster/validation.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/error_details.h"
#include "server/rpc/message.h"
#include "server/tenants/tenants.h"

namespace caresync::rpc {
namespace {

constexpr char kMethod[] = "RosterService.StreamCareEvents";
constexpr RoleSet kRoles = {access::Role::kRostering};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* CareEventStream::Serve(Edge& edge, grpc::CallbackServerContext* context,
                                                                   const grpc::ByteBuffer* request) {
  std::shared_ptr<CareEventStream> stream(new CareEventStream(edge, context));
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

CareEventStream::CareEventStream(Edge& edge, grpc::CallbackServerContext* context)
    : edge_(edge), record_(kMethod, edge.clock), deadline_(edge.executor, context) {}

absl::Status CareEventStream::Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request) {
  access::Verified verified = Authenticate(edge_.verifier, context, kRoles, kMethod);
  if (verified.identity.has_value()) record_.SetCaller(*verified.identity);
  RETURN_IF_ERROR(verified.status);
  caller_ = *std::move(verified.identity);
  RETURN_IF_ERROR(roster::ValidateSource(caller_.subject));
  grpc::ByteBuffer bytes = request;
  ASSIGN_OR_RETURN(v1::StreamCareEventsRequest parsed, ParseMessage<v1::StreamCareEventsRequest>(bytes));
  resume_token_ = std::move(*parsed.mutable_resume_token());
  follow_ = parsed.follow();
  ASSIGN_OR_RETURN(open_, edge_.other_calls.Enter([stream = weak_from_this()](const absl::Status& status) {
    if (const std::shared_ptr<CareEventStream> self = stream.lock()) self->EndWith(status);
  }));
  if (!follow_) return absl::OkStatus();
  // Before the first read, so that no commit falls between them.
  subscription_ = edge_.subscriptions.Subscribe(caller_.tenant, records::SourceReceiver(caller_.subject),
                                                [stream = weak_from_this()](base::Revision) {
                                                  if (const std::shared_ptr<CareEventStream> self = stream.lock()) {
                                                    self->Wake();
                                                  }
                                                });
  // Nothing but its credential's end may wake it for days.
  const absl::Duration left = caller_.expires - edge_.clock.Now();
  credential_end_ = edge_.executor.PostAfter(left, [stream = weak_from_this()] {
    if (const std::shared_ptr<CareEventStream> self = stream.lock()) self->EndWith(base::errors::CredentialExpired());
  });
  return absl::OkStatus();
}

void CareEventStream::PostRead() {
  doing_ = Doing::kReading;
  woken_ = false;
  edge_.executor.Post([self = shared_from_this()] { self->ReadOn(); });
}

absl::StatusOr<v1::StreamCareEventsResponse> CareEventStream::ReadMessage() const {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge_.store.NewSnapshot());
  RETURN_IF_ERROR(tenants::GetTenant(*snapshot, caller_.tenant).status());
  return roster::ReadCareEvents(*snapshot, caller_.tenant, caller_.subject, resume_token_, edge_.sealer);
}

void CareEventStream::ReadOn() {
  const absl::StatusOr<v1::StreamCareEventsResponse> response = ReadMessage();
  if (!response.ok()) {
    storage::MutexLock lock(mutex_);
    return FinishNow(end_.value_or(response.status()));
  }
  // A commit may have moved the feed without an event that this source has not had.
  const bool nothing_new = response->events_size() == 0 && response->caught_up() && said_caught_up_;
  resume_token_ = response->resume_token();
  said_caught_up_ = response->caught_up();
  if (nothing_new) return GoOn(/*caught_up=*/true);

  grpc::ByteBuffer bytes = SerializeMessage(*response);
  storage::MutexLock lock(mutex_);
  if (end_.has_value()) return FinishNow(*end_);
  doing_ = Doing::kWriting;
  outgoing_.Swap(&bytes);
  deadline_.Start();
  StartWrite(&outgoing_);
}

void CareEventStream::OnWriteDone(bool ok) {
  deadline_.Stop();
  if (ok) return GoOn(said_caught_up_);
  storage::MutexLock lock(mutex_);
  FinishNow(end_.value_or(absl::CancelledError()));
}

void CareEventStream::GoOn(bool caught_up) {
  storage::MutexLock lock(mutex_);
  if (end_.has_value()) return FinishNow(*end_);
  if (!caught_up || woken_) return PostRead();
  if (!follow_) return FinishNow(absl::OkStatus());
  doing_ = Doing::kWaiting;
}

void CareEventStream::Wake() {
  storage::MutexLock lock(mutex_);
  woken_ = true;
  if (doing_ == Doing::kWaiting) PostRead();
}

void CareEventStream::EndWith(const absl::Status& status) {
  storage::MutexLock lock(mutex_);
  if (!end_.has_value()) end_ = status;
  if (doing_ == Doing::kWaiting) FinishNow(*end_);
}

void CareEventStream::FinishNow(const absl::Status& status) {
  if (std::exchange(doing_, Doing::kEnded) == Doing::kEnded) return;
  record_.Ended(status);
  Finish(ToGrpc(status));
}

void CareEventStream::OnCancel() { EndWith(absl::CancelledError()); }

void CareEventStream::OnDone() {
  deadline_.Forget();
  open_ = OpenCalls::Handle();
  if (credential_end_ != 0) edge_.executor.Cancel(credential_end_);
  // Here, never in its own callback: that would wait for itself.
  subscription_ = commit::Subscriptions::Handle();
  // Perhaps the last reference.
  const std::shared_ptr<CareEventStream> self = std::move(self_);
}

}  // namespace caresync::rpc

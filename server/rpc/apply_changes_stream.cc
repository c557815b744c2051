#include "server/rpc/apply_changes_stream.h"

#include <utility>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/sequencer.h"
#include "server/roster/take_message.h"
#include "server/roster/validation.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/error_details.h"
#include "server/rpc/message.h"

namespace caresync::rpc {
namespace {

constexpr char kMethod[] = "RosterService.ApplyChanges";
constexpr RoleSet kRoles = {access::Role::kRostering};

v1::ApplyChangesResponse WithCommit(v1::ApplyChangesResponse response, const base::CommitPoint& head) {
  response.mutable_commit()->set_revision(head.revision);
  response.mutable_commit()->set_timeline(head.timeline);
  return response;
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ApplyChangesStream::Serve(
    Edge& edge, grpc::CallbackServerContext* context) {
  std::shared_ptr<ApplyChangesStream> stream(new ApplyChangesStream(edge, context));
  stream->self_ = stream;
  if (const absl::Status admitted = stream->Admit(*context); !admitted.ok()) {
    stream->EndWith(admitted);
  } else {
    stream->Advance();
  }
  return stream.get();
}

ApplyChangesStream::ApplyChangesStream(Edge& edge, grpc::CallbackServerContext* context)
    : edge_(edge), context_(context), record_(kMethod, edge.clock), deadline_(edge.executor, context) {}

absl::Status ApplyChangesStream::Admit(const grpc::CallbackServerContext& context) {
  access::Verified verified = Authenticate(edge_.verifier, context, kRoles, kMethod);
  if (verified.identity.has_value()) record_.SetCaller(*verified.identity);
  RETURN_IF_ERROR(verified.status);
  caller_ = *std::move(verified.identity);
  RETURN_IF_ERROR(roster::ValidateSource(caller_.subject));
  ASSIGN_OR_RETURN(open_, edge_.other_calls.Enter([stream = weak_from_this()](const absl::Status& status) {
    if (const std::shared_ptr<ApplyChangesStream> self = stream.lock()) self->EndWith(status);
  }));
  return absl::OkStatus();
}

void ApplyChangesStream::EndWith(const absl::Status& status) {
  {
    storage::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
  }
  Advance();
}

void ApplyChangesStream::Advance() {
  const std::shared_ptr<ApplyChangesStream> self = shared_from_this();
  storage::MutexLock lock(mutex_);
  // What is applied is answered, if the stream still stands: the caller should know.
  if (finished_ || applying_) return;
  const bool held_back = response_.has_value() && writing_;
  if (!held_back && !end_.has_value() && !next_.has_value() && !half_closed_) ReadMore();
  if (response_.has_value() && !writing_) WriteResponse();
  if (response_.has_value()) return;
  if (!end_.has_value() && next_.has_value()) {
    applying_ = true;
    edge_.executor.Post([self, bytes = *std::exchange(next_, std::nullopt)] { self->Apply(bytes); });
    return;
  }
  if (writing_ || (reading_ && !end_.has_value())) return;
  finished_ = true;
  ForgetSilence();
  const absl::Status status = end_.value_or(absl::OkStatus());
  record_.Ended(status);
  Finish(ToGrpc(status));
}

void ApplyChangesStream::ReadMore() {
  if (std::exchange(reading_, true)) return;
  silence_ = edge_.executor.PostAfter(base::limits::kChangesSilence, [stream = weak_from_this()] {
    if (const std::shared_ptr<ApplyChangesStream> self = stream.lock()) self->EndWith(base::errors::ChangesSilent());
  });
  StartRead(&incoming_);
}

void ApplyChangesStream::ForgetSilence() {
  if (silence_ != 0) edge_.executor.Cancel(std::exchange(silence_, 0));
}

void ApplyChangesStream::WriteResponse() {
  outgoing_ = *std::exchange(response_, std::nullopt);
  writing_ = true;
  deadline_.Start();
  StartWrite(&outgoing_);
}

void ApplyChangesStream::OnReadDone(bool ok) {
  {
    storage::MutexLock lock(mutex_);
    reading_ = false;
    ForgetSilence();
    if (ok) {
      next_ = std::move(incoming_);
    } else {
      half_closed_ = true;
      // A stream that was cut ends like that too.
      if (context_->IsCancelled() && !end_.has_value()) end_ = absl::CancelledError();
    }
  }
  Advance();
}

void ApplyChangesStream::Apply(grpc::ByteBuffer bytes) {
  // The stream may be older than the credential is good for.
  if (edge_.clock.Now() >= caller_.expires) return Applied(base::errors::CredentialExpired());
  absl::StatusOr<v1::ApplyChangesRequest> parsed = ParseMessage<v1::ApplyChangesRequest>(bytes);
  if (!parsed.ok()) return Applied(parsed.status());
  const bool first = std::exchange(first_message_, false);
  auto request = std::make_shared<const v1::ApplyChangesRequest>(*std::move(parsed));
  auto response = std::make_shared<v1::ApplyChangesResponse>();
  edge_.sequencer.Submit(
      caller_.tenant,
      [self = shared_from_this(), request, response, first](commit::Transaction& transaction) -> absl::Status {
        const roster::SourceStream stream{self->caller_.subject, self->edge_.sync.opening};
        ASSIGN_OR_RETURN(*response, roster::TakeMessage(transaction, stream, first, *request));
        return absl::OkStatus();
      },
      [self = shared_from_this(), response](const absl::StatusOr<commit::Committed>& committed) {
        if (!committed.ok()) return self->Applied(committed.status());
        self->Applied(WithCommit(std::move(*response), committed->head));
      },
      request->ByteSizeLong());
}

void ApplyChangesStream::Applied(absl::StatusOr<v1::ApplyChangesResponse> response) {
  {
    storage::MutexLock lock(mutex_);
    applying_ = false;
    if (response.ok()) {
      response_ = SerializeMessage(*response);
    } else if (!end_.has_value()) {
      end_ = response.status();
    }
  }
  Advance();
}

void ApplyChangesStream::OnWriteDone(bool ok) {
  {
    storage::MutexLock lock(mutex_);
    deadline_.Stop();
    writing_ = false;
    if (!ok) {
      response_.reset();
      if (!end_.has_value()) end_ = absl::CancelledError();
    }
  }
  Advance();
}

void ApplyChangesStream::OnCancel() { EndWith(absl::CancelledError()); }

void ApplyChangesStream::OnDone() {
  deadline_.Forget();
  open_ = OpenCalls::Handle();
  // Perhaps the last reference.
  const std::shared_ptr<ApplyChangesStream> self = std::move(self_);
}

}  // namespace caresync::rpc

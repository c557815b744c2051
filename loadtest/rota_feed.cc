#include "loadtest/rota_feed.h"

#include <utility>

#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// Messages that are on their way at once, so that the server need not wait for the next one.
constexpr size_t kUnanswered = 4;

}  // namespace

RotaFeed::RotaFeed(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization, std::string server)
    : server_(std::move(server)), stub_(v1::RosterService::NewStub(channel)) {
  context_.AddMetadata("authorization", authorization);
  stream_ = stub_->ApplyChanges(&context_);
}

RotaFeed::~RotaFeed() {
  if (ended_) return;
  context_.TryCancel();
  stream_->Finish();
}

absl::StatusOr<v1::ApplyChangesResponse> RotaFeed::Apply(const v1::ApplyChangesRequest& request) {
  RETURN_IF_ERROR(Send(request));
  return Receive();
}

absl::Status RotaFeed::Send(const v1::ApplyChangesRequest& request) {
  if (!stream_->Write(request)) return End();
  ++unanswered_;
  return absl::OkStatus();
}

absl::StatusOr<v1::ApplyChangesResponse> RotaFeed::Receive() {
  v1::ApplyChangesResponse response;
  if (!stream_->Read(&response)) return End();
  --unanswered_;
  return response;
}

absl::Status RotaFeed::SendAll(const NextMessage& next, const OnAnswer& on_answer) {
  while (true) {
    while (unanswered_ < kUnanswered) {
      const v1::ApplyChangesRequest* request = next();
      if (request == nullptr) break;
      RETURN_IF_ERROR(Send(*request));
    }
    if (unanswered_ == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(v1::ApplyChangesResponse response, Receive());
    RETURN_IF_ERROR(on_answer(std::move(response)));
  }
}

absl::Status RotaFeed::Close() {
  stream_->WritesDone();
  v1::ApplyChangesResponse response;
  if (stream_->Read(&response)) {
    context_.TryCancel();
    End().IgnoreError();
    return cli::errors::ServerBrokeProtocol("more answers than messages");
  }
  ended_ = true;
  return cli::errors::FromCall(stream_->Finish(), server_);
}

absl::Status RotaFeed::End() {
  ended_ = true;
  absl::Status status = cli::errors::FromCall(stream_->Finish(), server_);
  if (!status.ok()) return status;
  return cli::errors::ServerBrokeProtocol("the stream of changes ended before every message had its answer");
}

}  // namespace caresync::loadtest

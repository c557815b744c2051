// A rostering system's stream of changes.
#ifndef CARESYNC_LOADTEST_ROTA_FEED_H_
#define CARESYNC_LOADTEST_ROTA_FEED_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace caresync::loadtest {

// Of a message, where a source sends as fast as it is answered.
inline constexpr int kVisitsOfMessage = 100;

// One stream of ApplyChanges. Used by one thread. Errors are those of the call, as errors::FromCall of tools/caresync.
class RotaFeed {
 public:
  // `server` names it in errors.
  RotaFeed(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization, std::string server);
  // Cuts the stream, where it was not closed.
  ~RotaFeed();
  RotaFeed(const RotaFeed&) = delete;
  RotaFeed& operator=(const RotaFeed&) = delete;

  // Sends a message and waits for its answer. Only while nothing is unanswered.
  absl::StatusOr<v1::ApplyChangesResponse> Apply(const v1::ApplyChangesRequest& request);

  // Sends a message; its answer comes by Receive, in order.
  absl::Status Send(const v1::ApplyChangesRequest& request);
  absl::StatusOr<v1::ApplyChangesResponse> Receive();
  size_t unanswered() const { return unanswered_; }

  // The message to be sent next, which stays where it is until it is sent; null where there is none, now or later.
  using NextMessage = std::function<const v1::ApplyChangesRequest*()>;
  // Takes an answer, in order.
  using OnAnswer = std::function<absl::Status(v1::ApplyChangesResponse response)>;
  // Sends as fast as the answers come, a few messages ahead of them, until there is no next one and nothing is
  // unanswered. Errors: also those of `on_answer`, which end it.
  absl::Status SendAll(const NextMessage& next, const OnAnswer& on_answer);

  // Says that nothing more comes, and waits for the stream's end. Nothing is unanswered.
  absl::Status Close();

 private:
  // Why the stream ended.
  absl::Status End();

  const std::string server_;
  std::unique_ptr<v1::RosterService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ApplyChangesRequest, v1::ApplyChangesResponse>> stream_;
  size_t unanswered_ = 0;
  bool ended_ = false;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ROTA_FEED_H_

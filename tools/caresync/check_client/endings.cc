#include "tools/caresync/check_client/endings.h"

#include <algorithm>
#include <string>

#include "google/protobuf/duration.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace caresync::cli::check {
namespace {

struct Ending {
  std::string_view reason;
  grpc::StatusCode code;
  // 0: coming back does not help.
  int retry_seconds;
};

// The codes are those of the table of reasons in docs/protocol.md; a test compares them.
constexpr Ending kEndings[] = {
    {"OK", grpc::StatusCode::OK, 0},
    {"ACK_NEVER_ISSUED", grpc::StatusCode::INVALID_ARGUMENT, 0},
    {"APP_TOO_OLD", grpc::StatusCode::FAILED_PRECONDITION, 0},
    {"CARER_LEFT", grpc::StatusCode::PERMISSION_DENIED, 0},
    {"CARER_NOT_A_USER", grpc::StatusCode::PERMISSION_DENIED, 0},
    {"CLEAN_SYNC_WOULD_LOSE_WORK", grpc::StatusCode::FAILED_PRECONDITION, 0},
    {"COPY_DIVERGED", grpc::StatusCode::DATA_LOSS, 0},
    {"DEVICE_BLOCKED", grpc::StatusCode::PERMISSION_DENIED, 0},
    {"DEVICE_SILENT", grpc::StatusCode::DEADLINE_EXCEEDED, 0},
    {"FAN_OUT_UNDER_WAY", grpc::StatusCode::UNAVAILABLE, 2},
    {"NO_CREDENTIAL", grpc::StatusCode::UNAUTHENTICATED, 0},
    {"OVERLOADED", grpc::StatusCode::RESOURCE_EXHAUSTED, 1},
    {"SESSION_TAKEN_OVER", grpc::StatusCode::ABORTED, 0},
    {"SHUTTING_DOWN", grpc::StatusCode::UNAVAILABLE, 1},
    {"TOKEN_NOT_VALID", grpc::StatusCode::INVALID_ARGUMENT, 0},
    {"TOKEN_OF_ANOTHER_COPY", grpc::StatusCode::INVALID_ARGUMENT, 0},
    {"WAITING_AFTER_RESTORE", grpc::StatusCode::UNAVAILABLE, 2},
};

const Ending* Find(std::string_view reason) {
  const auto* found =
      std::find_if(std::begin(kEndings), std::end(kEndings), [&](const Ending& e) { return e.reason == reason; });
  return found == std::end(kEndings) ? nullptr : found;
}

}  // namespace

bool IsEnding(std::string_view reason) { return Find(reason) != nullptr; }

grpc::Status EndingOf(std::string_view reason, std::optional<absl::Duration> retry_after) {
  const Ending& ending = *Find(reason);
  if (ending.code == grpc::StatusCode::OK) return grpc::Status::OK;
  const std::string message = "check-client ends the stream with " + std::string(reason);
  google::rpc::Status details;
  details.set_code(ending.code);
  details.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain("caresync");
  details.add_details()->PackFrom(info);
  if (ending.retry_seconds != 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(
        absl::ToInt64Seconds(retry_after.value_or(absl::Seconds(ending.retry_seconds))));
    details.add_details()->PackFrom(retry);
  }
  return grpc::Status(ending.code, message, details.SerializeAsString());
}

grpc::Status CutEnding() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the connection was cut"); }

}  // namespace caresync::cli::check

// An error as the server sends it.
#ifndef CARESYNC_TESTS_CLI_SERVER_ERROR_H_
#define CARESYNC_TESTS_CLI_SERVER_ERROR_H_

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace caresync::cli {

// Where `retry_seconds` is not 0, it says to come back then.
inline grpc::Status ServerError(grpc::StatusCode code, const std::string& reason, const std::string& message,
                                int retry_seconds = 0) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(retry_seconds);
  if (retry_seconds != 0) details.add_details()->PackFrom(retry);
  return {code, message, details.SerializeAsString()};
}

}  // namespace caresync::cli

#endif  // CARESYNC_TESTS_CLI_SERVER_ERROR_H_

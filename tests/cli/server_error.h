// An error as the server sends it.
#ifndef CARESYNC_TESTS_CLI_SERVER_ERROR_H_
#define CARESYNC_TESTS_CLI_SERVER_ERROR_H_

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace caresync::cli {

inline grpc::Status ServerError(grpc::StatusCode code, const std::string& reason, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return {code, message, details.SerializeAsString()};
}

}  // namespace caresync::cli

#endif  // CARESYNC_TESTS_CLI_SERVER_ERROR_H_

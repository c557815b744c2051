// Errors on the wire: the status' code and message, with google.rpc.ErrorInfo (the stable reason, domain "caresync")
// and, where coming back helps, google.rpc.RetryInfo.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_RPC_ERROR_DETAILS_H_
#define CARESYNC_SERVER_RPC_ERROR_DETAILS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace caresync::rpc {

grpc::Status ToGrpc(const absl::Status& status);

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_ERROR_DETAILS_H_

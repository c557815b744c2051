// How gRPC is set up for serving: one place, so that the server of the load test that does no work is measured with the
// very settings of the one that does.
#ifndef CARESYNC_SERVER_RPC_SERVER_SETTINGS_H_
#define CARESYNC_SERVER_RPC_SERVER_SETTINGS_H_

#include "grpcpp/server_builder.h"

namespace caresync::rpc {

// What is of the whole process: where gRPC and protobuf log to, health, reflection, that Abseil looks for no deadlocks.
// Before a server is built.
void SetUpProcess();

// The bounds on connections, calls and messages, and how often peers may ping and are pinged.
void SetBounds(grpc::ServerBuilder& builder);

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_SERVER_SETTINGS_H_

#include "loadtest/connections.h"

#include <utility>

namespace caresync::loadtest {
namespace {

// A record may be 1 MiB, and a message a little more.
constexpr int kMessageBytes = 4 * 1024 * 1024;

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytes);
  // Channels to one address share a connection otherwise.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A call that fails is to be seen, not hidden by another.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Connections::Connections(std::string server, size_t count) : server_(std::move(server)), office_(Connect(server_)) {
  for (size_t i = 0; i < count; ++i) stubs_.push_back(v1::DeviceSyncService::NewStub(Connect(server_)));
}

Connections::Connections(const std::vector<std::string>& servers)
    : server_(servers.front()), office_(Connect(server_)) {
  for (const std::string& server : servers) stubs_.push_back(v1::DeviceSyncService::NewStub(Connect(server)));
}

}  // namespace caresync::loadtest

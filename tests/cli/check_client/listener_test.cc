#include "tools/caresync/check_client/listener.h"

#include <chrono>
#include <string>

#include "caresync/v1/device_sync.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace caresync::cli::check {
namespace {

TEST(Listener, RefusesCompressedMessagesAsAServerDoes) {
  Inbox inbox;
  const auto listener = Listener::Start("127.0.0.1:0", inbox);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const auto stub =
      v1::DeviceSyncService::NewStub(grpc::CreateChannel((*listener)->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const auto stream = stub->Sync(&context);
  v1::SyncRequest request;
  // Long enough to be worth it.
  request.mutable_start()->set_device_name(std::string(10'000, 'x'));
  stream->Write(request);
  v1::SyncResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace caresync::cli::check

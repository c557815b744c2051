#include <signal.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "health.grpc.pb.h"
#include "reflection.grpc.pb.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using testing::UnorderedElementsAre;

// None of these calls carries a credential.
class HealthTest : public testing::Test {
 protected:
  std::unique_ptr<grpc::ClientContext> Context() const { return client_.ContextWith(""); }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
};

TEST_F(HealthTest, IsServingWhileTheServerServes) {
  HealthCheckResponse response;
  const grpc::Status status = Health::NewStub(client_.channel())->Check(Context().get(), {}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

TEST_F(HealthTest, TellsWhoWatchesThatTheServerGoesAway) {
  const auto stub = Health::NewStub(client_.channel());
  const auto context = Context();
  const auto watch = stub->Watch(context.get(), {});
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  kill(server_.pid(), SIGTERM);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context->TryCancel();
  watch->Finish();
  EXPECT_EQ(server_.Wait(), 0);
}

TEST_F(HealthTest, ReflectionListsTheServices) {
  const auto stub = ServerReflection::NewStub(client_.channel());
  const auto context = Context();
  const auto stream = stub->ServerReflectionInfo(context.get());
  ServerReflectionRequest request;
  request.set_list_services("*");
  stream->Write(request);
  stream->WritesDone();
  ServerReflectionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  std::vector<std::string> services;
  for (const auto& service : response.list_services_response().service()) services.push_back(service.name());
  EXPECT_THAT(services, UnorderedElementsAre("caresync.v1.CareEventService", "caresync.v1.DeliveryService",
                                             "caresync.v1.DeviceService", "caresync.v1.DeviceSyncService",
                                             "caresync.v1.MismatchService", "caresync.v1.RosterService",
                                             "caresync.v1.ServiceUserService", "caresync.v1.TenantService",
                                             "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"));
}

// Each that is open holds a thread, and anybody may open them.
TEST_F(HealthTest, StreamsOfReflectionAreBoundedAndDisturbNobody) {
  constexpr int kConnections = 3;
  constexpr int kStreams = kConnections * base::limits::kStreamsPerConnection;
  std::atomic<int> refused = 0;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::future<void>> ends;
  for (int i = 0; i < kStreams; ++i) {
    grpc::ChannelArguments arguments;
    // Channels of other arguments have connections of their own.
    arguments.SetInt("caresync.connection", i % kConnections);
    const auto channel = grpc::CreateCustomChannel(server_.address(), grpc::InsecureChannelCredentials(), arguments);
    contexts.push_back(Context());
    ends.push_back(std::async(std::launch::async, [&refused, channel, context = contexts.back().get()] {
      const auto stub = ServerReflection::NewStub(channel);
      const grpc::Status end = stub->ServerReflectionInfo(context)->Finish();
      if (end.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) ++refused;
    }));
  }
  EXPECT_TRUE(fakes::Eventually([&] { return refused >= kStreams - base::limits::kReflectionThreads; }));
  client_.CreateTenant("acme");
  for (const auto& context : contexts) context->TryCancel();
  for (std::future<void>& end : ends) end.get();
}

TEST_F(HealthTest, CompressedMessagesAreRefusedBeforeTheyGrow) {
  const auto context = Context();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  HealthCheckRequest request;
  request.set_service(std::string(100'000, 'x'));
  HealthCheckResponse response;
  const grpc::Status status = Health::NewStub(client_.channel())->Check(context.get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
}

}  // namespace
}  // namespace caresync::integration

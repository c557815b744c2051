#include "server/rpc/server.h"

#include <memory>

#include "gtest/gtest.h"
#include "health.grpc.pb.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckResponse;

HealthCheckResponse::ServingStatus HealthOf(const ServedEdge& edge) {
  HealthCheckResponse response;
  const auto context = edge.client().ContextWith("");
  const grpc::Status status = Health::NewStub(edge.client().channel())->Check(context.get(), {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

TEST(Server, IsNotServingWhileTheStoreIsFull) {
  ServedEdge edge;
  EXPECT_FALSE(edge.server().TellHealth());
  EXPECT_EQ(HealthOf(edge), HealthCheckResponse::SERVING);
  edge.client().CreateTenant("acme");

  edge.store().SetFull(true);
  EXPECT_TRUE(edge.server().TellHealth());
  EXPECT_FALSE(edge.server().TellHealth());
  EXPECT_EQ(HealthOf(edge), HealthCheckResponse::NOT_SERVING);
  v1::CreateTenantRequest request;
  request.mutable_tenant()->set_tenant_id("second");
  v1::Tenant tenant;
  const grpc::Status refused = edge.client().Call(edge.client().tenants(), &v1::TenantService::Stub::CreateTenant,
                                                  integration::AsOperator(), request, &tenant);
  EXPECT_EQ(integration::ReasonOf(refused), "STORE_FULL");

  edge.store().SetFull(false);
  EXPECT_TRUE(edge.server().TellHealth());
  EXPECT_EQ(HealthOf(edge), HealthCheckResponse::SERVING);
  edge.client().CreateTenant("second");
}

TEST(Server, TellsWhoWatchesItsHealthOfEachChange) {
  ServedEdge edge;
  const auto stub = Health::NewStub(edge.client().channel());
  const auto context = edge.client().ContextWith("");
  const auto watch = stub->Watch(context.get(), {});
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  edge.store().FailReads(true);
  edge.server().TellHealth();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  edge.store().FailReads(false);
  edge.server().TellHealth();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  context->TryCancel();
  watch->Finish();
}

}  // namespace
}  // namespace caresync::rpc

// A server that has as many sessions as it may have: whoever comes is told so, and the office sees that it came.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/integration/device.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

v1::Device RowOf(const integration::Client& client, const std::string& tenant) {
  v1::GetDeviceRequest request;
  request.set_device_uuid(kDevice);
  v1::Device row;
  const grpc::Status status = client.Call(client.devices(), &v1::DeviceService::Stub::GetDevice,
                                          integration::As(access::Role::kSupport, tenant), request, &row);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return row;
}

// So many places, each as soon as it is free: a device hears that its sync has ended a moment before.
std::vector<OpenCalls::Handle> Take(OpenCalls& calls, size_t count) {
  std::vector<OpenCalls::Handle> taken;
  const auto take_one = [&] {
    absl::StatusOr<OpenCalls::Handle> place = calls.Enter([](const absl::Status&) {});
    if (place.ok()) taken.push_back(*std::move(place));
    return place.ok();
  };
  while (taken.size() < count && fakes::Eventually(take_one)) continue;
  EXPECT_EQ(taken.size(), count);
  return taken;
}

// Requirement: R3, R4
TEST(FullServer, ADeviceThatItHasNoRoomForIsRefusedByNameAndSeenInTheReport) {
  ServedEdge edge;
  const integration::Client& client = edge.client();
  client.CreateTenant("acme");
  const std::string carer = client.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
  integration::Device device(client, "acme", carer, kDevice);
  ASSERT_TRUE(device.Sync().ok());

  std::vector<OpenCalls::Handle> others = Take(edge.sessions(), base::limits::kSessions);
  const grpc::Status status = device.Sync();
  EXPECT_EQ(integration::ReasonOf(status), "OVERLOADED");
  EXPECT_TRUE(integration::RetryDelayOf(status).has_value());
  EXPECT_EQ(RowOf(client, "acme").last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(RowOf(client, "acme").last_api_call_reason(), "OVERLOADED");
  EXPECT_EQ(RowOf(client, "acme").successful_syncs_7_days(), 1u);

  others.pop_back();
  EXPECT_TRUE(device.Sync().ok());
  EXPECT_EQ(RowOf(client, "acme").last_api_call(), v1::CALL_STATE_SUCCEEDED);
}

TEST(FullServer, WhereManyAreRefusedAtOnceNotEachIsWrittenDown) {
  ServedEdge edge;
  const integration::Client& client = edge.client();
  client.CreateTenant("acme");
  const std::string carer = client.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
  integration::Device device(client, "acme", carer, kDevice);
  ASSERT_TRUE(device.Sync().ok());
  const std::vector<OpenCalls::Handle> sessions = Take(edge.sessions(), base::limits::kSessions);
  std::vector<OpenCalls::Handle> refused = Take(edge.refused_calls(), kRefusedAtOnce);
  EXPECT_EQ(integration::ReasonOf(device.Sync()), "OVERLOADED");
  EXPECT_EQ(RowOf(client, "acme").last_api_call(), v1::CALL_STATE_SUCCEEDED);

  refused.pop_back();
  // One after the other: each leaves its place to the next.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(integration::ReasonOf(device.Sync()), "OVERLOADED");
  EXPECT_EQ(RowOf(client, "acme").last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(Take(edge.refused_calls(), 1).size(), 1u);
}

}  // namespace
}  // namespace caresync::rpc

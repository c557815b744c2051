// A server that has as many sessions as it may have: whoever comes is told so, and the office sees that it came.
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/integration/device.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

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

// A device that has synced once.
class FullServer : public testing::Test {
 protected:
  void SetUp() override {
    const integration::Client& client = edge_.client();
    client.CreateTenant("acme");
    carer_ = client.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
    device_.emplace(client, "acme", carer_, kDevice);
    ASSERT_TRUE(device_->Sync().ok());
  }

  grpc::Status Sync() { return device_->Sync(); }
  // With a credential that is not valid any more.
  grpc::Status SyncTooLate() const {
    const integration::Client& client = edge_.client();
    access::Identity expired = integration::AsDevice("acme", carer_, kDevice);
    expired.expires = absl::Now() - absl::Minutes(1);
    const auto context = client.ContextWith("Bearer " + client.Mint(expired));
    return client.sync().Sync(context.get())->Finish();
  }
  // Its row of the report.
  v1::Device Row() const {
    const integration::Client& client = edge_.client();
    v1::GetDeviceRequest request;
    request.set_device_uuid(kDevice);
    v1::Device row;
    const grpc::Status status = client.Call(client.devices(), &v1::DeviceService::Stub::GetDevice,
                                            integration::As(access::Role::kSupport, "acme"), request, &row);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return row;
  }

  ServedEdge edge_;
  std::string carer_;
  std::optional<integration::Device> device_;
};

// Requirement: R3, R4
TEST_F(FullServer, ADeviceThatItHasNoRoomForIsRefusedByNameAndSeenInTheReport) {
  ASSERT_TRUE(edge_.WaitForTimers(0));
  std::vector<OpenCalls::Handle> others = Take(edge_.sessions(), base::limits::kSessions);
  const grpc::Status status = Sync();
  EXPECT_EQ(integration::ReasonOf(status), "OVERLOADED");
  EXPECT_TRUE(integration::RetryDelayOf(status).has_value());
  ASSERT_TRUE(edge_.WaitForTimers(1));
  edge_.Advance(base::limits::kShedCallsEvery);
  EXPECT_TRUE(fakes::Eventually([&] { return Row().last_api_call() == v1::CALL_STATE_FAILED; }));
  EXPECT_EQ(Row().last_api_call_reason(), "OVERLOADED");
  EXPECT_EQ(Row().successful_syncs_7_days(), 1u);

  others.pop_back();
  EXPECT_TRUE(Sync().ok());
  EXPECT_EQ(Row().last_api_call(), v1::CALL_STATE_SUCCEEDED);
}

TEST_F(FullServer, WhereManyAreRefusedAtOnceNotEachIsWrittenDown) {
  std::vector<OpenCalls::Handle> refused = Take(edge_.refused_calls(), kRefusedAtOnce);
  EXPECT_EQ(integration::ReasonOf(SyncTooLate()), "CREDENTIAL_EXPIRED");
  EXPECT_EQ(Row().last_api_call(), v1::CALL_STATE_SUCCEEDED);

  refused.pop_back();
  // One after the other: each leaves its place to the next.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(integration::ReasonOf(SyncTooLate()), "CREDENTIAL_EXPIRED");
  EXPECT_EQ(Row().last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(Take(edge_.refused_calls(), 1).size(), 1u);
}

}  // namespace
}  // namespace caresync::rpc

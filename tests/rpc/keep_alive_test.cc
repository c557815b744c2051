// A device whose network keeps the path open and which itself says nothing, over real gRPC.
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/rota.h"
#include "tests/integration/device.h"
#include "tests/rpc/pinging_relay.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using integration::Device;
using integration::SyncCall;

namespace limits = base::limits;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
// What a session has set while it waits for the device.
constexpr size_t kWaiting = 1;

TEST(KeepAlive, IsNoSyncAndNoWordOfTheDevice) {
  ServedEdge edge;
  edge.client().CreateTenant("acme");
  const std::string carer = edge.client().Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
  PingingRelay relay(edge.server().port());
  const std::unique_ptr<integration::Client> phone = edge.ClientBy(relay.address());
  Device device(*phone, "acme", carer, kDevice);
  const Device seen_by_office(edge.client(), "acme", carer, kDevice);

  SyncCall call = device.Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  ASSERT_TRUE(edge.WaitForTimers(kWaiting));
  ASSERT_TRUE(relay.Ping());
  v1::SyncSummary last = seen_by_office.History().at(0);
  EXPECT_EQ(last.outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  EXPECT_EQ(last.stage(), v1::SYNC_STAGE_CONFIRMING);

  edge.Advance(limits::kDeviceSilence - absl::Seconds(1));
  ASSERT_TRUE(relay.Ping());
  const grpc::Status end = edge.AdvanceUntil(std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); }),
                                             kWaiting, absl::Seconds(1));
  EXPECT_EQ(integration::ReasonOf(end), "DEVICE_SILENT");
  const std::vector<v1::SyncSummary> history = seen_by_office.History();
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

}  // namespace
}  // namespace caresync::rpc

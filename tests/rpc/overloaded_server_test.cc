// A server with more to do than it can, and crowds of devices that do not do their part, over real gRPC.
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/test_device.h"
#include "tests/integration/device.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using integration::As;
using integration::Client;
using integration::Device;
using integration::SyncCall;
using testing::HasSubstr;
using testing::Not;

namespace limits = base::limits;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
// Several batches: more than leaves while nobody reads.
constexpr int kVisits = 100;

class OverloadedServerTest : public testing::Test {
 protected:
  OverloadedServerTest() {
    client().CreateTenant("acme");
    carer_ = client()
                 .Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")})
                 .results(0)
                 .record_id();
    client().Apply("acme", "rota", fakes::LongVisitChanges(kVisits, "su", {"ann"}));
    good_ = std::make_unique<Device>(client(), "acme", carer_, kDevice);
  }

  const Client& client() const { return edge_.client(); }

  void ExpectShed(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(integration::ReasonOf(status), "OVERLOADED");
    const std::optional<absl::Duration> delay = integration::RetryDelayOf(status);
    ASSERT_TRUE(delay.has_value());
    EXPECT_GE(*delay, limits::kOverloadRetryAfter);
    EXPECT_LT(*delay, limits::kOverloadRetryAfter + limits::kOverloadRetrySpread);
  }

  void ExpectTheGoodOneSyncs() {
    const grpc::Status status = good_->Sync();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(good_->held().in_use.size(), kVisits + 2u);
  }

  grpc::Status ListDevices() {
    v1::ListDevicesResponse response;
    return client().Call(client().devices(), &v1::DeviceService::Stub::ListDevices, As(access::Role::kSupport, "acme"),
                         v1::ListDevicesRequest(), &response);
  }

  v1::Device Row(const std::string& uuid) {
    v1::GetDeviceRequest request;
    request.set_device_uuid(uuid);
    v1::Device row;
    const grpc::Status status = client().Call(client().devices(), &v1::DeviceService::Stub::GetDevice,
                                              As(access::Role::kSupport, "acme"), request, &row);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return row;
  }

  ServedEdge edge_;
  std::string carer_;
  std::unique_ptr<Device> good_;
};

TEST_F(OverloadedServerTest, EveryCallIsRefusedUntilTheWorkIsDone) {
  edge_.SetDelay(limits::kCallDelay);
  ExpectShed(good_->Sync());
  ExpectShed(ListDevices());
  const auto context = client().Context(As(access::Role::kRostering, "acme", "rota"));
  ExpectShed(client().roster().ApplyChanges(context.get())->Finish());
  edge_.SetDelay(absl::ZeroDuration());
  ExpectTheGoodOneSyncs();
  EXPECT_TRUE(ListDevices().ok());
}

// It is answered before anything is read or written for it; the office sees a moment later that it came.
TEST_F(OverloadedServerTest, ADeviceThatIsShedIsSeenInTheReport) {
  ExpectTheGoodOneSyncs();
  ASSERT_TRUE(edge_.WaitForTimers(0));
  Device unknown(client(), "acme", carer_, "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60");
  edge_.SetDelay(limits::kCallDelay);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) ExpectShed(good_->Sync());
  ExpectShed(unknown.Sync());
  edge_.SetDelay(absl::ZeroDuration());
  EXPECT_EQ(Row(kDevice).last_api_call(), v1::CALL_STATE_SUCCEEDED);
  ASSERT_TRUE(edge_.WaitForTimers(1));
  edge_.Advance(limits::kShedCallsEvery);
  ASSERT_TRUE(fakes::Eventually([&] { return Row(kDevice).last_api_call() == v1::CALL_STATE_FAILED; }));
  EXPECT_EQ(Row(kDevice).last_api_call_reason(), "OVERLOADED");
  EXPECT_EQ(Row(kDevice).successful_syncs_7_days(), 1u);
  EXPECT_TRUE(unknown.History().empty());
  good_.reset();
  edge_.Shutdown();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(" calls_shed count=4"));
  EXPECT_THAT(log, Not(HasSubstr("reason=OVERLOADED"))) << "a line for each would be more work than the call";
}

TEST_F(OverloadedServerTest, ADeviceThatHasComeBackMeanwhileIsNotShownAsRefused) {
  ExpectTheGoodOneSyncs();
  ASSERT_TRUE(edge_.WaitForTimers(0));
  edge_.SetDelay(limits::kCallDelay);
  ExpectShed(good_->Sync());
  edge_.SetDelay(absl::ZeroDuration());
  ASSERT_TRUE(edge_.WaitForTimers(1));
  edge_.Advance(limits::kShedCallsEvery / 2);
  ExpectTheGoodOneSyncs();
  ASSERT_TRUE(edge_.WaitForTimers(1));
  edge_.Advance(limits::kShedCallsEvery / 2);
  ASSERT_TRUE(edge_.WaitForWork());
  EXPECT_EQ(Row(kDevice).last_api_call(), v1::CALL_STATE_SUCCEEDED);
}

// What was let in is finished: it is new work that is refused.
TEST_F(OverloadedServerTest, WhatHasBegunGoesOn) {
  const auto context = client().Context(As(access::Role::kRostering, "acme", "rota"));
  const auto changes = client().roster().ApplyChanges(context.get());
  const auto send = [&](const std::string& carer) {
    v1::ApplyChangesRequest request;
    *request.add_changes() = fakes::CarerChange(carer);
    request.mutable_changes(0)->set_source("rota");
    v1::ApplyChangesResponse response;
    return changes->Write(request) && changes->Read(&response) &&
           response.results(0).outcome() == v1::CHANGE_OUTCOME_CREATED;
  };
  EXPECT_TRUE(send("before"));
  fakes::TestDevice app(good_->uuid());
  const base::Uuid carer = *base::Uuid::Parse(carer_);
  SyncCall call = good_->Open();
  call.stream->Write(app.Start(carer, v1::SYNC_TYPE_STANDARD));
  v1::SyncResponse response;
  ASSERT_TRUE(call.stream->Read(&response));
  edge_.SetDelay(limits::kCallDelay);
  do {
    const std::optional<v1::SyncRequest> ack = app.Apply(carer, response);
    if (ack.has_value()) call.stream->Write(*ack);
  } while (call.stream->Read(&response));
  EXPECT_TRUE(call.stream->Finish().ok());
  EXPECT_EQ(app.of(carer).in_use.size(), kVisits + 2u);
  EXPECT_TRUE(send("meanwhile"));
  changes->WritesDone();
  EXPECT_TRUE(changes->Finish().ok());
}

TEST_F(OverloadedServerTest, CopiesAreRefusedBeforeDeltasAre) {
  ExpectTheGoodOneSyncs();
  edge_.SetDelay(limits::kCopyDelay);
  Device other(client(), "acme", carer_, "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60");
  ExpectShed(other.Sync());
  ExpectTheGoodOneSyncs();
  edge_.SetDelay(absl::ZeroDuration());
  EXPECT_TRUE(other.Sync().ok());
}

// Crowds, each on a connection of its own that takes no more calls than these.
class CrowdTest : public OverloadedServerTest {
 protected:
  static constexpr size_t kCrowd = limits::kStreamsPerConnection;

  struct Crowd {
    std::unique_ptr<Client> client;
    std::vector<std::unique_ptr<Device>> devices;
    std::vector<SyncCall> calls;
  };

  // `begin` opens each device's stream, and leaves it as that kind of device does.
  Crowd Make(int number, const std::function<SyncCall(Device&)>& begin) {
    Crowd crowd;
    crowd.client = edge_.ClientBy(absl::StrCat("127.0.0.1:", edge_.server().port()));
    for (size_t i = 0; i < kCrowd; ++i) {
      const std::string uuid = absl::StrFormat("%08d-0000-4000-8000-%012d", number, i + 1);
      crowd.devices.push_back(std::make_unique<Device>(*crowd.client, "acme", carer_, uuid));
      crowd.calls.push_back(begin(*crowd.devices.back()));
    }
    return crowd;
  }

  Crowd NeverReading() {
    return Make(1, [](Device& device) { return device.Begin(); });
  }
  Crowd NeverAcking() {
    return Make(2, [](Device& device) {
      SyncCall call = device.Begin();
      v1::SyncResponse response;
      while (!response.has_caught_up() && call.stream->Read(&response)) continue;
      EXPECT_TRUE(response.has_caught_up());
      return call;
    });
  }
  Crowd Silent() {
    return Make(3, [](Device& device) { return device.Open(); });
  }
  // Each ends its side after `start`.
  Crowd HalfOpen() {
    return Make(4, [](Device& device) {
      SyncCall call = device.Begin();
      call.stream->WritesDone();
      return call;
    });
  }

  // Asked by another connection: theirs take no more calls.
  v1::SyncSummary SyncOf(const Device& device) const {
    return Device(client(), "acme", carer_, device.uuid().ToString()).History().front();
  }

  // What fits into the connection's buffers has been sent, and no more while another device syncs.
  void WaitUntilItIsStuck(const Crowd& crowd) {
    uint64_t sent = 0;
    uint64_t before = 0;
    do {
      before = std::exchange(sent, 0);
      for (const std::unique_ptr<Device>& device : crowd.devices) sent += SyncOf(*device).bytes_sent();
      ExpectTheGoodOneSyncs();
    } while (sent == 0 || sent != before);
    ASSERT_TRUE(edge_.WaitForTimers(2 * kCrowd));
  }

  // How the stream ends when its device reads again; time passes until it does.
  grpc::Status EndOf(SyncCall& call) {
    auto end = std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); });
    while (end.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) edge_.Advance(absl::Seconds(1));
    return end.get();
  }

  // Nothing of any of them is left, and the server serves.
  void ExpectAllGone() {
    EXPECT_TRUE(edge_.WaitForTimers(0));
    EXPECT_TRUE(fakes::Eventually([&] { return edge_.copies() == 0; }));
    ExpectTheGoodOneSyncs();
  }
};

TEST_F(CrowdTest, ThoseWhoNeverReadHoldABatchEachAndTheOthersAreServed) {
  Crowd crowd = NeverReading();
  // Each has one message under way.
  ASSERT_TRUE(edge_.WaitForTimers(2 * kCrowd));
  WaitUntilItIsStuck(crowd);
  EXPECT_EQ(edge_.copies(), kCrowd);
  for (const std::unique_ptr<Device>& device : crowd.devices) {
    const v1::SyncSummary sync = SyncOf(*device);
    EXPECT_EQ(sync.outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
    EXPECT_LT(sync.upserts_sent(), static_cast<uint64_t>(kVisits)) << "what nobody reads is not read from the store";
  }
  edge_.Advance(limits::kWriteDeadline);
  EXPECT_TRUE(fakes::Eventually([&] { return edge_.copies() == 0; }));
  for (SyncCall& call : crowd.calls) EXPECT_EQ(EndOf(call).error_code(), grpc::StatusCode::CANCELLED);
  ExpectAllGone();
}

TEST_F(CrowdTest, ThoseWhoNeverAckHaveNothingReadForThemAndAreGivenUp) {
  Crowd crowd = NeverAcking();
  EXPECT_TRUE(fakes::Eventually([&] { return edge_.copies() == 0; })) << "a copy that is sent takes no room";
  ExpectTheGoodOneSyncs();
  for (SyncCall& call : crowd.calls) EXPECT_EQ(integration::ReasonOf(EndOf(call)), "DEVICE_SILENT");
  ExpectAllGone();
}

TEST_F(CrowdTest, ThoseWhoSayNothingAreGivenUp) {
  Crowd crowd = Silent();
  ASSERT_TRUE(edge_.WaitForTimers(kCrowd));
  ExpectTheGoodOneSyncs();
  for (SyncCall& call : crowd.calls) EXPECT_EQ(integration::ReasonOf(EndOf(call)), "START_TOO_LATE");
  ExpectAllGone();
}

// A connection that breaks looks like that first.
TEST_F(CrowdTest, ThoseWhoEndTheirSideAreGivenUp) {
  Crowd crowd = HalfOpen();
  ExpectTheGoodOneSyncs();
  for (SyncCall& call : crowd.calls) EXPECT_FALSE(EndOf(call).ok());
  ExpectAllGone();
}

}  // namespace
}  // namespace caresync::rpc

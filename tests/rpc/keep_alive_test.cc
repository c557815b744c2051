// A device whose network keeps the path open and which itself says nothing, and one whose path is gone without a word,
// over real gRPC.
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
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
constexpr char kOther[] = "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60";
// What a session has set while it waits for the device, and while a message leaves.
constexpr size_t kWaiting = 1;
constexpr size_t kSending = 2;
constexpr int kVisits = 100;

class KeepAlive : public testing::Test {
 protected:
  KeepAlive() {
    edge_.client().CreateTenant("acme");
    carer_ = edge_.client()
                 .Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")})
                 .results(0)
                 .record_id();
    relay_ = std::make_unique<PingingRelay>(edge_.server().port());
    phone_ = edge_.ClientBy(relay_->address());
    device_ = std::make_unique<Device>(*phone_, "acme", carer_, kDevice);
  }

  // As the office sees them, by another path.
  std::vector<v1::SyncSummary> History() const { return Device(edge_.client(), "acme", carer_, kDevice).History(); }

  // Time passes, as often as so many timers are set, until the session of a path that is gone has ended; nothing of it
  // is left, and another device syncs.
  void ExpectItEnds(size_t timers, absl::Duration step, const std::string& reason) {
    EXPECT_TRUE(fakes::Eventually([&] {
      if (History().front().has_end_time()) return true;
      if (edge_.timers() == timers) edge_.Advance(step);
      return false;
    }));
    EXPECT_EQ(History().front().outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
    EXPECT_EQ(History().front().reason(), reason);
    EXPECT_TRUE(edge_.WaitForTimers(0));
    EXPECT_TRUE(fakes::Eventually([&] { return edge_.copies() == 0; }));
    const grpc::Status synced = Device(edge_.client(), "acme", carer_, kOther).Sync();
    EXPECT_TRUE(synced.ok()) << synced.error_message();
  }

  ServedEdge edge_;
  std::string carer_;
  std::unique_ptr<PingingRelay> relay_;
  std::unique_ptr<integration::Client> phone_;
  std::unique_ptr<Device> device_;
};

TEST_F(KeepAlive, IsNoSyncAndNoWordOfTheDevice) {
  SyncCall call = device_->Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  ASSERT_TRUE(relay_->Ping());
  v1::SyncSummary last = History().at(0);
  EXPECT_EQ(last.outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  EXPECT_EQ(last.stage(), v1::SYNC_STAGE_CONFIRMING);

  edge_.Advance(limits::kDeviceSilence - absl::Seconds(1));
  ASSERT_TRUE(relay_->Ping());
  const grpc::Status end = edge_.AdvanceUntil(std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); }),
                                              kWaiting, absl::Seconds(1));
  EXPECT_EQ(integration::ReasonOf(end), "DEVICE_SILENT");
  const std::vector<v1::SyncSummary> history = History();
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

// A phone that is out of its network: neither end is told, and what either says is lost.
TEST_F(KeepAlive, APathThatIsGoneEndsTheSession) {
  const SyncCall call = device_->Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  relay_->GoDeaf();
  ExpectItEnds(kWaiting, limits::kDeviceSilence, "DEVICE_SILENT");
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(KeepAlive, APathThatIsGoneGivesTheRoomOfACopyBack) {
  // Several batches: more than leaves while nobody reads.
  edge_.client().Apply("acme", "rota", fakes::LongVisitChanges(kVisits, "su", {"ann"}));
  const SyncCall call = device_->Begin();
  v1::SyncResponse response;
  ASSERT_TRUE(call.stream->Read(&response));
  relay_->GoDeaf();
  EXPECT_EQ(edge_.copies(), 1u);
  ExpectItEnds(kSending, limits::kWriteDeadline, "DEVICE_NOT_READING");
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace caresync::rpc

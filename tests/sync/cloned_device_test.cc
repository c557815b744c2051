// Two phones with one UUID: their streams take each other over until neither may download.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/devices/device_registry.h"
#include "server/records/record_key.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

class ClonedDeviceTest : public testing::Test {
 protected:
  ClonedDeviceTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(
        kTenant, "rota",
        {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1"), fakes::VisitChange("v1", "p1", {"c1"})});
  }

  // A phone that has not acked anything yet, so that its stream stays open.
  std::unique_ptr<fakes::ScriptedPeer> Start() {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    peer->Say(fakes::TestDevice(kDevice).Start(carer_, v1::SYNC_TYPE_STANDARD));
    peer->Settle();
    return peer;
  }

  // Each takes the one before it over, so often; the last one.
  std::unique_ptr<fakes::ScriptedPeer> TakeOver(size_t times) {
    std::unique_ptr<fakes::ScriptedPeer> open = Start();
    for (size_t i = 0; i < times; ++i) open = Start();
    return open;
  }
  std::unique_ptr<fakes::ScriptedPeer> TakeOverPastTheBound() { return TakeOver(base::limits::kTakeOversInAnHour + 1); }

  // A sync that brings one event, until nothing moves any more.
  std::unique_ptr<fakes::ScriptedPeer> UploadOne() {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
    event.set_service_user_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_SERVICE_USER, "p1").ToString());
    event.mutable_note()->set_text("all well");
    device_.Record(carer_, std::move(event), engine_.random());
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
    for (v1::SyncRequest& upload : device_.Uploads(carer_)) peer->Say(std::move(upload));
    peer->Settle();
    return peer;
  }

  v1::Device Report() {
    const v1::Device device = fakes::ReportOf(server_, kTenant, kDevice);
    EXPECT_EQ(device.device_uuid(), kDevice.ToString());
    return device;
  }

  v1::SyncSummary LastSync() {
    const v1::SyncSummary last = fakes::LastSyncOf(server_, kTenant, kDevice);
    EXPECT_FALSE(last.session_id().empty());
    return last;
  }

  void Update(v1::UpdateDeviceRequest request) {
    devices::DeviceRegistry registry(engine_.store(), engine_.clock(), engine_.executor());
    request.set_device_uuid(kDevice.ToString());
    std::optional<absl::Status> updated;
    registry.Update(kTenant, request, [&updated](const absl::Status& status) { updated = status; });
    engine_.executor().RunAll();
    ASSERT_TRUE(updated.has_value() && updated->ok());
  }
  void ClearCloned() {
    v1::UpdateDeviceRequest request;
    request.set_clear_cloned(true);
    Update(std::move(request));
  }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(ClonedDeviceTest, TakeOversPastTheBoundRefuseBothPhonesUntilAPersonClearsIt) {
  std::unique_ptr<fakes::ScriptedPeer> open = Start();
  for (size_t i = 0; i <= base::limits::kTakeOversInAnHour; ++i) {
    std::unique_ptr<fakes::ScriptedPeer> next = Start();
    ASSERT_TRUE(open->end().has_value()) << i;
    ASSERT_EQ(base::Reason(*open->end()), "SESSION_TAKEN_OVER") << i;
    open = std::move(next);
  }
  for (int phone = 0; phone < 2; ++phone) {
    const std::unique_ptr<fakes::ScriptedPeer> refused = Start();
    ASSERT_TRUE(refused->end().has_value());
    EXPECT_EQ(base::Reason(*refused->end()), "DEVICE_CLONED");
    EXPECT_TRUE(refused->received().empty());
  }

  engine_.Advance(absl::Minutes(2));
  ClearCloned();
  const std::unique_ptr<fakes::ScriptedPeer> again = Start();
  EXPECT_FALSE(again->end().has_value());
  ASSERT_FALSE(again->received().empty());
  EXPECT_TRUE(again->received().front().has_caught_up());
}

// The first one acks what both are to drop: the server knows of one device.
TEST_F(ClonedDeviceTest, BothPhonesDropTheCopyOfACarerWhoIsNoUserAnyMore) {
  fakes::TestDevice first(kDevice);
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, first, carer_, v1::SYNC_TYPE_STANDARD).ok());
  ASSERT_FALSE(first.of(carer_).in_use.empty());
  fakes::TestDevice second = first;
  TakeOverPastTheBound();
  v1::UpdateDeviceRequest nobody;
  nobody.set_set_users(true);
  Update(std::move(nobody));
  for (fakes::TestDevice* phone : {&first, &second}) {
    const absl::Status end = fakes::SyncDevice(server_, kTenant, *phone, carer_, v1::SYNC_TYPE_STANDARD);
    EXPECT_EQ(base::Reason(end), "DEVICE_CLONED");
    EXPECT_TRUE(phone->of(carer_).in_use.empty()) << (phone == &first ? "first" : "second");
  }
}

// Nothing is certified for a UUID that two phones share: not even what the take-over that showed it would bring.
TEST_F(ClonedDeviceTest, TheTakeOverPastTheBoundIsRefusedItself) {
  const std::unique_ptr<fakes::ScriptedPeer> last = TakeOverPastTheBound();
  ASSERT_TRUE(last->end().has_value());
  EXPECT_EQ(base::Reason(*last->end()), "DEVICE_CLONED");
  for (const v1::SyncResponse& response : last->received()) {
    EXPECT_FALSE(response.has_changes());
    EXPECT_FALSE(response.has_caught_up());
  }
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_REFUSED);
  EXPECT_EQ(LastSync().reason(), "DEVICE_CLONED");
  EXPECT_FALSE(Report().has_last_successful_sync_time());
}

TEST_F(ClonedDeviceTest, EventsOfAClonedDeviceAreTakenAndTheReportShowsWhatItIs) {
  TakeOverPastTheBound();
  EXPECT_TRUE(Report().cloned());
  EXPECT_EQ(Report().state(), v1::DEVICE_STATE_BLOCKED);

  const std::unique_ptr<fakes::ScriptedPeer> peer = UploadOne();
  ASSERT_EQ(peer->received().size(), 2u);
  EXPECT_TRUE(peer->received()[0].has_started());
  EXPECT_EQ(peer->received()[0].started().drop_now_carer_ids_size(), 0);
  EXPECT_EQ(peer->received()[1].upload_result().results(0).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "DEVICE_CLONED");
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_REFUSED);
  EXPECT_EQ(LastSync().events_accepted(), 1u);
  EXPECT_TRUE(Report().cloned());

  ClearCloned();
  EXPECT_FALSE(Report().cloned());
  EXPECT_NE(Report().state(), v1::DEVICE_STATE_BLOCKED);
}

// The take-over that is one too many may itself bring events: they are taken before it is refused.
TEST_F(ClonedDeviceTest, EventsOfTheTakeOverPastTheBoundAreTaken) {
  const std::unique_ptr<fakes::ScriptedPeer> open = TakeOver(base::limits::kTakeOversInAnHour);
  ASSERT_FALSE(open->end().has_value());
  EXPECT_FALSE(Report().cloned());

  const std::unique_ptr<fakes::ScriptedPeer> peer = UploadOne();
  ASSERT_EQ(peer->received().size(), 2u);
  EXPECT_EQ(peer->received()[1].upload_result().results(0).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "DEVICE_CLONED");
  EXPECT_TRUE(Report().cloned());
}

}  // namespace
}  // namespace caresync::sync

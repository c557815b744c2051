// Two phones with one UUID: their streams take each other over until neither may download.
#include <memory>
#include <optional>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/devices/device_registry.h"
#include "server/records/record_key.h"
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
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1")});
  }

  // A phone that has not acked anything yet, so that its stream stays open.
  std::unique_ptr<fakes::ScriptedPeer> Start() {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    peer->Say(fakes::TestDevice(kDevice).Start(carer_, v1::SYNC_TYPE_STANDARD));
    peer->Settle();
    return peer;
  }

  void ClearCloned() {
    devices::DeviceRegistry registry(engine_.store(), engine_.clock(), engine_.executor());
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice.ToString());
    request.set_clear_cloned(true);
    std::optional<absl::Status> cleared;
    registry.Update(kTenant, request, [&cleared](const absl::Status& status) { cleared = status; });
    engine_.executor().RunAll();
    ASSERT_TRUE(cleared.has_value() && cleared->ok());
  }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
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

}  // namespace
}  // namespace caresync::sync

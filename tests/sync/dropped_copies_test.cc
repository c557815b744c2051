// What a device says of the copies that it was told to drop, in its own spelling.
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
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

base::Uuid CarerId(std::string_view external_id) {
  return records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, external_id);
}

// A device of two carers, each of whom holds a copy; then `gone` is taken off it.
class DroppedCopiesTest : public testing::Test {
 protected:
  DroppedCopiesTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("gone"), fakes::CarerChange("stays")});
    SetUsers({gone_, stays_});
    for (const base::Uuid& carer : {gone_, stays_}) {
      EXPECT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer, v1::SYNC_TYPE_STANDARD).ok());
    }
    SetUsers({stays_});
  }

  void SetUsers(const std::vector<base::Uuid>& carers) {
    devices::DeviceRegistry registry(engine_.store(), engine_.clock(), engine_.executor());
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice.ToString());
    request.set_allow_missing(true);
    request.set_set_users(true);
    for (const base::Uuid& carer : carers) request.add_carer_ids(carer.ToString());
    std::optional<absl::Status> updated;
    registry.Update(kTenant, request, [&updated](const absl::Status& status) { updated = status; });
    engine_.executor().RunAll();
    EXPECT_TRUE(updated.has_value() && updated->ok());
  }

  // What a new sync is told to drop, after which the device acks that it dropped `dropped` and goes.
  std::vector<std::string> SyncAndSayDropped(const std::vector<std::string>& dropped) {
    fakes::ScriptedPeer peer(server_, SessionIdentity{kTenant, kDevice, stays_});
    peer.Say(device_.Start(stays_, v1::SYNC_TYPE_STANDARD));
    peer.Settle();
    const std::optional<v1::SyncResponse> response = peer.Take();
    EXPECT_TRUE(response.has_value() && response->has_started());
    const auto& told = response->started().drop_now_carer_ids();
    v1::SyncRequest ack;
    for (const std::string& carer : dropped) ack.mutable_ack()->add_dropped_carer_ids(carer);
    if (!dropped.empty()) peer.Say(ack);
    peer.Settle();
    peer.Cut();
    peer.Settle();
    return {told.begin(), told.end()};
  }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid gone_ = CarerId("gone");
  const base::Uuid stays_ = CarerId("stays");
};

TEST_F(DroppedCopiesTest, AreRecognizedInEitherCase) {
  EXPECT_EQ(SyncAndSayDropped({absl::AsciiStrToUpper(gone_.ToString())}), std::vector{gone_.ToString()});
  EXPECT_TRUE(SyncAndSayDropped({}).empty());
}

TEST_F(DroppedCopiesTest, OfWhichTheDeviceWasToldNothingAreItsOwnAffair) {
  EXPECT_EQ(SyncAndSayDropped({stays_.ToString(), "no UUID"}), std::vector{gone_.ToString()});
  EXPECT_EQ(SyncAndSayDropped({}), std::vector{gone_.ToString()});
}

TEST_F(DroppedCopiesTest, AreNamedBesideTheLastTokenByADeviceThatIsRefused) {
  engine_.SetLeastApp(kTenant, "4.10");
  fakes::ScriptedPeer peer(server_, SessionIdentity{kTenant, kDevice, stays_});
  peer.Say(device_.Start(stays_, v1::SYNC_TYPE_STANDARD));
  v1::SyncRequest ack;
  ack.mutable_ack()->set_resume_token(device_.of(stays_).token);
  ack.mutable_ack()->add_dropped_carer_ids(gone_.ToString());
  peer.Say(std::move(ack));
  peer.Settle();
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "APP_TOO_OLD");
  device_.ReplaceApp("4.10", 1);
  EXPECT_TRUE(SyncAndSayDropped({}).empty());
}

}  // namespace
}  // namespace caresync::sync

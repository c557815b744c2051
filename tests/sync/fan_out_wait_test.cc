// What a session hears of fan-outs: those that it waits for, and no other.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "server/records/record_key.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"
#include "tests/sync/held_fan_out.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

class FanOutWaitTest : public testing::Test {
 protected:
  FanOutWaitTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
  }

  void AddVisit(const std::string& name) {
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange(name, "p1", {"c1"})});
  }

  // Whether a session has work to do because a fan-out of another carer is through.
  bool HearsOfAnotherFanOut() {
    EXPECT_EQ(engine_.executor().ready(), 0u);
    engine_.subscriptions().Publish(kTenant, records::FanOutTopic(), engine_.Head(kTenant));
    const bool heard = engine_.executor().ready() > 0;
    engine_.executor().RunAll();
    return heard;
  }

  void StartFollowing(fakes::ScriptedPeer& peer) {
    v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
    start.mutable_start()->set_follow(true);
    peer.Say(std::move(start));
    fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
    ASSERT_FALSE(peer.end().has_value());
  }
  size_t Held() { return device_.of(carer_).in_use.size(); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
  HeldFanOut fan_out_{engine_, kTenant, carer_};
};

TEST_F(FanOutWaitTest, AFollowerThatHasWaitedHearsOfNoLaterFanOut) {
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  StartFollowing(peer);
  EXPECT_FALSE(HearsOfAnotherFanOut());
  fan_out_.Begin();
  AddVisit("v1");
  peer.Settle();
  EXPECT_TRUE(peer.received().empty());
  EXPECT_TRUE(HearsOfAnotherFanOut());
  peer.Settle();
  EXPECT_TRUE(peer.received().empty());
  fan_out_.End();
  fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
  EXPECT_EQ(Held(), 3u);
  EXPECT_FALSE(HearsOfAnotherFanOut());
}

TEST_F(FanOutWaitTest, AFollowerThatWaitsAgainIsToldAgain) {
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  StartFollowing(peer);
  for (const char* visit : {"v1", "v2"}) {
    fan_out_.Begin();
    AddVisit(visit);
    peer.Settle();
    EXPECT_TRUE(peer.received().empty());
    fan_out_.End();
    // No time has passed: it was told.
    fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
  }
  EXPECT_EQ(Held(), 4u);
  EXPECT_FALSE(peer.end().has_value());
  EXPECT_TRUE(device_.faults().empty());
}

}  // namespace
}  // namespace caresync::sync

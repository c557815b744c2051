// What is counted as applied of the rota: what a phone acknowledges, and nothing that it gets for another reason.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/records/record_key.h"
#include "server/sync/session_driver.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kPhone = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kTablet = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");

// It is 06:00, and the carer's phone holds what there is.
class AppliedLagTest : public testing::Test {
 protected:
  AppliedLagTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    Sync(phone_, v1::SYNC_TYPE_STANDARD);
  }

  // The visit of nine changes now, as its rostering system says.
  v1::RosterChange Changed(const std::string& name, const std::string& notes = "") {
    v1::RosterChange change = fakes::VisitChange(name, "p1", {"c1"});
    change.mutable_visit()->set_notes(notes);
    *change.mutable_changed_time() = base::ToTimestamp(engine_.clock().Now());
    return change;
  }
  void Send(std::vector<v1::RosterChange> changes) { engine_.ApplyChanges(kTenant, "rota", std::move(changes)); }
  void Sync(fakes::TestDevice& device, v1::SyncType type = v1::SYNC_TYPE_AUTO) {
    EXPECT_TRUE(fakes::SyncDevice(server_, kTenant, device, carer_, type).ok());
    engine_.executor().RunAll();
  }
  v1::LagToOneEnd Applied() const { return server_.lag().Of(kTenant).applied(); }
  uint64_t Count() const { return Applied().near().count() + Applied().ahead().count() + Applied().untimed(); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice phone_{kPhone};
  fakes::TestDevice tablet_{kTablet};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(AppliedLagTest, AChangeIsAppliedWhenThePhoneAcknowledgesIt) {
  Send({Changed("v1"), Changed("v2")});
  engine_.Advance(absl::Minutes(4));
  EXPECT_EQ(Count(), 0u) << "it is committed, and no phone has it";
  Sync(phone_);
  EXPECT_EQ(Applied().near().count(), 2u);
  EXPECT_EQ(Applied().near().late(), 0u);
  Send({Changed("v1", "other notes")});
  engine_.Advance(absl::Minutes(21));
  Sync(phone_);
  EXPECT_EQ(Applied().near().count(), 3u);
  EXPECT_EQ(Applied().near().late(), 1u);
}

TEST_F(AppliedLagTest, ADraftThatIsPublishedIsAppliedByTheTimeOfThat) {
  v1::RosterChange draft = Changed("v1");
  draft.mutable_visit()->set_published(false);
  Send({draft});
  Sync(phone_);
  engine_.Advance(absl::Minutes(30));
  EXPECT_EQ(Count(), 0u);
  Send({Changed("v1")});
  engine_.Advance(absl::Minutes(4));
  Sync(phone_);
  EXPECT_EQ(Applied().near().count(), 1u);
  EXPECT_EQ(Applied().near().late(), 0u);
}

TEST_F(AppliedLagTest, ASyncWithNothingNewCountsNothing) {
  Send({Changed("v1")});
  Sync(phone_);
  Sync(phone_);
  Sync(phone_, v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(AppliedLagTest, WhatIsNotAcknowledgedIsNotApplied) {
  Send({Changed("v1")});
  {
    fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
    peer.Say(phone_.Start(carer_, v1::SYNC_TYPE_AUTO));
    peer.Settle();
    ASSERT_FALSE(peer.received().empty());
    peer.Cut();
    peer.Settle();
  }
  EXPECT_EQ(Count(), 0u);
  Sync(phone_);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(AppliedLagTest, WhatMadeAWrongCopyIsNotApplied) {
  Send({Changed("v1")});
  fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
  peer.Say(phone_.Start(carer_, v1::SYNC_TYPE_AUTO));
  peer.Settle();
  while (const std::optional<v1::SyncResponse> response = peer.Take()) {
    std::optional<v1::SyncRequest> ack = phone_.Apply(carer_, *response);
    if (!ack.has_value()) continue;
    ack->mutable_ack()->mutable_holds()->set_sum(ack->ack().holds().sum() + 1);
    peer.Say(*std::move(ack));
    peer.Settle();
  }
  engine_.executor().RunAll();
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "COPY_DIVERGED");
  EXPECT_EQ(Count(), 0u);
}

TEST_F(AppliedLagTest, ANewCopyCountsNothing) {
  Send({Changed("v1")});
  Sync(phone_, v1::SYNC_TYPE_CLEAN);
  EXPECT_EQ(Count(), 0u);
}

TEST_F(AppliedLagTest, ADeviceThatTheCarerDoesNotUseCountsNothing) {
  Sync(tablet_, v1::SYNC_TYPE_STANDARD);
  Send({Changed("v1")});
  Sync(phone_);
  EXPECT_EQ(Count(), 0u) << "the carer signed in on the tablet";
  Sync(tablet_);
  EXPECT_EQ(Count(), 1u);
}

// It changed long before, and reaches the phone when it should.
TEST_F(AppliedLagTest, AVisitThatEntersTheWindowCountsNothing) {
  v1::UpdateTenantRequest request;
  request.set_tenant_id(kTenant.text());
  request.mutable_download_window()->set_seconds(3600);
  ASSERT_TRUE(engine_
                  .Run(kTenant,
                       [&request](commit::Transaction& transaction) {
                         return tenants::UpdateTenant(transaction, request).status();
                       })
                  .ok());
  Send({Changed("v1")});
  Sync(phone_);
  const size_t held = phone_.of(carer_).in_use.size();
  engine_.Advance(absl::Hours(2) + absl::Minutes(30));
  Sync(phone_);
  EXPECT_GT(phone_.of(carer_).in_use.size(), held) << "the visit came";
  EXPECT_EQ(Count(), 0u);
}

TEST_F(AppliedLagTest, AFollowersRoundCounts) {
  fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
  v1::SyncRequest start = phone_.Start(carer_, v1::SYNC_TYPE_AUTO);
  start.mutable_start()->set_follow(true);
  peer.Say(std::move(start));
  fakes::RunDevice(phone_, carer_, peer, true);
  Send({Changed("v1")});
  fakes::RunDevice(phone_, carer_, peer, true);
  EXPECT_EQ(Count(), 1u);
}

}  // namespace
}  // namespace caresync::sync

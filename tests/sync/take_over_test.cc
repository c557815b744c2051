// Which of two streams of a device goes on: the one that came later, in whichever order the server gets to see what
// they say.
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/sealed_token.h"
#include "server/records/record_key.h"
#include "server/sync/session.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

class TakeOverTest : public testing::Test {
 protected:
  TakeOverTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(
        kTenant, "rota",
        {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1"), fakes::VisitChange("v1", "p1", {"c1"})});
  }

  std::unique_ptr<fakes::ScriptedPeer> Open() {
    return std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
  }
  v1::SyncRequest StartMessage() { return device_.Start(carer_, v1::SYNC_TYPE_STANDARD); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

// The device cut it, or its connection went, and the server reads what it had said only now.
TEST_F(TakeOverTest, AStreamThatCameEarlierEndsThoughItsStartIsReadLater) {
  const auto left = Open();
  const auto now = Open();
  left->Say(StartMessage());
  now->Say(StartMessage());
  now->Settle();
  left->Settle();
  ASSERT_TRUE(left->end().has_value());
  EXPECT_EQ(base::Reason(*left->end()), "SESSION_TAKEN_OVER");
  ASSERT_FALSE(now->end().has_value());
  fakes::RunDevice(device_, carer_, *now);
  ASSERT_TRUE(now->end().has_value());
  EXPECT_TRUE(now->end()->ok()) << *now->end();
  EXPECT_EQ(fakes::LastSyncOf(server_, kTenant, kDevice).outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(fakes::ReportOf(server_, kTenant, kDevice).take_overs(), 0u);
}

// What it read of the device is the other's doing already, though nobody was open when it began to look.
TEST_F(TakeOverTest, AStreamThatIsCutLeavesTheRowsOfOneThatBeganMeanwhileAlone) {
  const auto left = Open();
  left->Say(StartMessage());
  std::unique_ptr<fakes::ScriptedPeer> now;
  engine_.store().BeforeNextSnapshot([&] {
    left->Cut();
    now = Open();
    now->Say(StartMessage());
    now->Settle();
  });
  left->Settle();
  ASSERT_TRUE(left->end().has_value());
  EXPECT_EQ(base::Reason(*left->end()), "STREAM_CUT");
  ASSERT_NE(now, nullptr);
  ASSERT_FALSE(now->end().has_value());
  fakes::RunDevice(device_, carer_, *now);
  ASSERT_TRUE(now->end().has_value());
  EXPECT_TRUE(now->end()->ok()) << *now->end();
}

TEST_F(TakeOverTest, AStreamThatIsCutWhileItBeginsAnewWritesNothingWhereALaterOneIsOpen) {
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({kTenant, kDevice, carer_}, "session", "timeline", sealer);
  const absl::Time now = absl::FromUnixSeconds(1'772'431'200);
  StartFacts facts;
  facts.carer_branch_id = "";
  facts.head = {"timeline", 20};
  DownloadBatch batch;
  batch.head = {"timeline", 20};
  batch.feed.nothing_left = true;
  session.Handle(OpenedEvent{}, now);
  session.Handle(MessageEvent{StartMessage()}, now);
  session.Handle(LoadedEvent{facts, false}, now);
  session.Handle(BatchReadEvent{batch}, now);
  session.Handle(CancelledEvent{}, now);
  session.Handle(RowsWrittenEvent{{storage::CommitOutcome::kConflict, ""}}, now);
  const std::vector<SessionAction> actions = session.Handle(LoadedEvent{facts, true, true}, now);
  ASSERT_EQ(actions.size(), 1u);
  const EndAction* end = std::get_if<EndAction>(&actions.front());
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(base::Reason(end->status), "SESSION_TAKEN_OVER");
}

}  // namespace
}  // namespace caresync::sync

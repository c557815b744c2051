// What of a sync the disk must have before anybody is told, and what may be lost with the power.
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/sealed_token.h"
#include "server/sync/session.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

// A session whose store, feed and device are the test.
class SessionDurabilityTest : public testing::Test {
 protected:
  void Handle(SessionEvent event) { actions_ = session_.Handle(std::move(event), kNow); }

  // The last action of its kind among those that the last event led to.
  template <typename Action>
  std::optional<Action> Last() const {
    std::optional<Action> last;
    for (const SessionAction& action : actions_) {
      if (const Action* of_kind = std::get_if<Action>(&action)) last = *of_kind;
    }
    return last;
  }

  void AnswerCommit() { Handle(RowsWrittenEvent{{storage::CommitOutcome::kCommitted, ""}}); }

  // To where all is sent and the device's ack is waited for; what was sent.
  v1::SyncResponse SendAll() {
    Handle(OpenedEvent{});
    Handle(MessageEvent{device_.Start(kCarer, v1::SYNC_TYPE_STANDARD)});
    StartFacts facts;
    facts.carer_branch_id = "";
    facts.head = {"timeline", 20};
    Handle(LoadedEvent{std::move(facts), false});
    DownloadBatch batch;
    batch.head = {"timeline", 20};
    batch.feed.nothing_left = true;
    Handle(BatchReadEvent{std::move(batch)});
    AnswerCommit();
    const std::optional<SendAction> sent = Last<SendAction>();
    EXPECT_TRUE(sent.has_value() && sent->response.has_caught_up());
    // How far the sync has come is written meanwhile.
    if (Last<WriteRowsAction>().has_value()) AnswerCommit();
    Handle(SentEvent{true});
    return sent.has_value() ? sent->response : v1::SyncResponse();
  }

  const base::TokenSealer sealer_{std::string(32, 'k')};
  Session session_{{fakes::Tenant("agency"), kDevice, kCarer}, "session", "timeline", sealer_};
  fakes::TestDevice device_{kDevice};
  std::vector<SessionAction> actions_;
};

TEST_F(SessionDurabilityTest, ASuccessIsDurableBeforeItIsTold) {
  const v1::SyncResponse all = SendAll();
  Handle(MessageEvent{*device_.Apply(kCarer, all)});
  const std::optional<WriteRowsAction> written = Last<WriteRowsAction>();
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->commit.durability, storage::Durability::kDurable);
  EXPECT_FALSE(Last<SendAction>().has_value());
  EXPECT_FALSE(Last<EndAction>().has_value());
  AnswerCommit();
  ASSERT_TRUE(Last<EndAction>().has_value());
  ASSERT_TRUE(Last<EndAction>()->last.has_value());
  EXPECT_TRUE(Last<EndAction>()->last->has_sync_recorded());
}

// Losing power may lose the last moments of what is known of calls.
TEST_F(SessionDurabilityTest, ThatACallFailedWaitsForNoDisk) {
  SendAll();
  Handle(CancelledEvent{});
  const std::optional<WriteRowsAction> written = Last<WriteRowsAction>();
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->commit.durability, storage::Durability::kBuffered);
}

}  // namespace
}  // namespace caresync::sync

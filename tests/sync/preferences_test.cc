// What a device that follows is told of its tenant's preferences.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/sealed_token.h"
#include "server/sync/session.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

store::Tenant TenantWith(int64_t interval_s) {
  store::Tenant tenant;
  tenant.set_auto_sync_interval_s(interval_s);
  return tenant;
}

// A session whose store, feed and stream the test is: nothing is read or sent but what the test says.
class PreferencesTest : public testing::Test {
 protected:
  // Returns what the session does on the start's facts.
  std::vector<SessionAction> Begin(bool follow, const std::string& branch = "") {
    session_.Handle(OpenedEvent{}, kNow);
    fakes::TestDevice device(kDevice);
    v1::SyncRequest start = device.Start(kCarer, v1::SYNC_TYPE_STANDARD);
    start.mutable_start()->set_follow(follow);
    session_.Handle(MessageEvent{std::move(start)}, kNow);
    StartFacts facts;
    facts.carer_branch_id = branch;
    facts.branch_id = branch;
    facts.head = {"timeline", 20};
    facts.tenant = TenantWith(1'800);
    return session_.Handle(LoadedEvent{std::move(facts), false}, kNow);
  }
  static bool ReadsTenant(const std::vector<SessionAction>& actions) {
    for (const SessionAction& action : actions) {
      if (std::holds_alternative<ReadTenantAction>(action)) return true;
    }
    return false;
  }
  // Its first batch, which is empty, is read, and its rows are written. Returns what it sends.
  v1::SyncResponse FirstResponse() {
    DownloadBatch batch;
    batch.head = {"timeline", 20};
    batch.feed.nothing_left = true;
    session_.Handle(BatchReadEvent{std::move(batch)}, kNow);
    return Sent(session_.Handle(RowsWrittenEvent{{storage::CommitOutcome::kCommitted, ""}}, kNow));
  }
  static v1::SyncResponse Sent(const std::vector<SessionAction>& actions) {
    for (const SessionAction& action : actions) {
      if (const auto* sent = std::get_if<SendAction>(&action)) return sent->response;
    }
    return v1::SyncResponse();
  }

  const base::TokenSealer sealer_{std::string(32, 'k')};
  Session session_{{kTenant, kDevice, kCarer}, "session", "timeline", sealer_};
};

// A change between what the start read and the session's place among those that are told would be told to nobody.
TEST_F(PreferencesTest, WhoFollowsReadsThemOnceMoreWhenItIsListed) {
  EXPECT_TRUE(ReadsTenant(Begin(true)));
  session_.Handle(TenantReadEvent{TenantWith(600)}, kNow);
  EXPECT_EQ(FirstResponse().started().policy().auto_sync_interval().seconds(), 600);
}

TEST_F(PreferencesTest, WhoDoesNotFollowHasTheNextSyncForIt) { EXPECT_FALSE(ReadsTenant(Begin(false))); }

TEST_F(PreferencesTest, TheSameOnesAreNotToldAgain) {
  Begin(true);
  FirstResponse();
  EXPECT_FALSE(Sent(session_.Handle(SentEvent{true}, kNow)).has_notice());
  EXPECT_FALSE(Sent(session_.Handle(TenantReadEvent{TenantWith(1'800)}, kNow)).has_notice());
}

TEST_F(PreferencesTest, OthersAreTold) {
  Begin(true);
  FirstResponse();
  session_.Handle(SentEvent{true}, kNow);
  const v1::SyncResponse told = Sent(session_.Handle(TenantReadEvent{TenantWith(600)}, kNow));
  EXPECT_EQ(told.notice().preferences().auto_sync_interval().seconds(), 600);
}

// Requirement: S7
TEST_F(PreferencesTest, ADeviceThatComesToAnotherBranchIsToldOfItsPreferences) {
  store::Tenant tenant = TenantWith(1'800);
  store::BranchAutoSync& north = *tenant.add_branch_auto_syncs();
  north.set_branch_id("north");
  north.set_auto_sync_interval_s(300);
  Begin(true);
  session_.Handle(TenantReadEvent{tenant, ""}, kNow);
  EXPECT_EQ(FirstResponse().started().policy().auto_sync_interval().seconds(), 1'800);
  // `started`, and the notice that its tenant's preferences are others.
  session_.Handle(SentEvent{true}, kNow);
  session_.Handle(SentEvent{true}, kNow);
  const v1::SyncResponse told = Sent(session_.Handle(TenantReadEvent{tenant, "north"}, kNow));
  EXPECT_EQ(told.notice().preferences().auto_sync_interval().seconds(), 300);
}

// Its first commit is still to make it known.
TEST_F(PreferencesTest, ADeviceThatIsNotKnownYetKeepsTheBranchOfItsCarer) {
  store::Tenant tenant = TenantWith(1'800);
  store::BranchAutoSync& north = *tenant.add_branch_auto_syncs();
  north.set_branch_id("north");
  north.set_auto_sync_interval_s(300);
  Begin(true, "north");
  session_.Handle(TenantReadEvent{tenant}, kNow);
  EXPECT_EQ(FirstResponse().started().policy().auto_sync_interval().seconds(), 300);
}

}  // namespace
}  // namespace caresync::sync

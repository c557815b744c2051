// A sync's end that the store does not take is shown all the same: nothing is under way for ever.
#include "server/sync/unrecorded_ends.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/records/record_key.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
constexpr int kVisits = 10;

class UnrecordedEndsTest : public testing::Test {
 protected:
  UnrecordedEndsTest() {
    engine_.CreateTenant(kTenant);
    std::vector<v1::RosterChange> changes = {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")};
    for (int i = 0; i < kVisits; ++i) {
      changes.push_back(fakes::VisitChange("v" + std::to_string(i), "p1", {"c1"}));
    }
    engine_.ApplyChanges(kTenant, "rota", std::move(changes));
  }

  // A follower that is caught up.
  std::unique_ptr<fakes::ScriptedPeer> Follow() {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
    start.mutable_start()->set_follow(true);
    peer->Say(std::move(start));
    fakes::RunDevice(device_, carer_, *peer, /*follows=*/true);
    return peer;
  }
  store::SyncRow LastRow() {
    const auto sync = devices::ReadLastSync(*engine_.Snapshot(), kTenant, kDevice);
    EXPECT_TRUE(sync.ok() && sync->has_value()) << sync.status();
    return sync.ok() ? sync->value_or(store::SyncRow()) : store::SyncRow();
  }
  bool EndedIdle(const store::SyncRow& sync) {
    const absl::StatusOr<bool> idle = SyncsOf(server_.parts()).ended_idle(kTenant, kDevice, sync);
    EXPECT_TRUE(idle.ok()) << idle.status();
    return idle.value_or(false);
  }
  void ChangeRota() {
    v1::RosterChange change = fakes::VisitChange("v0", "p1", {"c1"});
    change.mutable_visit()->set_notes("bring gloves");
    engine_.ApplyChanges(kTenant, "rota", {change});
  }

  std::unique_ptr<fakes::ScriptedPeer> Start() {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    peer->Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
    peer->Settle();
    return peer;
  }

  void ApplyAndAck(fakes::ScriptedPeer& peer) {
    std::optional<v1::SyncRequest> last;
    while (std::optional<v1::SyncResponse> response = peer.Take()) {
      std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *response);
      if (ack.has_value()) last = std::move(ack);
    }
    ASSERT_TRUE(last.has_value());
    peer.Say(*std::move(last));
    peer.Settle();
  }

  std::vector<v1::SyncSummary> HistoryIn(const storage::Reader& snapshot, const v1::ListSyncsRequest& request) const {
    const auto syncs = devices::ListSyncs(snapshot, kTenant, request, SyncsOf(server_.parts()));
    EXPECT_TRUE(syncs.ok()) << syncs.status();
    if (!syncs.ok()) return {};
    return {syncs->syncs().begin(), syncs->syncs().end()};
  }
  std::vector<v1::SyncSummary> HistoryIn(const storage::Reader& snapshot) const {
    v1::ListSyncsRequest request;
    request.set_device_uuid(kDevice.ToString());
    return HistoryIn(snapshot, request);
  }
  v1::SyncSummary LastSync() const { return HistoryIn(*engine_.Snapshot()).front(); }
  v1::SyncSummary LastSyncOfCarer() const {
    v1::ListSyncsRequest request;
    request.set_carer_id(carer_.ToString());
    return HistoryIn(*engine_.Snapshot(), request).front();
  }

  devices::AsOf Now() { return {.syncs = SyncsOf(server_.parts()), .now = engine_.clock().Now()}; }
  v1::Device Report() {
    v1::GetDeviceRequest request;
    request.set_device_uuid(kDevice.ToString());
    const auto device = devices::GetDevice(*engine_.Snapshot(), kTenant, request, Now());
    EXPECT_TRUE(device.ok()) << device.status();
    return device.ok() ? *device : v1::Device();
  }
  int ListedAs(v1::CallState state) {
    v1::ListDevicesRequest request;
    request.set_last_api_call(state);
    const auto list = devices::ListDevices(*engine_.Snapshot(), kTenant, request, Now());
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? list->devices_size() : 0;
  }

  void ExpectUnderWay() {
    EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
    EXPECT_EQ(LastSyncOfCarer().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
    EXPECT_EQ(Report().last_api_call(), v1::CALL_STATE_UNDER_WAY);
    EXPECT_EQ(ListedAs(v1::CALL_STATE_UNDER_WAY), 1);
  }
  void ExpectInterrupted() {
    for (const v1::SyncSummary& sync : {LastSync(), LastSyncOfCarer()}) {
      EXPECT_EQ(sync.outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
      EXPECT_EQ(sync.reason(), "STREAM_CUT");
    }
    EXPECT_EQ(Report().last_api_call(), v1::CALL_STATE_FAILED);
    EXPECT_EQ(Report().last_api_call_reason(), "STREAM_CUT");
    EXPECT_EQ(ListedAs(v1::CALL_STATE_UNDER_WAY), 0);
    EXPECT_EQ(ListedAs(v1::CALL_STATE_FAILED), 1);
  }

  fakes::Engine engine_;
  // A record at a time, so that a sync has a middle.
  fakes::SyncServer server_{engine_, 1};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(UnrecordedEndsTest, ASyncThatCouldNotBeWrittenOnIsNotUnderWay) {
  const auto peer = Start();
  ExpectUnderWay();
  engine_.store().FailNext(fakes::Fault::kFull);
  ApplyAndAck(*peer);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "STORE_FULL");
  ExpectInterrupted();
}

TEST_F(UnrecordedEndsTest, ASyncWhoseLastRowIsLostIsNotUnderWay) {
  for (const fakes::Fault fault : {fakes::Fault::kFull, fakes::Fault::kUnavailable, fakes::Fault::kUnknownNotApplied}) {
    const auto peer = Start();
    ExpectUnderWay();
    engine_.store().FailNext(fault);
    peer->Cut();
    peer->Settle();
    ASSERT_TRUE(peer->end().has_value());
    EXPECT_EQ(engine_.store().faults_left(), 0u);
    ExpectInterrupted();
  }
}

TEST_F(UnrecordedEndsTest, ASyncThatWasTakenOverByOneThatNeverBeganIsNotUnderWay) {
  const auto first = Start();
  engine_.store().FailNext(fakes::Fault::kFull);
  const auto second = Start();
  ASSERT_TRUE(first->end().has_value());
  ASSERT_TRUE(second->end().has_value());
  ExpectInterrupted();
}

// What is listed is the snapshot's: at its moment the sync was under way, and nothing was lost.
TEST_F(UnrecordedEndsTest, ASyncThatEndedAfterTheSnapshotWasUnderWayInIt) {
  const auto peer = Start();
  const std::unique_ptr<storage::Snapshot> before = engine_.Snapshot();
  fakes::RunDevice(device_, carer_, *peer);
  ASSERT_TRUE(peer->end().has_value() && peer->end()->ok());
  EXPECT_EQ(HistoryIn(*before).front().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

// ---- Followers

TEST_F(UnrecordedEndsTest, AFollowerThatIsCutOffBetweenTwoRoundsHasSentNothingMore) {
  const auto peer = Follow();
  const store::SyncRow caught_up = LastRow();
  ASSERT_EQ(caught_up.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_FALSE(EndedIdle(caught_up)) << "it goes on";
  peer->Cut();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(EndedIdle(caught_up));
}

TEST_F(UnrecordedEndsTest, AFollowerThatIsCutOffInARoundHasSentIt) {
  const auto peer = Follow();
  const store::SyncRow caught_up = LastRow();
  ChangeRota();
  peer->Settle();
  peer->Cut();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(LastRow().outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_FALSE(EndedIdle(caught_up)) << "a snapshot may have been taken before";
}

TEST_F(UnrecordedEndsTest, WhereARoundsRowsAreLostNothingIsRuledOut) {
  const auto peer = Follow();
  const store::SyncRow caught_up = LastRow();
  // The row that says that a round began.
  engine_.store().LandLate(storage::Space::kDevices);
  ChangeRota();
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  ASSERT_EQ(LastRow().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_FALSE(EndedIdle(caught_up));
}

TEST_F(UnrecordedEndsTest, OneThatAnotherSessionEndedMayHaveSentMoreWhereThatOneIsOpen) {
  const auto first = Follow();
  const store::SyncRow caught_up = LastRow();
  const auto second = Follow();
  ASSERT_TRUE(first->end().has_value());
  EXPECT_FALSE(EndedIdle(caught_up));
}

TEST_F(UnrecordedEndsTest, TheNextSyncEndsItInTheHistory) {
  {
    const auto peer = Start();
    engine_.store().FailNext(fakes::Fault::kFull);
    ApplyAndAck(*peer);
  }
  ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
  const std::vector<v1::SyncSummary> syncs = HistoryIn(*engine_.Snapshot());
  ASSERT_EQ(syncs.size(), 2u);
  EXPECT_EQ(syncs[0].outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(syncs[1].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
}

}  // namespace
}  // namespace caresync::sync

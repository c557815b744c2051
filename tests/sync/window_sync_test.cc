// What the download window, the retention and the least app version mean to a device that syncs, and what the office
// sees of it.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/devices/sync_history.h"
#include "server/records/record_key.h"
#include "server/sync/session_driver.h"
#include "server/sync/unrecorded_ends.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

// It is 06:00.
class WindowSyncTest : public testing::Test {
 protected:
  WindowSyncTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
  }

  // Visits of one hour from `hour` on, named `name` and a number.
  void AddVisits(const std::string& name, int count, int hour) {
    std::vector<v1::RosterChange> changes;
    for (int i = 0; i < count; ++i) {
      v1::RosterChange change = fakes::VisitChange(name + std::to_string(i), "p1", {"c1"});
      v1::RosterAssignment& part = *change.mutable_visit()->mutable_assignments(0);
      *part.mutable_start_time() = fakes::AtHour(hour);
      *part.mutable_end_time() = fakes::AtHour(hour + 1);
      changes.push_back(std::move(change));
    }
    engine_.ApplyChanges(kTenant, "rota", std::move(changes));
  }

  void Update(v1::UpdateTenantRequest request) {
    request.set_tenant_id(kTenant.text());
    ASSERT_TRUE(engine_
                    .Run(kTenant,
                         [&request](commit::Transaction& transaction) {
                           return tenants::UpdateTenant(transaction, request).status();
                         })
                    .ok());
  }
  void SetWindow(int hours) {
    v1::UpdateTenantRequest request;
    request.mutable_download_window()->set_seconds(hours * 3600);
    Update(request);
  }
  void SetRetention(int hours) {
    v1::UpdateTenantRequest request;
    request.mutable_retention()->set_seconds(hours * 3600);
    Update(request);
  }

  absl::Status Sync(v1::SyncType type = v1::SYNC_TYPE_AUTO) {
    return fakes::SyncDevice(server_, kTenant, device_, carer_, type);
  }
  // Applies and acks all that comes; the stream stays open.
  void GoOn(fakes::ScriptedPeer& peer) {
    peer.Settle();
    while (const std::optional<v1::SyncResponse> response = peer.Take()) {
      if (std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *response)) peer.Say(*std::move(ack));
      peer.Settle();
    }
  }
  void RecordOn(const std::string& visit) {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
    event.set_visit_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, visit).ToString());
    event.mutable_note()->set_text("all well");
    recorded_ = device_.Record(carer_, std::move(event), engine_.random()).event_id();
  }
  v1::EventResult ResultOfRecorded() { return device_.of(carer_).results[recorded_]; }
  size_t Held() { return device_.of(carer_).in_use.size(); }
  v1::Device Report() {
    const v1::Device device = fakes::ReportOf(server_, kTenant, kDevice);
    EXPECT_EQ(device.device_uuid(), kDevice.ToString());
    return device;
  }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
  std::string recorded_;
};

TEST_F(WindowSyncTest, VisitsComeAndGoAsTimePasses) {
  AddVisits("v", 3, 9);
  SetWindow(2);
  SetRetention(24);
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(Held(), 1u);
  engine_.Advance(absl::Hours(1));
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(Held(), 5u);
  engine_.Advance(absl::Hours(28));
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(Held(), 1u);
  EXPECT_TRUE(device_.faults().empty());
}

TEST_F(WindowSyncTest, AFollowerGetsWhatTimeBringsAndTakesAsItHappens) {
  // No confirmation falls due meanwhile: what comes, comes by itself.
  v1::UpdateTenantRequest request;
  request.mutable_auto_sync_interval()->set_seconds(24 * 3600);
  Update(request);
  AddVisits("past", 1, 5);
  AddVisits("v", 1, 9);
  SetWindow(2);
  SetRetention(24);
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_follow(true);
  peer.Say(std::move(start));
  GoOn(peer);
  EXPECT_EQ(Held(), 3u);
  EXPECT_EQ(device_.of(carer_).syncs_recorded, 1u);

  engine_.Advance(absl::Minutes(59));
  peer.Settle();
  EXPECT_TRUE(peer.received().empty());
  engine_.Advance(absl::Minutes(1));
  peer.Settle();
  ASSERT_EQ(peer.received().size(), 1u);
  EXPECT_EQ(peer.received().front().changes().upserts_size(), 1);
  GoOn(peer);
  EXPECT_EQ(Held(), 4u);
  EXPECT_EQ(device_.of(carer_).syncs_recorded, 2u);

  engine_.Advance(absl::Hours(22) + absl::Minutes(59));
  peer.Settle();
  EXPECT_TRUE(peer.received().empty());
  // At the very end of the retention it is still there.
  engine_.Advance(absl::Minutes(1) + absl::Seconds(1));
  peer.Settle();
  ASSERT_EQ(peer.received().size(), 1u);
  EXPECT_EQ(peer.received().front().changes().removals_size(), 1);
  GoOn(peer);
  EXPECT_EQ(Held(), 3u);
  EXPECT_EQ(device_.of(carer_).syncs_recorded, 3u);
  EXPECT_FALSE(peer.end().has_value());
  EXPECT_TRUE(device_.faults().empty());
}

TEST_F(WindowSyncTest, AWindowThatIsShortenedWhileADeviceRebuildsLeavesNothingBehind) {
  AddVisits("near", 40, 7);
  AddVisits("far", 60, 12);
  fakes::SyncServer small(engine_, 1);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  for (int applied = 0; applied < 55; ++applied) {
    const std::optional<v1::SyncResponse> response = peer.Take();
    ASSERT_TRUE(response.has_value());
    device_.Apply(carer_, *response);
  }
  ASSERT_TRUE(device_.of(carer_).making.has_value());
  ASSERT_GT(device_.of(carer_).making->records.size(), 45u);
  SetWindow(1);
  fakes::RunDevice(device_, carer_, peer);
  if (!peer.end().has_value()) {
    // The last batch that was applied here had no ack: the app goes on from it.
    peer.Cut();
    peer.Settle();
    ASSERT_TRUE(Sync().ok());
  }
  EXPECT_EQ(Held(), 42u);
  EXPECT_TRUE(device_.faults().empty());
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(Held(), 42u);
}

TEST_F(WindowSyncTest, APhoneThatWasOfflineForLongerThanTheRetentionGetsItsEventsTaken) {
  AddVisits("v", 1, 7);
  SetRetention(24);
  ASSERT_TRUE(Sync().ok());
  engine_.Advance(absl::Hours(1));
  RecordOn("v0");
  engine_.Advance(absl::Hours(24 * 14));
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(ResultOfRecorded().outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(device_.of(carer_).unsent.empty());
  EXPECT_EQ(Held(), 1u);
}

TEST_F(WindowSyncTest, AnAppThatIsTooOldSendsItsEventsAndGetsNoChanges) {
  AddVisits("v", 1, 7);
  ASSERT_TRUE(Sync().ok());
  v1::UpdateTenantRequest request;
  request.set_least_app_version("4.10");
  Update(request);
  AddVisits("w", 1, 7);
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  RecordOn("v0");
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  EXPECT_EQ(ResultOfRecorded().outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(Held(), 3u);

  request.set_least_app_version("4.2");
  Update(request);
  ASSERT_TRUE(Sync().ok());
  EXPECT_EQ(Held(), 5u);
}

// Syncs and follows; what comes later is there to be taken.
void Follow(fakes::TestDevice& device, const base::Uuid& carer, fakes::ScriptedPeer& peer) {
  v1::SyncRequest start = device.Start(carer, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_follow(true);
  peer.Say(std::move(start));
  fakes::RunDevice(device, carer, peer, /*follows=*/true);
  ASSERT_FALSE(peer.end().has_value());
}

TEST_F(WindowSyncTest, AFollowerGetsNothingFromTheRevisionOnAtWhichItsAppIsTooOld) {
  AddVisits("v", 1, 7);
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  Follow(device_, carer_, peer);
  const size_t held = Held();
  v1::UpdateTenantRequest request;
  request.set_least_app_version("4.10");
  Update(request);
  AddVisits("w", 1, 7);
  fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "APP_TOO_OLD");
  EXPECT_EQ(Held(), held);
  EXPECT_EQ(Report().state(), v1::DEVICE_STATE_TOO_OLD);
}

TEST_F(WindowSyncTest, AFollowerIsToldAtOnceThatItsAppIsTooOld) {
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  Follow(device_, carer_, peer);
  v1::UpdateTenantRequest request;
  request.set_least_app_version("4.10");
  Update(request);
  server_.live().TellTenant(kTenant, PreferencesChanged{});
  fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
  ASSERT_TRUE(peer.end().has_value());
  EXPECT_EQ(base::Reason(*peer.end()), "APP_TOO_OLD");
}

TEST_F(WindowSyncTest, TheReportSaysThatAnAppIsTooOldFromItsFirstCallOn) {
  v1::UpdateTenantRequest request;
  request.set_least_app_version("4.10");
  Update(request);
  EXPECT_EQ(base::Reason(Sync()), "APP_TOO_OLD");
  const v1::Device device = Report();
  EXPECT_EQ(device.state(), v1::DEVICE_STATE_TOO_OLD);
  EXPECT_EQ(device.app_version(), "4.2.0");
  EXPECT_EQ(device.last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(device.last_api_call_reason(), "APP_TOO_OLD");
  EXPECT_FALSE(device.has_last_successful_sync_time());
}

TEST_F(WindowSyncTest, TheHistorySaysHowManyBytesWereSent) {
  AddVisits("v", 20, 7);
  fakes::SyncServer small(engine_, 1'000);
  fakes::ScriptedPeer peer(small, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  uint64_t bytes = 0;
  int batches = 0;
  for (const v1::SyncResponse& response : peer.received()) {
    bytes += response.changes().ByteSizeLong();
    batches += response.has_changes() ? 1 : 0;
  }
  EXPECT_GT(batches, 1);
  fakes::RunDevice(device_, carer_, peer);
  v1::ListSyncsRequest request;
  request.set_device_uuid(kDevice.ToString());
  const auto syncs = devices::ListSyncs(*engine_.Snapshot(), kTenant, request, SyncsOf(server_.parts()));
  ASSERT_TRUE(syncs.ok()) << syncs.status();
  ASSERT_EQ(syncs->syncs_size(), 1);
  EXPECT_EQ(syncs->syncs(0).bytes_sent(), bytes);
  EXPECT_EQ(syncs->syncs(0).outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

}  // namespace
}  // namespace caresync::sync

// Uploads that find the queue of changes full: what the device hears, and what the next sync makes of it.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
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

class FullQueueTest : public testing::Test {
 protected:
  FullQueueTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("v1", "p1", {"c1"})});
  }

  // The event's ID.
  std::string RecordNote() {
    v1::CareEvent event;
    event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_.clock().Now()));
    event.set_visit_id(records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, "v1").ToString());
    event.mutable_note()->set_text("all well");
    return device_.Record(carer_, std::move(event), engine_.random()).event_id();
  }

  // The session reads the upload, and has its turn while others' changes hold all the memory that changes may hold.
  void UploadIntoAFullQueue(fakes::ScriptedPeer& peer, v1::SyncRequest upload) {
    peer.Say(std::move(upload));
    ASSERT_TRUE(peer.Step());
    bool admitted = false;
    engine_.sequencer().Submit(
        kTenant, [](commit::Transaction&) { return absl::OkStatus(); },
        [&admitted](const absl::StatusOr<commit::Committed>& done) { admitted = done.ok(); },
        base::limits::kQueuedChangeBytes);
    engine_.executor().RunAll();
    EXPECT_TRUE(admitted);
    ASSERT_TRUE(peer.end().has_value());
    EXPECT_EQ(base::Reason(*peer.end()), "OVERLOADED");
    ASSERT_TRUE(base::RetryDelay(*peer.end()).has_value());
    EXPECT_GE(*base::RetryDelay(*peer.end()), base::limits::kQueueRetryAfter);
  }

  // What the device has heard of the event.
  v1::EventOutcome OutcomeOf(const std::string& event) {
    const auto& results = device_.of(carer_).results;
    const auto result = results.find(event);
    return result == results.end() ? v1::EVENT_OUTCOME_UNSPECIFIED : result->second.outcome();
  }
  void ExpectTheNextSyncIsASuccess() {
    const absl::Status status = fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(device_.of(carer_).unsent.empty());
    EXPECT_TRUE(device_.of(carer_).matched);
    EXPECT_TRUE(device_.faults().empty());
  }
  v1::SyncSummary LastSync() { return fakes::LastSyncOf(server_, kTenant, kDevice); }
  size_t held() { return device_.of(carer_).in_use.size(); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

// Of three uploads the first has its result on its way, the second is stored and its result has not left, the third
// finds no room.
TEST_F(FullQueueTest, EndsTheSyncOfAnUploadAndTheNextOneTakesEachEventOnce) {
  const std::vector<std::string> events = {RecordNote(), RecordNote(), RecordNote()};
  const std::vector<v1::SyncRequest> uploads = device_.Uploads(carer_, 1);
  ASSERT_EQ(uploads.size(), 3u);
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
  peer.Settle();
  peer.SetReading(false);
  peer.Say(uploads[0]);
  peer.Say(uploads[1]);
  peer.Settle();
  ASSERT_FALSE(peer.end().has_value());
  UploadIntoAFullQueue(peer, uploads[2]);
  peer.SetReading(true);
  peer.Settle();
  while (const std::optional<v1::SyncResponse> response = peer.Take()) device_.Apply(carer_, *response);
  EXPECT_EQ(OutcomeOf(events[0]), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(OutcomeOf(events[1]), v1::EVENT_OUTCOME_UNSPECIFIED);
  EXPECT_EQ(OutcomeOf(events[2]), v1::EVENT_OUTCOME_UNSPECIFIED);
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SERVER_FAILED);
  EXPECT_EQ(LastSync().reason(), "OVERLOADED");
  EXPECT_EQ(LastSync().events_accepted(), 2u);
  EXPECT_EQ(fakes::ReportOf(server_, kTenant, kDevice).last_api_call(), v1::CALL_STATE_FAILED);

  ExpectTheNextSyncIsASuccess();
  EXPECT_EQ(OutcomeOf(events[1]), v1::EVENT_OUTCOME_KNOWN);
  EXPECT_EQ(OutcomeOf(events[2]), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(LastSync().events_received(), 2u);
  EXPECT_EQ(LastSync().events_accepted(), 1u);
  EXPECT_EQ(held(), 3u + events.size());
}

// Between rounds nothing is outstanding: the last success stands.
TEST_F(FullQueueTest, EndsAFollowersStreamWhoseLastSyncStaysASuccess) {
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  v1::SyncRequest start = device_.Start(carer_, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_follow(true);
  peer.Say(std::move(start));
  fakes::RunDevice(device_, carer_, peer, /*follows=*/true);
  ASSERT_FALSE(peer.end().has_value());
  const std::string event = RecordNote();
  UploadIntoAFullQueue(peer, device_.Uploads(carer_).front());
  EXPECT_EQ(LastSync().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(fakes::ReportOf(server_, kTenant, kDevice).last_api_call(), v1::CALL_STATE_SUCCEEDED);
  EXPECT_EQ(held(), 3u);

  ExpectTheNextSyncIsASuccess();
  EXPECT_EQ(OutcomeOf(event), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(held(), 4u);
}

}  // namespace
}  // namespace caresync::sync

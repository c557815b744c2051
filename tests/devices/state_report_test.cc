// States, counts and what is behind, from the records of a tenant to the report's rows.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/commit/timeline.h"
#include "server/devices/report.h"
#include "server/devices/session_rows.h"
#include "server/feed/feed_entry.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const base::Uuid kPhone = *base::Uuid::Parse("00000000-0000-4000-8000-000000000001");
const base::Uuid kIdle = *base::Uuid::Parse("00000000-0000-4000-8000-000000000002");

// A phone that Ann's syncs made known, and one that never called. The day's visit of Ann is from nine to ten; it is
// six.
class StateReportTest : public testing::Test {
 protected:
  StateReportTest() {
    engine_.CreateTenant(tenant_);
    const auto results = Apply({fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("eve"),
                                fakes::VisitChange("v1", "eve", {"ann"})});
    ann_ = results[0].record_id();
    bob_ = results[1].record_id();
    store::Device idle;
    idle.set_enrolled_time_us(1);
    EXPECT_EQ(fakes::CommitAndWait(engine_.store(),
                                   fakes::PutOf(storage::Space::kDevices,
                                                base::keys::DeviceRow(tenant_, kIdle, base::keys::DevicePart::kDevice),
                                                idle.SerializeAsString()))
                  .outcome,
              storage::CommitOutcome::kCommitted);
  }

  std::vector<v1::ChangeResult> Apply(std::vector<v1::RosterChange> changes) {
    return engine_.ApplyChanges(tenant_, "rota", std::move(changes));
  }

  // A whole sync of `carer`; its copy then holds all.
  void Sync(v1::SyncType type, const std::string& carer) {
    v1::Start start;
    start.set_sync_type(type);
    start.set_data_level(1);
    start.set_app_version("4.2.0");
    SessionRows rows({tenant_, kPhone, *base::Uuid::Parse(carer), "session", "now"},
                     *ReadStartRows(*engine_.Snapshot(), tenant_, kPhone), start, engine_.clock().Now(), false, "");
    const base::CommitPoint head = *commit::ReadHead(*engine_.Snapshot(), tenant_);
    const feed::Position end = feed::Position::EndOf(head.revision);
    rows.copy().set_timeline(head.timeline);
    rows.copy().set_revision(head.revision);
    rows.copy().set_position_revision(end.revision);
    rows.copy().set_position_record(end.record.bytes);
    rows.MarkSuccess(engine_.clock().Now());
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), rows.Begin(storage::Durability::kDurable)).outcome,
              storage::CommitOutcome::kCommitted);
  }

  absl::StatusOr<v1::ListDevicesResponse> List(const v1::ListDevicesRequest& request) const {
    return ListDevices(*engine_.Snapshot(), tenant_, request, {.syncs = {.opening = "now"}, .now = clock_.Now()});
  }
  std::vector<std::string> Uuids(const v1::ListDevicesRequest& request) const {
    std::vector<std::string> uuids;
    const auto list = List(request);
    EXPECT_TRUE(list.ok()) << list.status();
    if (!list.ok()) return uuids;
    for (const v1::Device& device : list->devices()) uuids.push_back(device.device_uuid());
    return uuids;
  }
  v1::Device Phone() const {
    v1::GetDeviceRequest request;
    request.set_device_uuid(kPhone.ToString());
    const auto device =
        GetDevice(*engine_.Snapshot(), tenant_, request, {.syncs = {.opening = "now"}, .now = clock_.Now()});
    EXPECT_TRUE(device.ok()) << device.status();
    return device.value_or(v1::Device());
  }

  fakes::Engine engine_;
  fakes::ManualClock& clock_ = engine_.clock();
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::string ann_;
  std::string bob_;
};

TEST_F(StateReportTest, ChangesMakeADeviceBehindByAsMany) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_CURRENT);
  EXPECT_EQ(Phone().users(0).behind_by(), 0u);
  v1::RosterChange visit = fakes::VisitChange("v1", "eve", {"ann"});
  visit.mutable_visit()->set_notes("The key is next door");
  Apply({visit, fakes::VisitChange("v2", "eve", {"ann"}), fakes::VisitChange("v3", "eve", {"bob"})});
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_BEHIND);
  EXPECT_EQ(Phone().users(0).behind_by(), 2u);
  EXPECT_THAT(Phone().state_reason(), StartsWith("2 changes wait"));
  Sync(v1::SYNC_TYPE_AUTO, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_CURRENT);
}

TEST_F(StateReportTest, ACopyOfAnotherStoresPastIsBehindByAllThatTheCarerMaySee) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  DeviceRows rows = *ReadDeviceRows(*engine_.Snapshot(), tenant_, kPhone);
  rows.report->mutable_copies(0)->set_timeline("lost");
  fakes::CommitAndWait(
      engine_.store(),
      fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, kPhone, base::keys::DevicePart::kReport),
                   rows.report->SerializeAsString()));
  // Ann, Eve, the visit.
  EXPECT_EQ(Phone().users(0).behind_by(), 3u);
}

TEST_F(StateReportTest, AManualSyncStaysDueUntilOneThatBeganAfterTheVisitsEnd) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  engine_.Advance(absl::Hours(4) - absl::Seconds(1));
  Sync(v1::SYNC_TYPE_AUTO, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_CURRENT);
  engine_.Advance(absl::Seconds(1));
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_MANUAL_SYNC_DUE);
  EXPECT_THAT(Phone().state_reason(), HasSubstr("02 March 2026, 10:00"));
  engine_.Advance(absl::Minutes(10));
  Sync(v1::SYNC_TYPE_AUTO, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_MANUAL_SYNC_DUE);
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_CURRENT);
}

// Requirement: S8
TEST_F(StateReportTest, SaysSinceWhenAManualSyncIsDueWhateverElseIsWrong) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  engine_.Advance(absl::Hours(4) - absl::Seconds(1));
  EXPECT_FALSE(Phone().has_manual_sync_due_since_time());
  engine_.Advance(absl::Minutes(10));
  Sync(v1::SYNC_TYPE_AUTO, ann_);
  const int64_t end =
      absl::ToUnixSeconds(absl::FromCivil(absl::CivilSecond(2026, 3, 2, 10, 0, 0), absl::UTCTimeZone()));
  EXPECT_EQ(Phone().manual_sync_due_since_time().seconds(), end);
  EXPECT_EQ(Phone().users(0).manual_sync_due_since_time().seconds(), end);
  engine_.Advance(absl::Hours(24));
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_OVERDUE);
  EXPECT_EQ(Phone().manual_sync_due_since_time().seconds(), end);
  Sync(v1::SYNC_TYPE_CLEAN, ann_);
  EXPECT_FALSE(Phone().has_manual_sync_due_since_time());
  EXPECT_FALSE(Phone().users(0).has_manual_sync_due_since_time());
}

// Requirement: S8
TEST_F(StateReportTest, OfSeveralCarersTheFirstVisitThatEndedCounts) {
  v1::RosterChange later = fakes::VisitChange("v2", "eve", {"bob"});
  const absl::Time end = absl::FromCivil(absl::CivilSecond(2026, 3, 2, 10, 30, 0), absl::UTCTimeZone());
  for (v1::RosterAssignment& part : *later.mutable_visit()->mutable_assignments()) {
    part.mutable_end_time()->set_seconds(absl::ToUnixSeconds(end));
  }
  Apply({later});
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  DeviceRows rows = *ReadDeviceRows(*engine_.Snapshot(), tenant_, kPhone);
  rows.device->add_carer_ids(bob_);
  fakes::CommitAndWait(
      engine_.store(),
      fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant_, kPhone, base::keys::DevicePart::kDevice),
                   rows.device->SerializeAsString()));
  Sync(v1::SYNC_TYPE_STANDARD, bob_);
  engine_.Advance(absl::Hours(5));
  const int64_t half_past = absl::ToUnixSeconds(end);
  EXPECT_EQ(Phone().users(0).manual_sync_due_since_time().seconds(), half_past - 30 * 60);
  EXPECT_EQ(Phone().users(1).manual_sync_due_since_time().seconds(), half_past);
  EXPECT_EQ(Phone().manual_sync_due_since_time().seconds(), half_past - 30 * 60);
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  EXPECT_EQ(Phone().manual_sync_due_since_time().seconds(), half_past);
}

TEST_F(StateReportTest, VisitsFromBeforeTheDeviceWasKnownAskForNothing) {
  engine_.Advance(absl::Hours(5));
  Sync(v1::SYNC_TYPE_AUTO, ann_);
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_CURRENT);
}

TEST_F(StateReportTest, ADeviceThatIsLateIsOverdue) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  engine_.Advance(absl::Hours(1) + absl::Seconds(1));
  EXPECT_EQ(Phone().state(), v1::DEVICE_STATE_OVERDUE);
}

// Requirement: R8
TEST_F(StateReportTest, SaysWhenEachCarerLastSyncedAndHowOftenTheDeviceDid) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  engine_.Advance(absl::Minutes(5));
  Sync(v1::SYNC_TYPE_CLEAN, ann_);
  EXPECT_EQ(Phone().users(0).last_successful_sync_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
  EXPECT_EQ(Phone().successful_syncs_7_days(), 2u);
  EXPECT_EQ(Phone().clean_syncs_30_days(), 1u);
}

TEST_F(StateReportTest, FiltersAndOrdersByState) {
  Sync(v1::SYNC_TYPE_STANDARD, ann_);
  v1::ListDevicesRequest request;
  request.set_state(v1::DEVICE_STATE_NO_USER);
  EXPECT_THAT(Uuids(request), ElementsAre(kIdle.ToString()));
  request.set_state(v1::DEVICE_STATE_CURRENT);
  EXPECT_THAT(Uuids(request), ElementsAre(kPhone.ToString()));
  request.set_state(v1::DEVICE_STATE_BLOCKED);
  EXPECT_THAT(Uuids(request), IsEmpty());
  request.Clear();
  request.set_order_by("state desc");
  EXPECT_THAT(Uuids(request), ElementsAre(kIdle.ToString(), kPhone.ToString()));
  request.set_order_by("state");
  EXPECT_THAT(Uuids(request), ElementsAre(kPhone.ToString(), kIdle.ToString()));
  request.set_page_size(1);
  const std::string token = List(request)->next_page_token();
  request.set_page_token(token);
  EXPECT_THAT(Uuids(request), ElementsAre(kIdle.ToString()));
  request.set_state(v1::DEVICE_STATE_CURRENT);
  EXPECT_EQ(base::Reason(List(request).status()), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(StateReportTest, RefusesAStateThatIsNone) {
  v1::ListDevicesRequest request;
  request.set_state(static_cast<v1::DeviceState>(77));
  EXPECT_EQ(base::Reason(List(request).status()), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::devices

#include "server/devices/device_state.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/base/limits.h"

namespace caresync::devices {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const base::Uuid kAnn = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000a");
const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 3, 2, 12, 0, 0), absl::UTCTimeZone());

int64_t Us(absl::Time time) { return base::ToStoredTime(time); }

// A device whose user synced ten minutes ago and holds all.
class DeviceStateTest : public testing::Test {
 protected:
  DeviceStateTest() {
    rows_.device.emplace();
    rows_.device->add_carer_ids(kAnn.ToString());
    store::DeviceReport& report = rows_.report.emplace();
    report.set_app_version("4.2.0");
    report.add_copies()->set_carer_id(kAnn.ToString());
    copy().set_last_success_us(Us(kNow - absl::Minutes(10)));
    rows_.call.emplace().set_state(v1::CALL_STATE_SUCCEEDED);
    tenant_.set_time_zone("Europe/Rome");
    tenant_.set_auto_sync_interval_s(1'800);
  }

  store::DeviceCopy& copy() { return *rows_.report->mutable_copies(0); }
  Standing Now() const { return StandingOfUser(rows_, kAnn, facts_, tenant_, kNow); }
  v1::DeviceState State() const { return Now().state; }

  DeviceRows rows_;
  CopyFacts facts_;
  store::Tenant tenant_;
};

TEST_F(DeviceStateTest, IsCurrentWhereNothingIsWrong) {
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  EXPECT_FALSE(Now().reason.empty());
}

TEST_F(DeviceStateTest, IsBehindByTheChangesThatWait) {
  facts_.behind_by = 1;
  EXPECT_EQ(State(), v1::DEVICE_STATE_BEHIND);
  EXPECT_THAT(Now().reason, StartsWith("1 change waits"));
  facts_.behind_by = 7;
  EXPECT_THAT(Now().reason, StartsWith("7 changes wait"));
  facts_.behind_by = base::limits::kBehindCounted;
  EXPECT_THAT(Now().reason, StartsWith("10000 or more changes wait"));
}

TEST_F(DeviceStateTest, AManualSyncIsDueAfterAVisitThoughTheCopyIsCurrent) {
  facts_.manual_due_since = kNow - absl::Hours(1);
  EXPECT_EQ(State(), v1::DEVICE_STATE_MANUAL_SYNC_DUE);
  // In the tenant's zone.
  EXPECT_THAT(Now().reason, HasSubstr("02 March 2026, 12:00"));
}

TEST_F(DeviceStateTest, IsOverduePastTwiceTheInterval) {
  copy().set_last_success_us(Us(kNow - absl::Hours(1)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  copy().set_last_success_us(Us(kNow - absl::Hours(1) - absl::Microseconds(1)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
  EXPECT_THAT(Now().reason, HasSubstr("every 30m"));
}

TEST_F(DeviceStateTest, IsNotOverdueBeforeItsSystemAllowsTheNextSync) {
  copy().set_last_success_us(Us(kNow - absl::Hours(3)));
  rows_.report->set_earliest_next_sync_us(Us(kNow));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  rows_.report->set_earliest_next_sync_us(Us(kNow) - 1);
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
}

TEST_F(DeviceStateTest, IsOverdueWhereItsLastSuccessLiesAheadSinceNobodyKnowsWhenItWas) {
  copy().set_last_success_us(Us(kNow + absl::Minutes(59)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  copy().set_last_success_us(Us(kNow + absl::Hours(24 * 365)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
  EXPECT_THAT(Now().reason, HasSubstr("when the server's clock was ahead (02 March 2027, 13:00)"));
}

TEST_F(DeviceStateTest, WhatItsSystemAllowedByAClockThatWasAheadKeepsItFromNothing) {
  copy().set_last_success_us(Us(kNow - absl::Hours(3)));
  rows_.report->set_earliest_next_sync_us(Us(kNow + base::limits::kNextSyncAhead));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  rows_.report->set_earliest_next_sync_us(Us(kNow + base::limits::kNextSyncAhead) + 1);
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
}

TEST_F(DeviceStateTest, AManualSyncIsDueWhereTheLastOneLiesAhead) {
  copy().set_last_manual_success_us(Us(kNow + absl::Minutes(59)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  copy().set_last_manual_success_us(Us(kNow + absl::Hours(24 * 365)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_MANUAL_SYNC_DUE);
  EXPECT_THAT(Now().reason, HasSubstr("when the server's clock was ahead (02 March 2027, 13:00)"));
}

// Requirement: S7
TEST_F(DeviceStateTest, IsOverdueByTheIntervalOfItsBranch) {
  store::BranchAutoSync& north = *tenant_.add_branch_auto_syncs();
  north.set_branch_id("north");
  north.set_auto_sync_interval_s(4 * 3600);
  copy().set_last_success_us(Us(kNow - absl::Hours(7)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
  rows_.device->set_branch_id("north");
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  copy().set_last_success_us(Us(kNow - absl::Hours(9)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
  EXPECT_THAT(Now().reason, HasSubstr("should every 4h"));
  north.set_auto_sync_interval_s(0);
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
}

TEST_F(DeviceStateTest, IsNeverOverdueWithoutAutoSyncs) {
  tenant_.set_auto_sync_interval_s(0);
  copy().set_last_success_us(Us(kNow - absl::Hours(1'000)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
}

TEST_F(DeviceStateTest, IsOverdueByTheTimeAloneWhateverIsWorse) {
  copy().set_last_success_us(Us(kNow - absl::Hours(1)));
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  EXPECT_FALSE(IsOverdue(rows_, kAnn, tenant_, kNow));
  copy().set_last_success_us(Us(kNow - absl::Hours(1) - absl::Microseconds(1)));
  EXPECT_TRUE(IsOverdue(rows_, kAnn, tenant_, kNow));
  EXPECT_EQ(State(), v1::DEVICE_STATE_FAILING);
  copy().set_diverged(true);
  EXPECT_TRUE(IsOverdue(rows_, kAnn, tenant_, kNow));
  EXPECT_EQ(State(), v1::DEVICE_STATE_DIVERGED);
  tenant_.set_least_app_version("5");
  EXPECT_TRUE(IsOverdue(rows_, kAnn, tenant_, kNow));
  EXPECT_EQ(State(), v1::DEVICE_STATE_TOO_OLD);
  rows_.report->set_earliest_next_sync_us(Us(kNow));
  EXPECT_FALSE(IsOverdue(rows_, kAnn, tenant_, kNow));
}

TEST_F(DeviceStateTest, OneThatNeverSyncedIsNotOverdue) {
  copy().set_last_success_us(0);
  EXPECT_FALSE(IsOverdue(rows_, kAnn, tenant_, kNow));
  rows_.report->clear_copies();
  EXPECT_FALSE(IsOverdue(rows_, kAnn, tenant_, kNow));
  rows_.report.reset();
  EXPECT_FALSE(IsOverdue(rows_, kAnn, tenant_, kNow));
}

TEST_F(DeviceStateTest, IsFailingWhereTheLastCallFailedOrSyncsFailedSinceTheLastSuccess) {
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  rows_.call->set_reason("CREDENTIAL_EXPIRED");
  EXPECT_EQ(State(), v1::DEVICE_STATE_FAILING);
  EXPECT_EQ(
      Now().reason,
      "The last call failed (CREDENTIAL_EXPIRED). Ask the carer to sign in again on the device, and for a manual sync, "
      "with the app open and the screen on.");
  rows_.report->set_failures_in_a_row(3);
  EXPECT_THAT(Now().reason, StartsWith("The last 3 calls failed (CREDENTIAL_EXPIRED)."));
  rows_.call->set_state(v1::CALL_STATE_UNDER_WAY);
  EXPECT_EQ(State(), v1::DEVICE_STATE_FAILING);
  EXPECT_THAT(Now().reason, StartsWith("The last 3 calls failed."));
}

TEST_F(DeviceStateTest, WhatIsAdvisedOfAFailedCallIsWhatHelpsAgainstItsReason) {
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  rows_.call->set_reason("WAITING_AFTER_RESTORE");
  EXPECT_THAT(Now().reason, HasSubstr("Have the rostering system send the rota again"));
  EXPECT_THAT(Now().reason, Not(HasSubstr("Wi-Fi")));
  rows_.call->set_reason("CARER_NOT_A_USER");
  EXPECT_THAT(Now().reason, HasSubstr("Make the carer a user of the device"));
  copy().set_last_success_us(0);
  EXPECT_THAT(Now().reason, HasSubstr("Make the carer a user of the device"));
}

TEST_F(DeviceStateTest, ADivergedCopyIsWorseThanAFailedCall) {
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  copy().set_diverged(true);
  EXPECT_EQ(State(), v1::DEVICE_STATE_DIVERGED);
  EXPECT_THAT(Now().reason, HasSubstr("makes a new copy"));
}

TEST_F(DeviceStateTest, HasNeverSyncedWithoutASuccess) {
  copy().set_last_success_us(0);
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
  EXPECT_THAT(Now().reason, StartsWith("This carer never completed a sync on it. Ask the carer"));
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  rows_.call->set_reason("STREAM_CUT");
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
  EXPECT_THAT(Now().reason,
              StartsWith("This carer never completed a sync on it, and the last call failed (STREAM_CUT). Ask"));
  rows_.report->clear_copies();
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
  rows_.report.reset();
  rows_.call.reset();
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
}

TEST_F(DeviceStateTest, IsTooOldBelowTheTenantsLeastVersion) {
  tenant_.set_least_app_version("4.2");
  EXPECT_EQ(State(), v1::DEVICE_STATE_CURRENT);
  tenant_.set_least_app_version("4.3");
  EXPECT_EQ(State(), v1::DEVICE_STATE_TOO_OLD);
  EXPECT_THAT(Now().reason, StartsWith("Its app is 4.2.0, and 4.3 is the least"));
  // One that never called has said nothing of its app.
  rows_.report.reset();
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
}

TEST_F(DeviceStateTest, IsBlockedWhereAnAdministratorSaidSoOrTwoPhonesUseTheUuid) {
  rows_.device->set_cloned(true);
  EXPECT_EQ(State(), v1::DEVICE_STATE_BLOCKED);
  EXPECT_THAT(Now().reason, HasSubstr("Two phones"));
  rows_.device->set_blocked(true);
  EXPECT_THAT(Now().reason, HasSubstr("The office blocked it"));
}

TEST_F(DeviceStateTest, TheWorstOfSeveralCounts) {
  facts_.behind_by = 1;
  facts_.manual_due_since = kNow - absl::Hours(1);
  EXPECT_EQ(State(), v1::DEVICE_STATE_MANUAL_SYNC_DUE);
  copy().set_last_success_us(Us(kNow - absl::Hours(9)));
  EXPECT_EQ(State(), v1::DEVICE_STATE_OVERDUE);
  rows_.call->set_state(v1::CALL_STATE_FAILED);
  EXPECT_EQ(State(), v1::DEVICE_STATE_FAILING);
  copy().set_diverged(true);
  EXPECT_EQ(State(), v1::DEVICE_STATE_DIVERGED);
  copy().set_last_success_us(0);
  EXPECT_EQ(State(), v1::DEVICE_STATE_NEVER_SYNCED);
  tenant_.set_least_app_version("5");
  EXPECT_EQ(State(), v1::DEVICE_STATE_TOO_OLD);
  facts_.left = true;
  EXPECT_EQ(State(), v1::DEVICE_STATE_NO_USER);
  EXPECT_THAT(Now().reason, StartsWith("The carer has left"));
  rows_.device->set_blocked(true);
  EXPECT_EQ(State(), v1::DEVICE_STATE_BLOCKED);
}

TEST_F(DeviceStateTest, ADeviceStandsAsTheWorstOfItsUsers) {
  const UserStanding fine{"Ann", false, {v1::DEVICE_STATE_CURRENT, "Fine."}};
  const UserStanding late{"Bob", false, {v1::DEVICE_STATE_OVERDUE, "Late."}};
  const UserStanding left{"Cat", true, {v1::DEVICE_STATE_NO_USER, "Left."}};
  EXPECT_EQ(StandingOfDevice(rows_, {fine}).reason, "Fine.");
  EXPECT_EQ(StandingOfDevice(rows_, {fine, late}).state, v1::DEVICE_STATE_OVERDUE);
  EXPECT_EQ(StandingOfDevice(rows_, {fine, late}).reason, "Bob: Late.");
  EXPECT_EQ(StandingOfDevice(rows_, {late}).reason, "Late.");
  EXPECT_EQ(StandingOfDevice(rows_, {left, fine}).state, v1::DEVICE_STATE_CURRENT);
  EXPECT_EQ(StandingOfDevice(rows_, {left}).reason, "Left.");
  EXPECT_EQ(StandingOfDevice(rows_, {}).state, v1::DEVICE_STATE_NO_USER);
  EXPECT_THAT(StandingOfDevice(rows_, {}).reason, StartsWith("Nobody is set"));
  rows_.device->set_blocked(true);
  EXPECT_EQ(StandingOfDevice(rows_, {}).state, v1::DEVICE_STATE_BLOCKED);
}

TEST_F(DeviceStateTest, EveryStateHasAName) {
  EXPECT_EQ(StateText(v1::DEVICE_STATE_MANUAL_SYNC_DUE), "manual sync due");
  EXPECT_EQ(StateText(v1::DEVICE_STATE_CURRENT), "current");
}

// Requirement: R8, S6
TEST(DeviceCounts, CountSuccessesOf7DaysAndCleanSyncsOf30) {
  store::DeviceReport report;
  const int32_t today = static_cast<int32_t>(absl::ToUnixSeconds(kNow) / 86'400);
  for (const int32_t day : {today - 30, today - 29, today - 7, today - 6, today, today + 1}) {
    store::DayCount& count = *report.add_days();
    count.set_day(day);
    count.set_successes(10);
    count.set_clean_successes(1);
  }
  EXPECT_EQ(SuccessfulSyncs7Days(report, kNow), 20u);
  EXPECT_EQ(CleanSyncs30Days(report, kNow), 4u);
}

}  // namespace
}  // namespace caresync::devices

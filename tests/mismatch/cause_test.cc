#include "server/mismatch/cause.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/proto_time.h"

namespace caresync::mismatch {
namespace {

const base::Uuid kAnn = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000a");
const absl::Time kChange = absl::FromCivil(absl::CivilSecond(2026, 3, 2, 12, 0, 0), absl::UTCTimeZone());

// Ann uses a device that synced ten minutes before the change, and has been silent since.
class CauseTest : public testing::Test {
 protected:
  CauseTest() {
    all_.rows.device.emplace().add_carer_ids(kAnn.ToString());
    all_.rows.report.emplace().set_app_version("4.2.0");
    v1::MismatchDevice& device = all_.in_use.emplace();
    *device.mutable_last_successful_sync_time() = base::ToTimestamp(kChange - absl::Minutes(10));
    Call(v1::CALL_STATE_SUCCEEDED, -absl::Minutes(10));
  }

  // The last one, so long after the change.
  void Call(v1::CallState state, absl::Duration after, const std::string& reason = "") {
    all_.in_use->set_last_api_call(state);
    all_.in_use->set_last_api_call_reason(reason);
    *all_.in_use->mutable_last_api_call_time() = base::ToTimestamp(kChange + after);
    *all_.in_use->mutable_last_contact_time() = base::ToTimestamp(kChange + after);
  }
  void Wait() { Call(v1::CALL_STATE_FAILED, absl::Minutes(5), "WAITING_AFTER_RESTORE"); }
  v1::MismatchCause Cause() const { return CauseOf(all_, kAnn, tenant_, kChange); }

  CarerDevices all_;
  store::Tenant tenant_;
};

TEST_F(CauseTest, IsSilentWhereItHasNotCalledSinceTheChange) {
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_SILENT);
  Call(v1::CALL_STATE_SUCCEEDED, absl::ZeroDuration());
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_SILENT);
}

TEST_F(CauseTest, IsBehindWhereItHasCalledSinceTheChange) {
  Call(v1::CALL_STATE_SUCCEEDED, absl::Seconds(1));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_BEHIND);
}

TEST_F(CauseTest, IsBehindInACallThatBeganBeforeTheChangeAndLasts) {
  Call(v1::CALL_STATE_UNDER_WAY, -absl::Hours(3));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_BEHIND);
}

TEST_F(CauseTest, IsBehindWhereACallThatBeganBeforeTheChangeConfirmedASyncSince) {
  Call(v1::CALL_STATE_SUCCEEDED, -absl::Hours(3));
  *all_.in_use->mutable_last_contact_time() = base::ToTimestamp(kChange + absl::Seconds(1));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_BEHIND);
}

TEST_F(CauseTest, IsFailingWhereTheLastCallFailedOrFailuresWereCounted) {
  Call(v1::CALL_STATE_FAILED, -absl::Minutes(5), "STREAM_CUT");
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_FAILING);
  Call(v1::CALL_STATE_UNDER_WAY, absl::Minutes(5));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_BEHIND);
  all_.in_use->set_failed_calls(2);
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_FAILING) << "also while the next is tried";
}

TEST_F(CauseTest, NeverSyncedWhereItHoldsNothingWholeOfThisCarer) {
  all_.in_use->clear_last_successful_sync_time();
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_NEVER_SYNCED);
}

TEST_F(CauseTest, WaitsAfterARestoreWhereItWasToldSoWhenItCalledLast) {
  Wait();
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE);
  Call(v1::CALL_STATE_SUCCEEDED, absl::Minutes(6));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_BEHIND);
}

TEST_F(CauseTest, IsTooOldBelowTheTenantsLeastVersion) {
  tenant_.set_least_app_version("4.2.1");
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_APP_TOO_OLD);
  all_.rows.report->set_app_version("4.2.1");
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_SILENT);
}

TEST_F(CauseTest, NobodyKnowsWhereWhatIsStoredCannotBeRead) {
  all_.damaged = true;
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_UNSPECIFIED);
  all_.in_use.reset();
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_UNSPECIFIED) << "a device may be in use all the same";
}

// Each is made true on top of those before it, from the last one of the order to the first.
TEST_F(CauseTest, TheFirstOfTheOrderCounts) {
  const std::vector<std::pair<v1::MismatchCause, std::function<void()>>> from_last = {
      {v1::MISMATCH_CAUSE_SILENT, [] {}},
      {v1::MISMATCH_CAUSE_BEHIND, [this] { Call(v1::CALL_STATE_SUCCEEDED, absl::Minutes(1)); }},
      {v1::MISMATCH_CAUSE_FAILING, [this] { Call(v1::CALL_STATE_FAILED, absl::Minutes(2), "STREAM_CUT"); }},
      {v1::MISMATCH_CAUSE_NEVER_SYNCED, [this] { all_.in_use->clear_last_successful_sync_time(); }},
      {v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE, [this] { Wait(); }},
      {v1::MISMATCH_CAUSE_APP_TOO_OLD, [this] { tenant_.set_least_app_version("5"); }},
      {v1::MISMATCH_CAUSE_NOT_A_USER, [this] { all_.rows.device->clear_carer_ids(); }},
      {v1::MISMATCH_CAUSE_DEVICE_CLONED, [this] { all_.rows.device->set_cloned(true); }},
      {v1::MISMATCH_CAUSE_DEVICE_BLOCKED, [this] { all_.rows.device->set_blocked(true); }},
      {v1::MISMATCH_CAUSE_NO_DEVICE, [this] { all_.in_use.reset(); }},
      {v1::MISMATCH_CAUSE_CARER_LEFT, [this] { all_.carer_left = true; }},
  };
  EXPECT_EQ(from_last.size() + 1, static_cast<size_t>(v1::MismatchCause_ARRAYSIZE)) << "one is left out";
  for (const auto& [cause, make_true] : from_last) {
    make_true();
    EXPECT_EQ(Cause(), cause) << v1::MismatchCause_Name(cause);
  }
}

}  // namespace
}  // namespace caresync::mismatch

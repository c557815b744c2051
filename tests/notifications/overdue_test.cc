#include "server/notifications/overdue.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "caresync/store/outbox.pb.h"
#include "caresync/store/stored.pb.h"
#include "nlohmann/json.hpp"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/notifications/settings.h"
#include "server/outbox/outbox_rows.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/records/sample_records.h"

namespace caresync::notifications {
namespace {

namespace limits = base::limits;
using base::keys::DevicePart;
using storage::Space;

constexpr char kUrl[] = "https://ops.example.org/caresync";
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// Devices of carer 1, who syncs every 30 minutes: after an hour without a success they are overdue.
class OverdueTest : public testing::Test {
 protected:
  OverdueTest() {
    engine_.CreateTenant(tenant_);
    records::PutAll(engine_, tenant_, {records::CarerRecord(1, "Ann Smith")});
  }

  void Set(int percent, const std::vector<v1::NotificationHours>& hours = {}) {
    v1::SetNotificationSettingsRequest request;
    request.set_tenant_id(tenant_.text());
    v1::NotificationSettings& settings = *request.mutable_settings();
    settings.mutable_webhook()->set_url(kUrl);
    settings.mutable_webhook()->set_secret(kSecret);
    settings.set_overdue_percent(percent);
    for (const v1::NotificationHours& of_day : hours) *settings.add_hours() = of_day;
    const auto set = engine_.Run(
        tenant_, [&](commit::Transaction& transaction) { return SetSettings(transaction, request).status(); });
    ASSERT_TRUE(set.ok()) << set.status();
  }

  void PutRow(int device, DevicePart part, const std::string& value) {
    const base::Uuid uuid = *base::Uuid::Parse(absl::StrFormat("00000000-0000-4000-8000-%012d", device));
    fakes::CommitAndWait(engine_.memory(),
                         fakes::PutOf(Space::kDevices, base::keys::DeviceRow(tenant_, uuid, part), value));
  }
  // Its last sync succeeded just now.
  void Sync(int device, const std::string& branch = "", bool blocked = false) {
    const std::string carer = records::CarerName(1).id.ToString();
    store::Device row;
    row.set_branch_id(branch);
    row.set_blocked(blocked);
    row.add_carer_ids(carer);
    row.set_enrolled_time_us(1);
    PutRow(device, DevicePart::kDevice, row.SerializeAsString());
    store::DeviceReport report;
    store::DeviceCopy& copy = *report.add_copies();
    copy.set_carer_id(carer);
    copy.set_last_success_us(base::ToStoredTime(engine_.clock().Now()));
    copy.set_last_manual_success_us(copy.last_success_us());
    report.set_last_success_us(copy.last_success_us());
    PutRow(device, DevicePart::kReport, report.SerializeAsString());
  }

  // Carer 1's last sync on it succeeded just now; carer `other` uses it too, and never synced.
  void SyncShared(int device, int other) {
    Sync(device);
    store::Device row;
    row.add_carer_ids(records::CarerName(other).id.ToString());
    row.add_carer_ids(records::CarerName(1).id.ToString());
    row.set_enrolled_time_us(1);
    PutRow(device, DevicePart::kDevice, row.SerializeAsString());
  }
  // Its last call; one under way with another `opening` than the store's was cut off with the server before.
  void Call(int device, v1::CallState state, const std::string& reason, const std::string& opening = "") {
    store::DeviceCall call;
    call.set_time_us(base::ToStoredTime(engine_.clock().Now()));
    call.set_state(state);
    call.set_reason(reason);
    call.set_opening(opening);
    PutRow(device, DevicePart::kCall, call.SerializeAsString());
  }
  void Diverge(int device) {
    store::DeviceReport report;
    store::DeviceCopy& copy = *report.add_copies();
    copy.set_carer_id(records::CarerName(1).id.ToString());
    copy.set_last_success_us(base::ToStoredTime(engine_.clock().Now()));
    copy.set_diverged(true);
    PutRow(device, DevicePart::kReport, report.SerializeAsString());
  }

  // The header of a request that tells its notice from others.
  static std::string NoticeOf(const outbox::SendRequest& request) {
    for (const std::string& header : request.headers) {
      if (absl::StartsWith(header, "webhook-id:")) return header;
    }
    ADD_FAILURE() << "a webhook without an ID";
    return "";
  }

  // All that was posted so far, each once: what hears nothing while hours pass is sent again under its ID. Each is
  // taken.
  std::vector<nlohmann::json> Told() {
    const auto& requests = engine_.sender().requests();
    while (answered_ < requests.size()) {
      engine_.sender().Answer(answered_++, outbox::SendOutcome::kTaken);
      engine_.executor().RunAll();
    }
    std::vector<nlohmann::json> told;
    std::set<std::string> known;
    for (const outbox::SendRequest& request : requests) {
      if (known.insert(NoticeOf(request)).second) told.push_back(nlohmann::json::parse(request.body));
    }
    return told;
  }

  fakes::Engine engine_{1, fakes::Mismatches::kNoted};
  const base::TenantId tenant_ = fakes::Tenant("acme");
  size_t answered_ = 0;
};

TEST_F(OverdueTest, IsToldOnceWhenItBeginsAndOnceWhenItEnds) {
  Sync(1);
  Sync(2);
  Set(50);
  engine_.Advance(absl::Minutes(55));
  EXPECT_EQ(Told().size(), 0u);
  engine_.Advance(absl::Minutes(20));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0], nlohmann::json({{"what", "overdue"},
                                       {"tenant_id", "acme"},
                                       {"branch_id", ""},
                                       {"over", true},
                                       {"devices", 2},
                                       {"overdue", 2},
                                       {"percent", 50}}));
  engine_.Advance(absl::Hours(1));
  EXPECT_EQ(Told().size(), 1u);
  Sync(1);
  engine_.Advance(limits::kOverdueLookEvery);
  ASSERT_EQ(Told().size(), 2u) << "half of them are no more than half of them";
  EXPECT_EQ(Told()[1]["over"], false);
  EXPECT_EQ(Told()[1]["overdue"], 1);
}

TEST_F(OverdueTest, EachBranchIsJudgedByItself) {
  Sync(1, "rome");
  Sync(2, "oslo");
  Set(50);
  engine_.Advance(absl::Minutes(50));
  Sync(2, "oslo");
  engine_.Advance(absl::Minutes(25));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["branch_id"], "rome");
  EXPECT_EQ(Told()[0]["devices"], 1);
}

TEST_F(OverdueTest, OfMoreBranchesThanTheOutboxHasRoomForTheOthersAreToldAfterwards) {
  constexpr size_t kBranches = limits::kNoticesPutAtOnce + 100;
  for (size_t i = 1; i <= kBranches; ++i) Sync(static_cast<int>(i), absl::StrCat("branch ", i));
  Set(50);
  store::Outbox nearly_full;
  nearly_full.set_waiting(limits::kOutboxWaiting - limits::kNoticesPutAtOnce - 1);
  fakes::CommitAndWait(engine_.memory(),
                       fakes::PutOf(Space::kRecords, base::keys::Outbox(tenant_), nearly_full.SerializeAsString()));
  engine_.Advance(absl::Minutes(75));
  EXPECT_EQ(Told().size(), limits::kNoticesPutAtOnce);
  engine_.Advance(limits::kOverdueLookEvery);
  EXPECT_EQ(Told().size(), kBranches);
  std::set<std::string> told;
  for (const nlohmann::json& body : Told()) told.insert(body["branch_id"].get<std::string>());
  EXPECT_EQ(told.size(), kBranches);
}

TEST_F(OverdueTest, OfABranchThatWasNotCountedNothingIsToldToHaveEnded) {
  const int most = limits::kBranchesCounted;
  Sync(most + 1, "rome");
  Set(50);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  for (int i = 1; i <= most; ++i) Sync(i, absl::StrCat("branch ", i));
  engine_.Advance(2 * limits::kOverdueLookEvery);
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(OverdueTest, DevicesThatFailMeanwhileAreNoLessOverdue) {
  Sync(1);
  Sync(2);
  Set(50);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["overdue"], 2);
  // An outage: they call again, and nothing comes of it.
  Call(1, v1::CALL_STATE_FAILED, "SERVER_OVERLOADED");
  Call(2, v1::CALL_STATE_FAILED, "STREAM_CUT");
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(Told().size(), 1u) << "that it is over was told in the midst of it";
  Sync(1);
  Sync(2);
  engine_.Advance(limits::kOverdueLookEvery);
  ASSERT_EQ(Told().size(), 2u);
  EXPECT_EQ(Told()[1]["over"], false);
}

TEST_F(OverdueTest, CountsWhatIsOverdueUnderAWorseState) {
  for (int device = 1; device <= 4; ++device) Sync(device);
  Call(1, v1::CALL_STATE_FAILED, "CREDENTIAL_EXPIRED");
  Call(2, v1::CALL_STATE_UNDER_WAY, "", "a store that was open before");
  Diverge(3);
  Set(50);
  engine_.Advance(absl::Minutes(55));
  EXPECT_EQ(Told().size(), 0u);
  engine_.Advance(absl::Minutes(20));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["devices"], 4);
  EXPECT_EQ(Told()[0]["overdue"], 4);
}

TEST_F(OverdueTest, AUserWhoNeverSyncedHidesNoOtherAndCountsAsNone) {
  records::PutAll(engine_, tenant_, {records::CarerRecord(2, "Bob Hill")});
  SyncShared(1, 2);
  Sync(2);
  PutRow(2, DevicePart::kReport, store::DeviceReport().SerializeAsString());
  Set(40);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["devices"], 2);
  EXPECT_EQ(Told()[0]["overdue"], 1);
}

TEST_F(OverdueTest, OfAUserWhoLeftNothingIsOverdue) {
  records::PutAll(engine_, tenant_, {records::CarerRecord(2, "Bob Hill")});
  SyncShared(1, 2);
  Sync(2);
  store::Record left = records::CarerRecord(1, "Ann Smith");
  left.set_left(true);
  records::PutAll(engine_, tenant_, {left});
  Set(1);
  engine_.Advance(absl::Minutes(75));
  EXPECT_EQ(Told().size(), 0u);
}

TEST_F(OverdueTest, BlockedDevicesDoNotCount) {
  Sync(1);
  Sync(2, "", true);
  Set(50);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["devices"], 1);
}

TEST_F(OverdueTest, MoreDevicesThanAStepCountsAreCounted) {
  const int devices = static_cast<int>(limits::kDevicesCounted) * 2 + 1;
  for (int i = 1; i <= devices; ++i) Sync(i);
  Set(99);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["devices"], devices);
  EXPECT_EQ(Told()[0]["overdue"], devices);
}

TEST_F(OverdueTest, OutsideTheHoursItIsToldWhenTheyBegin) {
  Sync(1);
  v1::NotificationHours hours;
  const absl::Time begin = engine_.clock().Now() + absl::Hours(3);
  const absl::CivilMinute minute = absl::ToCivilMinute(begin, absl::UTCTimeZone());
  hours.set_weekday(static_cast<v1::Weekday>(static_cast<int>(absl::GetWeekday(minute)) + v1::WEEKDAY_MONDAY));
  hours.set_from_minute(minute.hour() * 60 + minute.minute());
  hours.set_to_minute(24 * 60);
  Set(50, {hours});
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(Told().size(), 0u);
  engine_.Advance(absl::Hours(1) + limits::kOverdueLookEvery);
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(OverdueTest, WithoutAThresholdNothingIsLookedAt) {
  Sync(1);
  Set(50);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  Set(0);
  EXPECT_FALSE(fakes::ValueOf(engine_.memory(), Space::kRecords, base::keys::OverdueLook(tenant_)).has_value());
  Sync(1);
  engine_.Advance(absl::Hours(3));
  EXPECT_EQ(Told().size(), 1u);
  EXPECT_TRUE(fakes::RowsOf(*engine_.Snapshot(), Space::kRecords, base::keys::AllOverdueBranches(tenant_)).empty());
}

TEST_F(OverdueTest, WhereHowFarItCameCannotBeReadItIsCountedFromTheBeginning) {
  Sync(1);
  Set(50);
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(Space::kRecords, base::keys::OverdueLook(tenant_), "\xff"));
  engine_.Advance(absl::Minutes(75));
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(OverdueTest, ADeviceThatCannotBeReadHoldsNothingUp) {
  Sync(1);
  PutRow(2, DevicePart::kDevice, "\xff");
  Set(50);
  engine_.Advance(absl::Minutes(75));
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Told()[0]["devices"], 1);
}

}  // namespace
}  // namespace caresync::notifications

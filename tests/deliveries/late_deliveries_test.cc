// Which changes were not seen on carers' phones as soon as is promised, and why.
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/deliveries/delivery_list.h"
#include "server/devices/device_in_use.h"
#include "tests/deliveries/delivery_bench.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

namespace limits = base::limits;
using store::CopyMark;
using testing::ElementsAre;
using testing::IsEmpty;

class LateDeliveriesTest : public testing::Test {
 protected:
  // A change of c1's visit that starts then; `ago`: when it was made in the rostering system. nullopt: that does not
  // say.
  base::Revision Change(const std::string& visit, absl::Time start, std::optional<absl::Duration> ago) {
    bench_.engine().clock().Advance(absl::Minutes(1));
    v1::RosterChange change = fakes::VisitChange(visit, "p1", {"c1"});
    v1::RosterAssignment& part = *change.mutable_visit()->mutable_assignments(0);
    *part.mutable_start_time() = base::ToTimestamp(start);
    *part.mutable_end_time() = base::ToTimestamp(start + absl::Hours(1));
    if (ago.has_value()) *change.mutable_changed_time() = base::ToTimestamp(bench_.Now() - *ago);
    bench_.engine().ApplyChanges(bench_.tenant(), "rota", {change});
    return bench_.Head();
  }
  void Cancel(const std::string& visit) {
    bench_.engine().clock().Advance(absl::Minutes(1));
    v1::RosterChange change = fakes::VisitChange(visit, "p1", {"c1"});
    change.mutable_visit()->set_cancelled(true);
    *change.mutable_changed_time() = base::ToTimestamp(bench_.Now());
    bench_.engine().ApplyChanges(bench_.tenant(), "rota", {change});
  }
  void PutInUse(int device) {
    bench_.Assign(device, {"c1"});
    bench_.PutReport(device, [](store::DeviceReport&) {});
    storage::Commit commit;
    commit.writes.push_back(devices::DeviceInUseRow(bench_.tenant(), DeliveryBench::Carer("c1"),
                                                    DeliveryBench::Device(device), bench_.Now()));
    ASSERT_EQ(fakes::CommitAndWait(bench_.engine().memory(), commit).outcome, storage::CommitOutcome::kCommitted);
  }
  void Wait(absl::Duration time) { bench_.engine().clock().Advance(time); }
  absl::Time InHours(int hours) const { return bench_.Now() + absl::Hours(hours); }

  v1::ListDeliveriesResponse List(bool late_only = false, std::optional<int> device = std::nullopt) const {
    v1::ListDeliveriesRequest request;
    request.set_carer_id(DeliveryBench::Carer("c1").ToString());
    if (device.has_value()) request.set_device_uuid(DeliveryBench::Device(*device).ToString());
    request.set_late_only(late_only);
    const auto listed = ListDeliveries(*bench_.Snapshot(), bench_.tenant(), request,
                                       {.syncs = {.opening = bench_.engine().opening().timeline}, .now = bench_.Now()});
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.value_or(v1::ListDeliveriesResponse());
  }
  // Of the last change.
  v1::Delivery Last(std::optional<int> device = std::nullopt) const {
    const v1::ListDeliveriesResponse listed = List(false, device);
    return listed.deliveries().empty() ? v1::Delivery() : *listed.deliveries().rbegin();
  }
  v1::DeliveryLateReason Reason(std::optional<int> device = std::nullopt) const { return Last(device).late_reason(); }
  v1::MismatchCause Cause(std::optional<int> device = std::nullopt) const { return Last(device).late_cause(); }

  DeliveryBench bench_;
};

// ---- What is promised

// Requirement: I4
TEST_F(LateDeliveriesTest, WithinThreeDaysAChangeIsPromisedIn20MinutesAndFurtherAheadIn24Hours) {
  Change("near", InHours(71), absl::Minutes(5));
  EXPECT_EQ(base::FromTimestamp(Last().promised_time()), bench_.Now() + absl::Minutes(15));
  Change("ahead", InHours(73), absl::Minutes(5));
  EXPECT_EQ(base::FromTimestamp(Last().promised_time()), bench_.Now() - absl::Minutes(5) + absl::Hours(24));
}

TEST_F(LateDeliveriesTest, OfAVisitThatIsTakenAwayItsStartBeforeThatCounts) {
  Change("a", InHours(5), absl::Minutes(1));
  Cancel("a");
  EXPECT_EQ(Last().gone(), v1::VISIT_GONE_CANCELLED);
  EXPECT_EQ(base::FromTimestamp(Last().promised_time()), bench_.Now() + limits::kNearPromise);
}

TEST_F(LateDeliveriesTest, NothingIsPromisedWhereItCannotBeToldWhenItWasChangedOrTheVisitHadBegun) {
  const absl::Time start = InHours(5);
  Change("unsaid", start, std::nullopt);
  EXPECT_FALSE(Last().has_promised_time());
  Change("tomorrow's", start, -absl::Minutes(2));
  EXPECT_FALSE(Last().has_promised_time());
  Change("sent for the first time", start, limits::kLagMost + absl::Minutes(1));
  EXPECT_FALSE(Last().has_promised_time());
  Change("begun", bench_.Now() - absl::Hours(1), absl::Minutes(1));
  EXPECT_FALSE(Last().has_promised_time());
  Wait(absl::Hours(48));
  EXPECT_THAT(List(true).deliveries(), IsEmpty());
}

// ---- What is late, and why

TEST_F(LateDeliveriesTest, ItIsNotLateBeforeItsTimeIsUp) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("a", InHours(5), absl::ZeroDuration());
  Wait(limits::kNearPromise);
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_UNSPECIFIED);
  Wait(absl::Seconds(1));
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_DEVICE);
}

// Requirement: I4
TEST_F(LateDeliveriesTest, WhatThePhoneHasNotTakenIsListedWithWhatStandsInTheWay) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("a", InHours(5), absl::ZeroDuration());
  Wait(absl::Minutes(21));
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_NEVER_SYNCED) << "as its rows have it";
  bench_.Assign(1, {"c2"});
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_NOT_A_USER);
  EXPECT_EQ(List(true).deliveries_size(), 1);
}

TEST_F(LateDeliveriesTest, WhatThePhoneTookTooLateIsListedAsThat) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("a", InHours(5), absl::ZeroDuration());
  Wait(absl::Minutes(21));
  bench_.Whole(bench_.Head());
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_DEVICE);
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_UNSPECIFIED) << "nothing stands in the way any more";
}

// Requirement: I4
TEST_F(LateDeliveriesTest, WhatTheRosteringSystemSentTooLateIsListedAsThatWhateverThePhoneDid) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("a", InHours(5), absl::Minutes(21));
  bench_.Whole(bench_.Head());
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_SENT_LATE);
}

// Requirement: I4
TEST_F(LateDeliveriesTest, WhatWaitedForAnotherRecordIsListedAsThat) {
  PutInUse(1);
  v1::RosterChange change = fakes::VisitChange("a", "p2", {"c1"});
  *change.mutable_changed_time() = base::ToTimestamp(bench_.Now());
  bench_.engine().ApplyChanges(bench_.tenant(), "rota", {change});
  Wait(absl::Minutes(21));
  bench_.engine().ApplyChanges(bench_.tenant(), "rota", {fakes::ServiceUserChange("p2")});
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_WAITED);
}

TEST_F(LateDeliveriesTest, OfACarerWithoutADeviceItIsSaid) {
  Change("a", InHours(5), absl::ZeroDuration());
  Wait(absl::Minutes(21));
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_DEVICE);
  EXPECT_EQ(Cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
}

// ---- Which device counts

TEST_F(LateDeliveriesTest, ATabletAtHomeDoesNotMakeUpForThePhoneInUse) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("a", InHours(5), absl::ZeroDuration());
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c1", 2);
  Wait(absl::Minutes(21));
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_DEVICE);
  EXPECT_EQ(Reason(2), v1::DELIVERY_LATE_REASON_UNSPECIFIED) << "of the one that was asked for";
}

TEST_F(LateDeliveriesTest, APhoneThatCameIntoUseLaterMakesNothingLate) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c1", 2);
  Change("a", InHours(5), absl::ZeroDuration());
  bench_.Whole(bench_.Head(), CopyMark::APPLIED, "c1", 2);
  Wait(absl::Hours(3));
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_EQ(Reason(), v1::DELIVERY_LATE_REASON_UNSPECIFIED);
}

// ---- The list

TEST_F(LateDeliveriesTest, TheLateOnesAloneAreListedWhereTheyAreAskedFor) {
  PutInUse(1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  Change("in time", InHours(5), absl::ZeroDuration());
  bench_.Whole(bench_.Head());
  Change("sent late", InHours(5), absl::Minutes(30));
  const base::Revision late = bench_.Head();
  std::vector<uint64_t> revisions;
  const v1::ListDeliveriesResponse listed = List(true);
  for (const v1::Delivery& delivery : listed.deliveries()) revisions.push_back(delivery.revision());
  EXPECT_THAT(revisions, ElementsAre(late));
  EXPECT_EQ(List(false).deliveries_size(), 2);
}

TEST_F(LateDeliveriesTest, ThatOnlyLateOnesAreWantedIsNoFilterByItself) {
  v1::ListDeliveriesRequest request;
  request.set_late_only(true);
  const auto listed = ListDeliveries(*bench_.Snapshot(), bench_.tenant(), request, {.syncs = {}, .now = bench_.Now()});
  EXPECT_EQ(base::Reason(listed.status()), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::deliveries

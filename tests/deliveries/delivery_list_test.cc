#include "server/deliveries/delivery_list.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/deliveries/delivery_devices.h"
#include "tests/deliveries/delivery_bench.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

using store::CopyMark;
using testing::ElementsAre;
using testing::IsEmpty;

class DeliveryListTest : public testing::Test {
 protected:
  absl::StatusOr<v1::ListDeliveriesResponse> Ask(const v1::ListDeliveriesRequest& request) const {
    return ListDeliveries(*bench_.Snapshot(), bench_.tenant(), request,
                          {.syncs = {.opening = bench_.engine().opening().timeline}, .now = bench_.Now()});
  }
  v1::ListDeliveriesResponse List(const v1::ListDeliveriesRequest& request) const {
    const auto listed = Ask(request);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.value_or(v1::ListDeliveriesResponse());
  }
  std::string ReasonOf(const v1::ListDeliveriesRequest& request) const { return base::Reason(Ask(request).status()); }
  static v1::ListDeliveriesRequest OfVisit(const std::string& visit) {
    v1::ListDeliveriesRequest request;
    request.set_visit_id(DeliveryBench::VisitId(visit).ToString());
    return request;
  }
  static v1::ListDeliveriesRequest OfCarer(const std::string& carer) {
    v1::ListDeliveriesRequest request;
    request.set_carer_id(DeliveryBench::Carer(carer).ToString());
    return request;
  }
  static v1::ListDeliveriesRequest OfDevice(int device) {
    v1::ListDeliveriesRequest request;
    request.set_device_uuid(DeliveryBench::Device(device).ToString());
    return request;
  }
  static v1::ListDeliveriesRequest Since(absl::Time from) {
    v1::ListDeliveriesRequest request;
    *request.mutable_committed_from_time() = base::ToTimestamp(from);
    return request;
  }
  static std::vector<uint64_t> RevisionsOf(const v1::ListDeliveriesResponse& listed) {
    std::vector<uint64_t> revisions;
    for (const v1::Delivery& delivery : listed.deliveries()) revisions.push_back(delivery.revision());
    return revisions;
  }
  std::vector<uint64_t> Revisions(const v1::ListDeliveriesRequest& request) const { return RevisionsOf(List(request)); }
  // What became of the visit's changes for c1 on the first of its devices.
  std::vector<v1::DeliveryState> States(const std::string& visit) const {
    std::vector<v1::DeliveryState> states;
    const v1::ListDeliveriesResponse listed = List(OfVisit(visit));
    for (const v1::Delivery& delivery : listed.deliveries()) {
      EXPECT_EQ(delivery.devices_size(), 1);
      states.push_back(delivery.devices(0).state());
    }
    return states;
  }
  // A sync of c1's on the device that was cut off, begun at this revision.
  void NoteSync(uint64_t number, base::Revision revision, v1::SyncOutcome outcome) {
    store::SyncRow sync;
    sync.set_carer_id(DeliveryBench::Carer("c1").ToString());
    sync.set_outcome(outcome);
    sync.set_stage(v1::SYNC_STAGE_DOWNLOADING);
    sync.set_start_revision(revision);
    sync.set_end_revision(outcome == v1::SYNC_OUTCOME_SUCCEEDED ? revision : 0);
    sync.set_opening(bench_.engine().opening().timeline);
    const base::Uuid device = DeliveryBench::Device(1);
    storage::Commit commit;
    commit.writes.push_back(
        {storage::Space::kDevices, base::keys::Sync(bench_.tenant(), device, number), sync.SerializeAsString()});
    commit.writes.push_back({storage::Space::kDevices,
                             base::keys::SyncOfCarer(bench_.tenant(), DeliveryBench::Carer("c1"),
                                                     base::ToStoredTime(bench_.Now()), device, number),
                             ""});
    ASSERT_EQ(fakes::CommitAndWait(bench_.engine().memory(), commit).outcome, storage::CommitOutcome::kCommitted);
    bench_.PutReport(1, [&](store::DeviceReport& report) { report.set_syncs(number); });
  }

  DeliveryBench bench_;
};

// ---- What is told of a change

TEST_F(DeliveryListTest, TellsWhatChangedAndWhereThatCameFrom) {
  const base::Revision revision = bench_.Put("a", {"c1"});
  const v1::ListDeliveriesResponse listed = List(OfVisit("a"));
  ASSERT_EQ(listed.deliveries_size(), 1);
  const v1::Delivery& delivery = listed.deliveries(0);
  EXPECT_EQ(delivery.carer_id(), DeliveryBench::Carer("c1").ToString());
  EXPECT_EQ(delivery.carer_name(), "c1");
  EXPECT_EQ(delivery.visit_id(), DeliveryBench::VisitId("a").ToString());
  EXPECT_EQ(delivery.visit().service_user_name(), "p1");
  EXPECT_EQ(base::FromTimestamp(delivery.visit().start_time()), base::FromTimestamp(fakes::AtHour(9)));
  EXPECT_EQ(base::FromTimestamp(delivery.visit().end_time()), base::FromTimestamp(fakes::AtHour(10)));
  EXPECT_EQ(delivery.revision(), revision);
  EXPECT_EQ(base::FromTimestamp(delivery.committed_time()), bench_.Now());
  EXPECT_EQ(delivery.source(), "rota");
  EXPECT_EQ(base::FromTimestamp(delivery.source_changed_time()), base::FromTimestamp(fakes::AtHour(5)));
  EXPECT_THAT(delivery.devices(), IsEmpty());
  EXPECT_FALSE(delivery.has_seen_time());
}

TEST_F(DeliveryListTest, TellsWhyDevicesAreNotToHoldIt) {
  bench_.Put("a", {"c1"});
  bench_.Cancel("a", {"c1"});
  const v1::ListDeliveriesResponse listed = List(OfVisit("a"));
  ASSERT_EQ(listed.deliveries_size(), 2);
  EXPECT_FALSE(listed.deliveries(1).has_visit());
  EXPECT_EQ(listed.deliveries(1).gone(), v1::VISIT_GONE_CANCELLED);
}

TEST_F(DeliveryListTest, ThatTheWindowMovedAVisitIsNoChangeOfTheRota) {
  const base::Revision revision = bench_.Put("a", {"c1"});
  bench_.MoveByWindow("a", "c1");
  EXPECT_THAT(Revisions(OfVisit("a")), ElementsAre(revision));
}

// ---- What became of it

TEST_F(DeliveryListTest, OfADeviceThatNeverSyncedItWasNotSent) {
  bench_.Assign(1, {"c1"});
  bench_.Put("a", {"c1"});
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_NOT_SENT));
}

TEST_F(DeliveryListTest, OfADeviceWhoseLastSyncEndedBeforeItWasNotSent) {
  bench_.Assign(1, {"c1"});
  NoteSync(1, bench_.Head(), v1::SYNC_OUTCOME_SUCCEEDED);
  bench_.Put("a", {"c1"});
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_NOT_SENT));
}

TEST_F(DeliveryListTest, WhatASyncThatWasCutOffMayHaveSentIsTold) {
  bench_.Assign(1, {"c1"});
  bench_.Put("a", {"c1"});
  NoteSync(1, bench_.Head(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_MAY_HAVE_BEEN_SENT));
}

TEST_F(DeliveryListTest, WhatTheDeviceAcknowledgedWasApplied) {
  bench_.PutReport(1, [](store::DeviceReport& report) { report.set_device_name("Pixel 6"); });
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision revision = bench_.Put("a", {"c1"});
  const absl::Time applied = bench_.Whole(revision);
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head());
  const v1::ListDeliveriesResponse listed = List(OfVisit("a"));
  ASSERT_EQ(listed.deliveries_size(), 1);
  ASSERT_EQ(listed.deliveries(0).devices_size(), 1);
  const v1::DeviceDelivery& device = listed.deliveries(0).devices(0);
  EXPECT_EQ(device.device_uuid(), DeliveryBench::Device(1).ToString());
  EXPECT_EQ(device.device_name(), "Pixel 6");
  EXPECT_EQ(device.state(), v1::DELIVERY_STATE_APPLIED);
  EXPECT_EQ(base::FromTimestamp(device.sent_time()), applied - absl::Seconds(5));
  EXPECT_EQ(base::FromTimestamp(device.applied_time()), applied) << "the first time, whatever came later";
  EXPECT_EQ(device.sync_number(), 2u);
  EXPECT_EQ(device.session_id(), "session-2");
}

TEST_F(DeliveryListTest, ARemovalIsAppliedToo) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Cancel("a", {"c1"});
  bench_.Whole(bench_.Head());
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_APPLIED, v1::DELIVERY_STATE_APPLIED));
}

TEST_F(DeliveryListTest, WhatALaterChangeTookThePlaceOfIsSuperseded) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("a", {"c1"}, "first");
  bench_.Put("a", {"c1"}, "second");
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_MAY_HAVE_BEEN_SENT, v1::DELIVERY_STATE_MAY_HAVE_BEEN_SENT))
      << "no history of it is there";
  const absl::Time later = bench_.Whole(bench_.Head());
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_SUPERSEDED, v1::DELIVERY_STATE_APPLIED));
  const v1::DeviceDelivery superseded = List(OfVisit("a")).deliveries(0).devices(0);
  EXPECT_FALSE(superseded.has_sent_time());
  EXPECT_EQ(base::FromTimestamp(superseded.applied_time()), later);
}

TEST_F(DeliveryListTest, APartOfADeltaAppliesWhatLiesInIt) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision first = bench_.Put("a", {"c1"});
  bench_.Put("b", {"c1"});
  bench_.Mark(CopyMark::APPLIED, bench_.Head(), {first, DeliveryBench::Visit("a")});
  EXPECT_THAT(States("a"), ElementsAre(v1::DELIVERY_STATE_APPLIED));
  EXPECT_THAT(States("b"), ElementsAre(v1::DELIVERY_STATE_MAY_HAVE_BEEN_SENT));
}

TEST_F(DeliveryListTest, EachDeviceOfTheCarersIsTold) {
  bench_.Assign(2, {"c1"});
  bench_.Assign(3, {"c2"});
  bench_.Put("a", {"c1", "c2"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c1", 1);
  const v1::ListDeliveriesResponse listed = List(OfVisit("a"));
  ASSERT_EQ(listed.deliveries_size(), 2);
  for (const v1::Delivery& delivery : listed.deliveries()) {
    std::vector<std::string> uuids;
    for (const v1::DeviceDelivery& device : delivery.devices()) uuids.push_back(device.device_uuid());
    if (delivery.carer_name() == "c1") {
      EXPECT_THAT(uuids, ElementsAre(DeliveryBench::Device(1).ToString(), DeliveryBench::Device(2).ToString()));
      EXPECT_EQ(delivery.devices(0).state(), v1::DELIVERY_STATE_APPLIED);
      EXPECT_EQ(delivery.devices(1).state(), v1::DELIVERY_STATE_NOT_SENT);
    } else {
      EXPECT_THAT(uuids, ElementsAre(DeliveryBench::Device(3).ToString()));
    }
  }
}

TEST_F(DeliveryListTest, BeforeWhatIsKeptOfTheDeviceNoTimeIsTold) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  bench_.Put("b", {"c1"});
  bench_.Whole(bench_.Head());
  bench_.DeleteMark(1, "c1", 1);
  const v1::DeviceDelivery device = List(OfVisit("a")).deliveries(0).devices(0);
  EXPECT_EQ(device.state(), v1::DELIVERY_STATE_APPLIED);
  EXPECT_FALSE(device.has_applied_time());
  EXPECT_FALSE(device.has_sent_time());
  EXPECT_EQ(device.sync_number(), 0u);
}

TEST_F(DeliveryListTest, OfTwoCarersOnOneDeviceNothingIsMissingBeforeTheSecond) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2");
  bench_.Put("a", {"c1"});
  const absl::Time applied = bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c1");
  EXPECT_EQ(base::FromTimestamp(List(OfVisit("a")).deliveries(0).devices(0).applied_time()), applied);
}

// ---- Which are listed

TEST_F(DeliveryListTest, AFilterIsNeeded) {
  EXPECT_EQ(ReasonOf({}), "INVALID_FIELD");
  v1::ListDeliveriesRequest request;
  request.set_visit_id("seven");
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request = Since(bench_.Now());
  request.mutable_committed_until_time()->set_nanos(-1);
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request = Since(bench_.Now());
  request.set_page_size(1001);
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  EXPECT_THAT(Revisions(Since(bench_.Now())), IsEmpty());
}

TEST_F(DeliveryListTest, FiltersAreJoinedByAnd) {
  const base::Revision one = bench_.Put("a", {"c1"});
  const base::Revision other = bench_.Put("b", {"c1"});
  const base::Revision of_other = bench_.Put("c", {"c2"});
  EXPECT_THAT(Revisions(OfCarer("c1")), ElementsAre(one, other));
  EXPECT_THAT(Revisions(OfCarer("c2")), ElementsAre(of_other));
  v1::ListDeliveriesRequest both = OfVisit("b");
  both.set_carer_id(DeliveryBench::Carer("c1").ToString());
  EXPECT_THAT(Revisions(both), ElementsAre(other));
  both.set_carer_id(DeliveryBench::Carer("c2").ToString());
  EXPECT_THAT(Revisions(both), IsEmpty());
}

TEST_F(DeliveryListTest, OfADeviceThoseOfItsCarersAreListedWithItAlone) {
  bench_.Assign(1, {"c1"});
  bench_.Assign(2, {"c1", "c2"});
  const base::Revision one = bench_.Put("a", {"c1"});
  const base::Revision other = bench_.Put("b", {"c2"});
  EXPECT_THAT(Revisions(OfDevice(1)), ElementsAre(one));
  EXPECT_THAT(Revisions(OfDevice(2)), ElementsAre(one, other));
  EXPECT_THAT(Revisions(OfDevice(3)), IsEmpty());
  const v1::ListDeliveriesResponse listed = List(OfDevice(1));
  ASSERT_EQ(listed.deliveries(0).devices_size(), 1);
  EXPECT_EQ(listed.deliveries(0).devices(0).device_uuid(), DeliveryBench::Device(1).ToString());
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2", 1);
  EXPECT_THAT(Revisions(OfDevice(1)), ElementsAre(one, other)) << "it holds something of c2, who is no user";
}

TEST_F(DeliveryListTest, ATimeListsWhatWasCommittedInIt) {
  std::vector<base::Revision> revisions;
  std::vector<absl::Time> times;
  for (int i = 0; i < 5; ++i) {
    bench_.engine().clock().Advance(absl::Hours(3));
    revisions.push_back(bench_.Put("a", {"c1"}, std::string(static_cast<size_t>(i) + 1, 'n')));
    times.push_back(bench_.Now());
  }
  EXPECT_THAT(Revisions(Since(times[3])), ElementsAre(revisions[3], revisions[4]));
  v1::ListDeliveriesRequest request = Since(times[1]);
  *request.mutable_committed_until_time() = base::ToTimestamp(times[3]);
  EXPECT_THAT(Revisions(request), ElementsAre(revisions[1], revisions[2]));
  request.set_carer_id(DeliveryBench::Carer("c1").ToString());
  EXPECT_THAT(Revisions(request), ElementsAre(revisions[1], revisions[2]));
  request.set_visit_id(DeliveryBench::VisitId("a").ToString());
  EXPECT_THAT(Revisions(request), ElementsAre(revisions[1], revisions[2]));
  request.clear_committed_from_time();
  EXPECT_THAT(Revisions(request), ElementsAre(revisions[0], revisions[1], revisions[2]));
}

TEST_F(DeliveryListTest, AClockThatWasSetBackALittleHidesNothing) {
  const base::Revision first = bench_.Put("a", {"c1"}, "first");
  const absl::Time at_first = bench_.Now();
  bench_.engine().clock().SetNow(at_first - absl::Minutes(30));
  bench_.Put("a", {"c1"}, "second");
  EXPECT_THAT(Revisions(Since(at_first)), ElementsAre(first));
}

TEST_F(DeliveryListTest, PagesHoldAllOnceInTheirOrder) {
  std::vector<uint64_t> expected;
  for (const char* visit : {"a", "b", "c", "a", "b"}) {
    expected.push_back(bench_.Put(visit, {"c1"}, std::string(expected.size() + 1, 'n')));
  }
  v1::ListDeliveriesRequest request = Since(bench_.Now() - absl::Hours(1));
  request.set_page_size(2);
  std::vector<uint64_t> listed;
  int pages = 0;
  do {
    const v1::ListDeliveriesResponse page = List(request);
    EXPECT_LE(page.deliveries_size(), 2);
    for (const uint64_t revision : RevisionsOf(page)) listed.push_back(revision);
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, expected);
  EXPECT_EQ(pages, 3);
}

TEST_F(DeliveryListTest, ATokenServesItsListOnly) {
  bench_.Put("a", {"c1"}, "first");
  bench_.Put("a", {"c1"}, "second");
  v1::ListDeliveriesRequest request = OfCarer("c1");
  request.set_page_size(1);
  const std::string token = List(request).next_page_token();
  ASSERT_FALSE(token.empty());
  request.set_page_token("seven");
  EXPECT_EQ(ReasonOf(request), "PAGE_TOKEN_NOT_VALID");
  request = OfCarer("c2");
  request.set_page_token(token);
  EXPECT_EQ(ReasonOf(request), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(DeliveryListTest, OneThatCannotBeReadHoldsNothingUp) {
  const base::Revision damaged = bench_.Put("a", {"c1"});
  const base::Revision next = bench_.Put("b", {"c1"});
  const storage::CommitResult done = fakes::CommitAndWait(
      bench_.engine().memory(), fakes::PutOf(storage::Space::kRecords,
                                             base::keys::VisitEntry(bench_.tenant(), DeliveryBench::Carer("c1"),
                                                                    damaged, DeliveryBench::Visit("a")),
                                             "\xFF\xFF"));
  ASSERT_EQ(done.outcome, storage::CommitOutcome::kCommitted);
  EXPECT_THAT(Revisions(OfCarer("c1")), ElementsAre(next));
}

TEST_F(DeliveryListTest, WhatIsNoLongerAtHandIsReadAgain) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c1", 1);
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED, "c2", 2);
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
  const devices::SyncsUnderWay under_way{.opening = bench_.engine().opening().timeline};
  DeliveryDevices devices(*snapshot, bench_.tenant(), std::nullopt, under_way, /*most_marks=*/1);
  for (const int device : {1, 2, 1}) {
    const auto all = devices.Of(DeliveryBench::Carer(device == 1 ? "c1" : "c2"));
    ASSERT_TRUE(all.ok()) << all.status();
    ASSERT_EQ((*all)->size(), 1u);
    EXPECT_EQ((*all)->front().uuid, DeliveryBench::Device(device));
    EXPECT_EQ((*all)->front().marks.size(), 1u);
  }
}

}  // namespace
}  // namespace caresync::deliveries

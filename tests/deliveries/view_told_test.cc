#include "server/deliveries/view_told.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/deliveries/delivery_bench.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

using store::CopyMark;

class ViewToldTest : public testing::Test {
 protected:
  ViewToldTest() {
    bench_.Assign(1, {"c1"});
    request_.set_device_uuid(DeliveryBench::Device(1).ToString());
    request_.set_carer_id(DeliveryBench::Carer("c1").ToString());
  }
  absl::StatusOr<v1::GetDeviceViewResponse> Ask() const {
    return TellDeviceView(*bench_.Snapshot(), bench_.tenant(), request_, bench_.Now());
  }
  v1::GetDeviceViewResponse Told() const {
    const auto told = Ask();
    EXPECT_TRUE(told.ok()) << told.status();
    return told.value_or(v1::GetDeviceViewResponse());
  }
  std::string Reason() const { return base::Reason(Ask().status()); }

  DeliveryBench bench_;
  v1::GetDeviceViewRequest request_;
};

TEST_F(ViewToldTest, ShowsTheVisitsAsTheDeviceGotThem) {
  const base::Revision revision = bench_.Put("a", {"c1", "c2"}, "the notes");
  const absl::Time heard = bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const base::Revision read_at = bench_.Head();
  bench_.Put("a", {"c1", "c2"}, "others");
  const v1::GetDeviceViewResponse told = Told();
  EXPECT_EQ(told.device_uuid(), request_.device_uuid());
  EXPECT_EQ(told.carer_id(), request_.carer_id());
  EXPECT_EQ(base::FromTimestamp(told.view_time()), bench_.Now());
  EXPECT_EQ(told.known(), v1::DEVICE_VIEW_KNOWN_ALL);
  EXPECT_EQ(base::FromTimestamp(told.heard_time()), heard);
  EXPECT_EQ(told.sync_number(), 1u);
  EXPECT_EQ(told.revision(), read_at);
  ASSERT_EQ(told.visits_size(), 1);
  const v1::ViewedVisit& visit = told.visits(0);
  EXPECT_EQ(visit.visit_id(), DeliveryBench::VisitId("a").ToString());
  EXPECT_EQ(visit.visit().notes(), "the notes");
  EXPECT_EQ(visit.visit().assignments_size(), 2);
  EXPECT_EQ(visit.shown().service_user_name(), "p1");
  EXPECT_EQ(base::FromTimestamp(visit.shown().start_time()), base::FromTimestamp(fakes::AtHour(9)));
  EXPECT_EQ(visit.revision(), revision);
  EXPECT_TRUE(visit.has_committed_time());
  EXPECT_TRUE(visit.certain());
}

TEST_F(ViewToldTest, ATimeShowsWhatItWasThen) {
  *request_.mutable_view_time() = base::ToTimestamp(bench_.Now());
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  const v1::GetDeviceViewResponse told = Told();
  EXPECT_EQ(told.known(), v1::DEVICE_VIEW_KNOWN_NO_COPY);
  EXPECT_EQ(told.view_time().seconds(), request_.view_time().seconds());
  EXPECT_FALSE(told.has_heard_time());
  EXPECT_EQ(told.visits_size(), 0);
}

TEST_F(ViewToldTest, OfAMomentThatIsToComeNothingIsCertified) {
  bench_.Put("a", {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  *request_.mutable_view_time() = base::ToTimestamp(bench_.Now() + absl::Hours(24 * 365));
  EXPECT_EQ(Reason(), "INVALID_FIELD");
  EXPECT_THAT(std::string(Ask().status().message()), testing::StartsWith("view_time: lies ahead"));
  // The asker's clock may be a little ahead: then it is told of now.
  *request_.mutable_view_time() = base::ToTimestamp(bench_.Now() + base::limits::kViewAhead);
  EXPECT_EQ(base::FromTimestamp(Told().view_time()), bench_.Now());
  *request_.mutable_view_time() = base::ToTimestamp(bench_.Now() + base::limits::kViewAhead + absl::Microseconds(1));
  EXPECT_EQ(Reason(), "INVALID_FIELD");
}

TEST_F(ViewToldTest, WhatIsNotKnownIsSaid) {
  bench_.Nothing(CopyMark::NOT_KNOWN);
  const v1::GetDeviceViewResponse told = Told();
  EXPECT_EQ(told.known(), v1::DEVICE_VIEW_KNOWN_NOT_KNOWN);
  EXPECT_TRUE(told.has_heard_time());
}

TEST_F(ViewToldTest, OfAClonedDeviceItIsSaidThatTheOtherPhoneMayHaveShownSomethingElse) {
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  EXPECT_FALSE(Told().cloned());
  bench_.Assign(1, {"c1"}, /*cloned=*/true);
  EXPECT_TRUE(Told().cloned());
}

TEST_F(ViewToldTest, PagesHoldAllOnceUntilTheDeviceSaysSomethingNew) {
  for (int i = 0; i < 5; ++i) bench_.Put(absl::StrCat("v", i), {"c1"});
  bench_.Whole(bench_.Head(), CopyMark::SWAPPED);
  request_.set_page_size(2);
  std::vector<std::string> ids;
  std::string second_page;
  for (int page = 1;; ++page) {
    const v1::GetDeviceViewResponse told = Told();
    for (const v1::ViewedVisit& visit : told.visits()) ids.push_back(visit.visit_id());
    if (page == 1) second_page = told.next_page_token();
    request_.set_page_token(told.next_page_token());
    if (request_.page_token().empty()) break;
  }
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  request_.set_page_token(second_page);
  EXPECT_EQ(Reason(), "");
  bench_.Whole(bench_.Head());
  EXPECT_EQ(Reason(), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(ViewToldTest, WhatIsWrongIsToldByName) {
  request_.set_page_size(-1);
  EXPECT_EQ(Reason(), "INVALID_FIELD");
  request_.set_page_size(0);
  request_.mutable_view_time()->set_nanos(-1);
  EXPECT_EQ(Reason(), "INVALID_FIELD");
  request_.clear_view_time();
  request_.set_device_uuid("seven");
  EXPECT_EQ(Reason(), "INVALID_FIELD");
  request_.set_device_uuid(DeliveryBench::Device(2).ToString());
  EXPECT_EQ(Reason(), "DEVICE_UNKNOWN");
  request_.set_device_uuid(DeliveryBench::Device(1).ToString());
  request_.set_carer_id(DeliveryBench::Device(1).ToString());
  EXPECT_EQ(Reason(), "CARER_UNKNOWN");
  request_.set_carer_id("");
  EXPECT_EQ(Reason(), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::deliveries

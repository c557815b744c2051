#include "server/devices/report.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "server/records/record_key.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/counting_reader.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using base::keys::DevicePart;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kOpening[] = "now";

// Small numbers make small UUIDs, so that their order is plain.
std::string DeviceUuid(int number) { return absl::StrFormat("00000000-0000-4000-8000-%012d", number); }

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    engine_.CreateTenant(tenant_);
    const auto results = engine_.ApplyChanges(tenant_, "rota",
                                              {fakes::BranchChange("north"), fakes::BranchChange("south"),
                                               fakes::CarerChange("ann"), fakes::CarerChange("bob")});
    north_ = results[0].record_id();
    south_ = results[1].record_id();
    ann_ = results[2].record_id();
    bob_ = results[3].record_id();
  }

  void Put(const base::TenantId& tenant, int device, DevicePart part, const std::string& value) {
    const std::string key = base::keys::DeviceRow(tenant, *base::Uuid::Parse(DeviceUuid(device)), part);
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), fakes::PutOf(storage::Space::kDevices, key, value)).outcome,
              storage::CommitOutcome::kCommitted);
  }

  void Enrol(int device, const std::string& branch = "", const std::vector<std::string>& carers = {}) {
    store::Device row;
    row.set_branch_id(branch);
    row.mutable_carer_ids()->Assign(carers.begin(), carers.end());
    row.set_enrolled_time_us(1'000'000);
    Put(tenant_, device, DevicePart::kDevice, row.SerializeAsString());
  }

  void Report(int device, const std::string& name, int64_t last_success_us) {
    store::DeviceReport row;
    row.set_device_name(name);
    row.set_app_version("1." + std::to_string(device));
    row.set_last_success_us(last_success_us);
    Put(tenant_, device, DevicePart::kReport, row.SerializeAsString());
  }

  void Call(int device, int64_t time_us, v1::CallState state, const std::string& opening = kOpening) {
    store::DeviceCall row;
    row.set_time_us(time_us);
    row.set_state(state);
    row.set_opening(opening);
    Put(tenant_, device, DevicePart::kCall, row.SerializeAsString());
  }

  AsOf AsOfNow() const { return {.syncs = {.opening = kOpening}, .now = clock_.Now()}; }

  absl::StatusOr<v1::ListDevicesResponse> List(const v1::ListDevicesRequest& request) const {
    return ListDevices(*engine_.Snapshot(), tenant_, request, AsOfNow());
  }

  // The numbers of the devices on one page.
  std::vector<int> Numbers(const v1::ListDevicesRequest& request) const {
    const auto response = List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<int> numbers;
    if (!response.ok()) return numbers;
    for (const v1::Device& device : response->devices()) numbers.push_back(std::stoi(device.device_uuid().substr(24)));
    return numbers;
  }

  std::vector<int> OrderedBy(const std::string& order) const {
    v1::ListDevicesRequest request;
    request.set_order_by(order);
    return Numbers(request);
  }

  std::vector<int> Searched(const std::string& text) const {
    v1::ListDevicesRequest request;
    request.set_search(text);
    return Numbers(request);
  }

  v1::Device Get(int device) const {
    v1::GetDeviceRequest request;
    request.set_device_uuid(DeviceUuid(device));
    const auto got = GetDevice(*engine_.Snapshot(), tenant_, request, AsOfNow());
    EXPECT_TRUE(got.ok()) << got.status();
    return got.ok() ? *got : v1::Device();
  }

  fakes::Engine engine_;
  fakes::ManualClock& clock_ = engine_.clock();
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::string north_;
  std::string south_;
  std::string ann_;
  std::string bob_;
};

// Requirement: R2, R6, R7
TEST_F(ReportTest, ShowsAnEnrolledDeviceThatNeverCalled) {
  Enrol(1, north_, {ann_});
  const v1::Device device = Get(1);
  EXPECT_EQ(device.branch_name(), "north");
  ASSERT_EQ(device.users_size(), 1);
  EXPECT_EQ(device.users(0).carer_name(), "ann");
  EXPECT_FALSE(device.users(0).has_last_successful_sync_time());
  EXPECT_FALSE(device.has_last_api_call_time());
  EXPECT_EQ(device.last_api_call(), v1::CALL_STATE_UNSPECIFIED);
  EXPECT_FALSE(device.has_last_successful_sync_time());
  EXPECT_EQ(device.enrolled_time().seconds(), 1);
}

TEST_F(ReportTest, ListsCarersWhoHoldACopyAfterTheUsersThatWereSet) {
  Enrol(1, "", {ann_});
  store::DeviceReport report;
  store::DeviceCopy& copy = *report.add_copies();
  copy.set_carer_id(bob_);
  copy.set_last_success_us(2'000'000);
  copy.set_revision(7);
  Put(tenant_, 1, DevicePart::kReport, report.SerializeAsString());
  const v1::Device device = Get(1);
  ASSERT_EQ(device.users_size(), 2);
  EXPECT_EQ(device.users(0).carer_id(), ann_);
  EXPECT_EQ(device.users(1).carer_id(), bob_);
  EXPECT_EQ(device.users(1).last_successful_sync_time().seconds(), 2);
  EXPECT_EQ(device.users(1).acknowledged_revision(), 7);
}

// Requirement: R3, R4
TEST_F(ReportTest, ShowsARefusedCallThatCameAfterTheLastSession) {
  Enrol(1);
  Call(1, 5'000'000, v1::CALL_STATE_SUCCEEDED);
  store::DeviceCall refused;
  // The clock was set back meanwhile.
  refused.set_time_us(4'000'000);
  refused.set_state(v1::CALL_STATE_FAILED);
  refused.set_reason("CREDENTIAL_EXPIRED");
  Put(tenant_, 1, DevicePart::kRefusedCall, refused.SerializeAsString());
  EXPECT_EQ(Get(1).last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(Get(1).last_api_call_reason(), "CREDENTIAL_EXPIRED");
  EXPECT_EQ(Get(1).last_api_call_time().seconds(), 4);
}

TEST_F(ReportTest, ShowsACallThatAnEarlierOpeningLeftUnderWayAsFailed) {
  Enrol(1);
  Call(1, 5'000'000, v1::CALL_STATE_UNDER_WAY);
  EXPECT_EQ(Get(1).last_api_call(), v1::CALL_STATE_UNDER_WAY);
  Call(1, 5'000'000, v1::CALL_STATE_UNDER_WAY, "earlier");
  EXPECT_EQ(Get(1).last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(Get(1).last_api_call_reason(), "STREAM_CUT");
}

TEST_F(ReportTest, LeavesOutRowsThatBelongToNoDevice) {
  Call(1, 5'000'000, v1::CALL_STATE_FAILED);
  Enrol(2);
  EXPECT_THAT(Numbers({}), ElementsAre(2));
}

TEST_F(ReportTest, NeverShowsAnotherTenantsDevices) {
  const base::TenantId other = fakes::Tenant("acme2");
  Enrol(1);
  Put(other, 2, DevicePart::kDevice, store::Device().SerializeAsString());
  EXPECT_THAT(Numbers({}), ElementsAre(1));
  v1::GetDeviceRequest request;
  request.set_device_uuid(DeviceUuid(2));
  EXPECT_EQ(base::Reason(GetDevice(*engine_.Snapshot(), tenant_, request, AsOfNow()).status()), "DEVICE_UNKNOWN");
}

TEST_F(ReportTest, SearchesWithoutRegardToCase) {
  Enrol(1, north_);
  Enrol(2, south_, {ann_});
  Enrol(3);
  Report(3, "Pixel 6", 0);
  EXPECT_THAT(Searched("NORTH"), ElementsAre(1));
  EXPECT_THAT(Searched("aNN"), ElementsAre(2));
  EXPECT_THAT(Searched("pixel"), ElementsAre(3));
  EXPECT_THAT(Searched("1.3"), ElementsAre(3));
  EXPECT_THAT(Searched("000000000001"), ElementsAre(1));
  EXPECT_THAT(Searched("nobody"), IsEmpty());
}

TEST_F(ReportTest, Filters) {
  Enrol(1, north_);
  Enrol(2, south_, {ann_});
  Enrol(3);
  Report(3, "Pixel 6", 9);
  Call(3, 5, v1::CALL_STATE_SUCCEEDED);
  v1::ListDevicesRequest request;
  request.set_branch_id(north_);
  EXPECT_THAT(Numbers(request), ElementsAre(1));
  request.Clear();
  request.set_carer_id(ann_);
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  request.set_never_synced(true);
  EXPECT_THAT(Numbers(request), ElementsAre(1, 2));
  request.Clear();
  request.set_last_api_call(v1::CALL_STATE_SUCCEEDED);
  EXPECT_THAT(Numbers(request), ElementsAre(3));
}

TEST_F(ReportTest, OrdersWithWhatNeverWasFirst) {
  Enrol(1, south_);
  Enrol(2, north_);
  Enrol(3);
  Report(1, "Zeta", 30);
  Report(2, "alpha", 20);
  Call(1, 50, v1::CALL_STATE_SUCCEEDED);
  Call(3, 40, v1::CALL_STATE_SUCCEEDED);
  EXPECT_THAT(OrderedBy(""), ElementsAre(1, 2, 3));
  EXPECT_THAT(OrderedBy("device_uuid desc"), ElementsAre(3, 2, 1));
  EXPECT_THAT(OrderedBy("device_name"), ElementsAre(3, 2, 1));
  EXPECT_THAT(OrderedBy("branch_name"), ElementsAre(3, 2, 1));
  EXPECT_THAT(OrderedBy("app_version desc"), ElementsAre(2, 1, 3));
  EXPECT_THAT(OrderedBy("last_api_call_time"), ElementsAre(2, 3, 1));
  EXPECT_THAT(OrderedBy("last_successful_sync_time desc"), ElementsAre(1, 2, 3));
}

// Requirement: R2
TEST_F(ReportTest, PagesShowEachDeviceOnceInEveryOrder) {
  for (int number = 1; number <= 25; ++number) {
    Enrol(number);
    Report(number, number % 2 == 0 ? "even" : "odd", number % 3);
  }
  for (const std::string order : {"", "device_uuid desc", "device_name", "last_successful_sync_time desc"}) {
    v1::ListDevicesRequest request;
    request.set_order_by(order);
    const std::vector<int> all = Numbers(request);
    EXPECT_EQ(all.size(), 25u) << order;
    request.set_page_size(4);
    std::vector<int> paged;
    do {
      const std::vector<int> page = Numbers(request);
      paged.insert(paged.end(), page.begin(), page.end());
      request.set_page_token(List(request)->next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(paged, all) << order;
  }
}

TEST_F(ReportTest, InTheOrderOfUuidsAPageReadsNoMoreThanItHolds) {
  for (int number = 1; number <= 100; ++number) Enrol(number);
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  v1::ListDevicesRequest request;
  request.set_page_size(10);
  for (int page = 0; page < 9; ++page) {
    const fakes::CountingReader reader(*snapshot);
    const auto list = ListDevices(reader, tenant_, request, AsOfNow());
    ASSERT_TRUE(list.ok()) << list.status();
    ASSERT_EQ(list->devices_size(), 10);
    EXPECT_EQ(list->devices(0).device_uuid(), DeviceUuid(10 * page + 1));
    // Two rows a device: its own, and how it was woken.
    EXPECT_LT(reader.rows(), 30u) << "page " << page;
    request.set_page_token(list->next_page_token());
  }
}

// Devices of as many users with as long names as there may be: a page of them must fit into what a client receives.
TEST_F(ReportTest, APageOfLargeRowsHoldsFewerAndGoesOn) {
  constexpr size_t kClientReceives = 4 * 1024 * 1024;
  std::vector<v1::RosterChange> changes;
  for (size_t i = 0; i < base::limits::kDeviceUsers; ++i) {
    changes.push_back(fakes::CarerChange(absl::StrCat("long", i)));
    std::string name;
    for (size_t j = 0; j < base::limits::kNameCharacters; ++j) name += "\U0001F469";
    changes.back().mutable_carer()->set_name(name);
  }
  std::vector<std::string> users;
  for (const v1::ChangeResult& result : engine_.ApplyChanges(tenant_, "rota", changes)) {
    users.push_back(result.record_id());
  }
  constexpr int kDevices = 120;
  for (int number = 1; number <= kDevices; ++number) Enrol(number, north_, users);

  v1::ListDevicesRequest request;
  request.set_page_size(base::limits::kPageSizeMost);
  std::vector<int> seen;
  int pages = 0;
  do {
    const absl::StatusOr<v1::ListDevicesResponse> page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_GT(page->devices_size(), 0);
    EXPECT_LT(page->ByteSizeLong(), kClientReceives);
    const std::vector<int> numbers = Numbers(request);
    seen.insert(seen.end(), numbers.begin(), numbers.end());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_GT(pages, 1);
  ASSERT_EQ(seen.size(), static_cast<size_t>(kDevices));
  for (int i = 0; i < kDevices; ++i) EXPECT_EQ(seen[i], i + 1);
}

TEST_F(ReportTest, RefusesWhatIsNoRequest) {
  const auto reason_of = [&](auto change) {
    v1::ListDevicesRequest request;
    change(request);
    return base::Reason(List(request).status());
  };
  using Request = v1::ListDevicesRequest;
  EXPECT_EQ(reason_of([](Request& r) { r.set_order_by("age"); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_order_by(" desc"); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_page_size(1'001); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_branch_id("north"); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_search(std::string(201, 'a')); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_last_api_call(static_cast<v1::CallState>(77)); }), "INVALID_FIELD");
  EXPECT_EQ(reason_of([](Request& r) { r.set_page_token("?"); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(ReportTest, RefusesThePageTokenOfAnotherList) {
  Enrol(1);
  Enrol(2);
  v1::ListDevicesRequest request;
  request.set_page_size(1);
  request.set_page_token(List(request)->next_page_token());
  ASSERT_FALSE(request.page_token().empty());
  request.set_order_by("device_name");
  EXPECT_EQ(base::Reason(List(request).status()), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(ReportTest, ATimeThatDamageMadeOfARowIsNamed) {
  Enrol(1);
  Call(1, std::numeric_limits<int64_t>::max(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(base::Reason(List({}).status()), "DAMAGED_ROW");
  Call(1, 1, v1::CALL_STATE_FAILED);
  Report(1, "Pixel 6", std::numeric_limits<int64_t>::min());
  EXPECT_EQ(base::Reason(List({}).status()), "DAMAGED_ROW");
  Report(1, "Pixel 6", 1);
  EXPECT_TRUE(List({}).ok());
}

// One damaged record would hide every device of the tenant.
TEST_F(ReportTest, ACarerOrABranchThatCannotBeReadLeavesOutTheNameAlone) {
  Enrol(1, north_, {ann_});
  Enrol(2, south_, {bob_});
  Report(1, "Pixel 6", 9);
  for (const auto& [kind, id] : {std::pair(v1::RECORD_KIND_BRANCH, north_), std::pair(v1::RECORD_KIND_CARER, ann_)}) {
    const std::string key = base::keys::Record(tenant_, records::KeyOf({kind, *base::Uuid::Parse(id)}));
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), fakes::PutOf(storage::Space::kRecords, key, "\xFF\xFF")).outcome,
              storage::CommitOutcome::kCommitted);
  }
  const v1::Device device = Get(1);
  EXPECT_EQ(device.branch_id(), north_);
  EXPECT_EQ(device.branch_name(), "");
  ASSERT_EQ(device.users_size(), 1);
  EXPECT_EQ(device.users(0).carer_id(), ann_);
  EXPECT_EQ(device.users(0).carer_name(), "");
  EXPECT_EQ(device.users(0).state(), v1::DEVICE_STATE_NEVER_SYNCED);
  EXPECT_THAT(OrderedBy("branch_name"), ElementsAre(1, 2));
  EXPECT_THAT(OrderedBy("state"), ElementsAre(1, 2));
  EXPECT_THAT(Searched("bob"), ElementsAre(2));
}

}  // namespace
}  // namespace caresync::devices

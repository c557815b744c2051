#include "server/devices/sync_history.h"

#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/uuid.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kOpening[] = "now";

class SyncHistoryTest : public testing::Test {
 protected:
  SyncHistoryTest() { Put(base::keys::DeviceRow(tenant_, device_, base::keys::DevicePart::kDevice), ""); }

  void Put(const std::string& key, const std::string& value) {
    ASSERT_EQ(fakes::CommitAndWait(store_, fakes::PutOf(storage::Space::kDevices, key, value)).outcome,
              storage::CommitOutcome::kCommitted);
  }

  void AddSync(uint64_t number, v1::SyncOutcome outcome, const std::string& opening = kOpening) {
    store::SyncRow row;
    row.set_session_id(std::to_string(number));
    row.set_outcome(outcome);
    row.set_opening(opening);
    row.set_start_time_us(1'000'000);
    Put(base::keys::Sync(tenant_, device_, number), row.SerializeAsString());
  }

  absl::StatusOr<v1::ListSyncsResponse> List(const v1::ListSyncsRequest& request) const {
    return ListSyncs(**store_.NewSnapshot(), tenant_, request, {.opening = kOpening});
  }

  storage::MemoryStore store_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse(kDevice);
};

TEST_F(SyncHistoryTest, ListsTheNewestFirstPageByPage) {
  for (uint64_t number = 1; number <= 5; ++number) AddSync(number, v1::SYNC_OUTCOME_SUCCEEDED);
  v1::ListSyncsRequest request;
  request.set_device_uuid(kDevice);
  request.set_page_size(2);
  std::vector<std::string> sessions;
  do {
    const auto page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::SyncSummary& sync : page->syncs()) sessions.push_back(sync.session_id());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(sessions, ElementsAre("5", "4", "3", "2", "1"));
}

TEST_F(SyncHistoryTest, ShowsASyncThatAnEarlierOpeningLeftUnderWayAsInterrupted) {
  AddSync(1, v1::SYNC_OUTCOME_UNDER_WAY, "earlier");
  AddSync(2, v1::SYNC_OUTCOME_UNDER_WAY);
  v1::ListSyncsRequest request;
  request.set_device_uuid(kDevice);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->syncs_size(), 2);
  EXPECT_EQ(page->syncs(0).outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  EXPECT_EQ(page->syncs(1).outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_FALSE(page->syncs(1).has_end_time());
}

TEST_F(SyncHistoryTest, IsEmptyForADeviceThatNeverSynced) {
  v1::ListSyncsRequest request;
  request.set_device_uuid(kDevice);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->syncs(), IsEmpty());
  EXPECT_THAT(page->next_page_token(), IsEmpty());
}

TEST_F(SyncHistoryTest, NamesWhatIsWrongWithARequest) {
  v1::ListSyncsRequest request;
  request.set_device_uuid("phone");
  EXPECT_EQ(base::Reason(List(request).status()), "INVALID_FIELD");
  request.set_device_uuid("00000000-0000-4000-8000-000000000009");
  EXPECT_EQ(base::Reason(List(request).status()), "DEVICE_UNKNOWN");
  request.set_device_uuid(kDevice);
  request.set_page_token("eA");
  EXPECT_EQ(base::Reason(List(request).status()), "PAGE_TOKEN_NOT_VALID");
}

}  // namespace
}  // namespace caresync::devices

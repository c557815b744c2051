#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/page.h"
#include "server/devices/session_rows.h"
#include "server/devices/sync_history.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const base::Uuid kPhone = *base::Uuid::Parse("3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
const base::Uuid kTablet = *base::Uuid::Parse("4f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");

class CarerHistoryTest : public testing::Test {
 protected:
  CarerHistoryTest() {
    engine_.CreateTenant(tenant_);
    const auto results = engine_.ApplyChanges(tenant_, "rota", {fakes::CarerChange("ann"), fakes::CarerChange("bob")});
    ann_ = *base::Uuid::Parse(results[0].record_id());
    bob_ = *base::Uuid::Parse(results[1].record_id());
  }

  void Sync(const base::Uuid& device, const base::Uuid& carer, const std::string& session) {
    v1::Start start;
    start.set_sync_type(v1::SYNC_TYPE_STANDARD);
    SessionRows rows({tenant_, device, carer, session, "now"}, *ReadStartRows(*engine_.Snapshot(), tenant_, device),
                     start, engine_.clock().Now(), false, "");
    rows.MarkSuccess(engine_.clock().Now());
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), rows.Begin(storage::Durability::kDurable)).outcome,
              storage::CommitOutcome::kCommitted);
    engine_.clock().Advance(absl::Minutes(1));
  }

  absl::StatusOr<v1::ListSyncsResponse> List(const v1::ListSyncsRequest& request) const {
    return ListSyncs(*engine_.Snapshot(), tenant_, request, {.opening = "now"});
  }

  std::vector<std::string> SessionsOf(const base::Uuid& carer, int page_size) const {
    v1::ListSyncsRequest request;
    request.set_carer_id(carer.ToString());
    request.set_page_size(page_size);
    std::vector<std::string> sessions;
    do {
      const auto page = List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const v1::SyncSummary& sync : page->syncs()) sessions.push_back(sync.session_id());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return sessions;
  }

  std::string ReasonOf(const v1::ListSyncsRequest& request) const { return base::Reason(List(request).status()); }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  base::Uuid ann_;
  base::Uuid bob_;
};

// Requirement: R8
TEST_F(CarerHistoryTest, ListsACarersSyncsOnAllDevicesNewestFirst) {
  Sync(kPhone, ann_, "1");
  Sync(kTablet, ann_, "2");
  Sync(kPhone, bob_, "3");
  Sync(kPhone, ann_, "4");
  EXPECT_THAT(SessionsOf(ann_, 0), ElementsAre("4", "2", "1"));
  EXPECT_THAT(SessionsOf(ann_, 1), ElementsAre("4", "2", "1"));
  EXPECT_THAT(SessionsOf(bob_, 0), ElementsAre("3"));

  v1::ListSyncsRequest request;
  request.set_carer_id(ann_.ToString());
  const auto page = List(request);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->syncs(0).device_uuid(), kPhone.ToString());
  EXPECT_EQ(page->syncs(1).device_uuid(), kTablet.ToString());
  EXPECT_EQ(page->syncs(0).outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
}

TEST_F(CarerHistoryTest, IsEmptyForACarerWhoNeverSynced) { EXPECT_THAT(SessionsOf(ann_, 0), IsEmpty()); }

TEST_F(CarerHistoryTest, NeverShowsAnotherTenantsSyncs) {
  Sync(kPhone, ann_, "1");
  engine_.CreateTenant(fakes::Tenant("acme2"));
  v1::ListSyncsRequest request;
  request.set_carer_id(ann_.ToString());
  EXPECT_EQ(base::Reason(ListSyncs(*engine_.Snapshot(), fakes::Tenant("acme2"), request, {.opening = "now"}).status()),
            "CARER_UNKNOWN");
}

TEST_F(CarerHistoryTest, NamesWhatIsWrongWithARequest) {
  Sync(kPhone, ann_, "1");
  v1::ListSyncsRequest request;
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.set_carer_id("ann");
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.set_carer_id(kPhone.ToString());
  EXPECT_EQ(ReasonOf(request), "CARER_UNKNOWN");
  request.set_carer_id(ann_.ToString());
  request.set_device_uuid(kPhone.ToString());
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.clear_device_uuid();
  request.set_page_size(1'001);
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.set_page_size(1);
  for (const std::string& token : {std::string("eA"), base::EncodePageToken("syncs-of-carer/" + ann_.ToString(), "7"),
                                   base::EncodePageToken("syncs/" + ann_.ToString(), "7")}) {
    request.set_page_token(token);
    EXPECT_EQ(ReasonOf(request), "PAGE_TOKEN_NOT_VALID");
  }
}

}  // namespace
}  // namespace caresync::devices

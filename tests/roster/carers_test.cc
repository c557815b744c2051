#include "server/roster/carers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::roster {
namespace {

class CarersTest : public testing::Test {
 protected:
  void SetUp() override {
    engine_.CreateTenant(tenant_);
    std::vector<v1::RosterChange> changes = {fakes::BranchChange("north")};
    for (int i = 1; i <= 5; ++i) changes.push_back(fakes::CarerChange("c" + std::to_string(i), "north"));
    changes[1].mutable_carer()->set_name("Ann Smith");
    changes[1].mutable_carer()->clear_branch();
    engine_.ApplyChanges(tenant_, "planner", std::move(changes));
  }

  v1::ListCarersResponse List(const v1::ListCarersRequest& request) const {
    return *ListCarers(*engine_.Snapshot(), tenant_, request);
  }
  static std::set<std::string> ExternalIds(const v1::ListCarersResponse& response) {
    std::set<std::string> ids;
    for (const v1::CarerSummary& carer : response.carers()) ids.insert(carer.external_id());
    return ids;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(CarersTest, AllAreListedWithTheirBranches) {
  const v1::ListCarersResponse response = List({});
  ASSERT_EQ(response.carers_size(), 5);
  EXPECT_TRUE(response.next_page_token().empty());
  for (const v1::CarerSummary& carer : response.carers()) {
    EXPECT_EQ(carer.source(), "planner");
    EXPECT_FALSE(carer.carer_id().empty());
    EXPECT_EQ(carer.branch_name(), carer.external_id() == "c1" ? "" : "north");
    EXPECT_EQ(carer.name(), carer.external_id() == "c1" ? "Ann Smith" : carer.external_id());
  }
}

TEST_F(CarersTest, ASearchFindsNamesAndIdsWhateverTheirCase) {
  v1::ListCarersRequest request;
  request.set_search("SMITH");
  EXPECT_EQ(ExternalIds(List(request)), std::set<std::string>{"c1"});
  request.set_search("C4");
  EXPECT_EQ(ExternalIds(List(request)), std::set<std::string>{"c4"});
  request.set_search("nobody");
  EXPECT_TRUE(List(request).carers().empty());
}

TEST_F(CarersTest, AnExternalIdIsFoundExactly) {
  v1::ListCarersRequest request;
  request.set_external_id("c2");
  EXPECT_EQ(ExternalIds(List(request)), std::set<std::string>{"c2"});
  request.set_external_id("c");
  EXPECT_TRUE(List(request).carers().empty());
}

TEST_F(CarersTest, PagesHoldEveryCarerOnceInOrder) {
  v1::ListCarersRequest request;
  request.set_page_size(2);
  std::vector<std::string> ids;
  do {
    const v1::ListCarersResponse response = List(request);
    EXPECT_LE(response.carers_size(), 2);
    for (const v1::CarerSummary& carer : response.carers()) ids.push_back(carer.carer_id());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(CarersTest, AWrongRequestIsRefusedByName) {
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  v1::ListCarersRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(base::Reason(ListCarers(*snapshot, tenant_, request).status()), "INVALID_FIELD");
  request.set_page_size(2);
  const std::string token = List(request).next_page_token();
  request.set_search("c");
  request.set_page_token(token);
  EXPECT_EQ(base::Reason(ListCarers(*snapshot, tenant_, request).status()),
            base::Reason(base::errors::PageTokenNotValid()));
  request.clear_page_token();
  request.set_search(std::string(base::limits::kSearchBytes + 1, 'x'));
  EXPECT_EQ(base::Reason(ListCarers(*snapshot, tenant_, request).status()), "INVALID_FIELD");
}

TEST_F(CarersTest, AnotherTenantsCarersAreNotListed) {
  EXPECT_TRUE(ListCarers(*engine_.Snapshot(), fakes::Tenant("acme-2"), {})->carers().empty());
}

}  // namespace
}  // namespace caresync::roster

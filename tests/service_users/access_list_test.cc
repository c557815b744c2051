#include "server/service_users/access_list.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/records/record_store.h"
#include "server/roster/matching.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"

namespace caresync::service_users {
namespace {

class AccessListTest : public testing::Test {
 protected:
  void SetUp() override {
    engine_.CreateTenant(tenant_);
    engine_.ApplyChanges(tenant_, "planner",
                         {fakes::CarerChange("c1"), fakes::CarerChange("c2"), fakes::ServiceUserChange("u"),
                          fakes::GroupChange("g", {"c1"})});
  }

  std::string IdOf(v1::RecordKind kind, const std::string& external_id) const {
    return roster::MeantBy(*engine_.Snapshot(), tenant_, "planner", kind, external_id)->ToString();
  }
  v1::SetAccessRequest Request(const std::vector<std::string>& groups, const std::vector<std::string>& carers) const {
    v1::SetAccessRequest request;
    request.mutable_access()->set_service_user_id(IdOf(v1::RECORD_KIND_SERVICE_USER, "u"));
    for (const std::string& group : groups) {
      request.mutable_access()->add_group_ids(IdOf(v1::RECORD_KIND_EMPLOYEE_GROUP, group));
    }
    for (const std::string& carer : carers) {
      request.mutable_access()->add_carer_ids(IdOf(v1::RECORD_KIND_CARER, carer));
    }
    return request;
  }
  absl::StatusOr<v1::ServiceUserAccess> Set(const v1::SetAccessRequest& request) {
    absl::StatusOr<v1::ServiceUserAccess> access;
    const absl::StatusOr<commit::Committed> committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      access = SetAccess(transaction, request);
      return access.status();
    });
    if (!committed.ok()) return committed.status();
    return access;
  }
  std::string ReasonOfSet(const v1::SetAccessRequest& request) { return base::Reason(Set(request).status()); }
  v1::ServiceUserAccess Get() const {
    v1::GetAccessRequest request;
    request.set_service_user_id(IdOf(v1::RECORD_KIND_SERVICE_USER, "u"));
    return *GetAccess(*engine_.Snapshot(), tenant_, request);
  }
  bool Sees(const std::string& carer) const {
    const base::Uuid id = *base::Uuid::Parse(IdOf(v1::RECORD_KIND_CARER, carer));
    const base::Uuid user = *base::Uuid::Parse(IdOf(v1::RECORD_KIND_SERVICE_USER, "u"));
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, records::CarerReceiver(id))
        .contains({v1::RECORD_KIND_SERVICE_USER, user});
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

// Requirement: A2
TEST_F(AccessListTest, TheWholeListReplacesWhatWasThere) {
  const absl::StatusOr<v1::ServiceUserAccess> set = Set(Request({"g"}, {"c2"}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->SerializeAsString(), Request({"g"}, {"c2"}).access().SerializeAsString());
  EXPECT_EQ(Get().SerializeAsString(), set->SerializeAsString());
  EXPECT_TRUE(Sees("c1") && Sees("c2"));
  ASSERT_TRUE(Set(Request({}, {"c2"})).ok());
  EXPECT_TRUE(!Sees("c1") && Sees("c2"));
  ASSERT_TRUE(Set(Request({}, {})).ok());
  EXPECT_TRUE(!Sees("c1") && !Sees("c2"));
  EXPECT_EQ(Get().group_ids_size() + Get().carer_ids_size(), 0);
}

TEST_F(AccessListTest, TheSameListAgainTakesNoRevision) {
  ASSERT_TRUE(Set(Request({"g"}, {"c2"})).ok());
  const base::Revision before = engine_.Head(tenant_);
  ASSERT_TRUE(Set(Request({"g", "g"}, {"c2"})).ok());
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(AccessListTest, TheRosteringSystemDoesNotTouchIt) {
  ASSERT_TRUE(Set(Request({"g"}, {})).ok());
  v1::RosterChange changed = fakes::ServiceUserChange("u");
  changed.mutable_service_user()->set_name("Mary");
  engine_.ApplyChanges(tenant_, "planner", {changed});
  EXPECT_EQ(Get().group_ids_size(), 1);
  EXPECT_TRUE(Sees("c1"));
}

TEST_F(AccessListTest, WhatIsNotKnownIsNamed) {
  v1::SetAccessRequest request = Request({"none"}, {});
  EXPECT_EQ(ReasonOfSet(request), base::Reason(base::errors::GroupUnknown("")));
  request = Request({}, {"nobody"});
  EXPECT_EQ(ReasonOfSet(request), base::Reason(base::errors::CarerUnknown("")));
  request = Request({}, {});
  request.mutable_access()->set_service_user_id(IdOf(v1::RECORD_KIND_SERVICE_USER, "none"));
  EXPECT_EQ(ReasonOfSet(request), base::Reason(base::errors::ServiceUserUnknown("")));
  request.mutable_access()->set_service_user_id("u");
  EXPECT_EQ(ReasonOfSet(request), "INVALID_FIELD");
}

TEST_F(AccessListTest, TheListIsBounded) {
  v1::SetAccessRequest request = Request({}, {});
  for (size_t i = 0; i <= base::limits::kAccessCarers; ++i) {
    request.mutable_access()->add_carer_ids(IdOf(v1::RECORD_KIND_CARER, "c1"));
  }
  EXPECT_EQ(ReasonOfSet(request), "INVALID_FIELD");
}

TEST_F(AccessListTest, ARecordUnderAnothersKeyIsDamage) {
  const base::RecordKey key =
      records::KeyOf({v1::RECORD_KIND_SERVICE_USER, *base::Uuid::Parse(IdOf(v1::RECORD_KIND_SERVICE_USER, "u"))});
  store::Record record = **records::GetRecord(*engine_.Snapshot(), tenant_, key);
  record.set_record_id(IdOf(v1::RECORD_KIND_SERVICE_USER, "none"));
  const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    transaction.Put(storage::Space::kRecords, base::keys::Record(tenant_, key), record.SerializeAsString());
    return absl::OkStatus();
  });
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(ReasonOfSet(Request({"g"}, {})), "DAMAGED_ROW");
}

}  // namespace
}  // namespace caresync::service_users

#include "server/service_users/care_plans.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_format.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/records/record_store.h"
#include "server/roster/matching.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"

namespace caresync::service_users {
namespace {

class CarePlansTest : public testing::Test {
 protected:
  void SetUp() override {
    engine_.CreateTenant(tenant_);
    engine_.ApplyChanges(tenant_, "planner",
                         {fakes::CarerChange("c1"), fakes::ServiceUserChange("u"), fakes::ServiceUserChange("w"),
                          fakes::VisitChange("v", "u", {"c1"})});
  }

  records::RecordName Named(v1::RecordKind kind, const std::string& external_id) const {
    return {kind, *roster::MeantBy(*engine_.Snapshot(), tenant_, "planner", kind, external_id)};
  }
  static std::string PlanId(int number) { return absl::StrFormat("00000000-0000-4000-8000-%012d", number); }
  v1::PutCarePlanRequest Request(int number, const std::string& service_user = "u",
                                 const std::string& text = "text") const {
    v1::PutCarePlanRequest request;
    request.set_care_plan_id(PlanId(number));
    v1::CarePlan& plan = *request.mutable_care_plan();
    plan.set_service_user_id(Named(v1::RECORD_KIND_SERVICE_USER, service_user).id.ToString());
    plan.set_title("Mobility");
    plan.set_text(text);
    return request;
  }
  absl::StatusOr<v1::StoredCarePlan> Put(const v1::PutCarePlanRequest& request) {
    absl::StatusOr<v1::StoredCarePlan> stored;
    const absl::StatusOr<commit::Committed> committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      stored = PutCarePlan(transaction, request);
      return stored.status();
    });
    if (!committed.ok()) return committed.status();
    return stored;
  }
  std::string ReasonOfPut(const v1::PutCarePlanRequest& request) { return base::Reason(Put(request).status()); }
  absl::Status Delete(const std::string& id) {
    v1::DeleteCarePlanRequest request;
    request.set_care_plan_id(id);
    return engine_.Run(tenant_, [&](commit::Transaction& transaction) { return DeleteCarePlan(transaction, request); })
        .status();
  }
  bool CarerHolds(int number) const {
    const base::ReceiverId receiver = records::CarerReceiver(Named(v1::RECORD_KIND_CARER, "c1").id);
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, receiver)
        .contains({v1::RECORD_KIND_CARE_PLAN, *base::Uuid::Parse(PlanId(number))});
  }
  size_t ChildRows(const std::string& service_user) const {
    const base::RecordKey key = records::KeyOf(Named(v1::RECORD_KIND_SERVICE_USER, service_user));
    return fakes::RowsOf(*engine_.Snapshot(), storage::Space::kRecords, base::keys::Children(tenant_, key)).size();
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

// Requirement: A2, I8
TEST_F(CarePlansTest, GoToWhoeverSeesTheServiceUser) {
  ASSERT_TRUE(Put(Request(1)).ok());
  ASSERT_TRUE(Put(Request(2, "w")).ok());
  EXPECT_TRUE(CarerHolds(1));
  EXPECT_FALSE(CarerHolds(2));
  engine_.ApplyChanges(tenant_, "planner", {fakes::VisitChange("v", "w", {"c1"})});
  EXPECT_FALSE(CarerHolds(1));
  EXPECT_TRUE(CarerHolds(2));
}

TEST_F(CarePlansTest, AreReplacedAndDeletedHarmlesslyTwice) {
  const base::Revision first = Put(Request(1))->revision();
  EXPECT_EQ(Put(Request(1))->revision(), first);
  EXPECT_EQ(engine_.Head(tenant_), first);
  EXPECT_GT(Put(Request(1, "u", "other"))->revision(), first);
  EXPECT_TRUE(Delete(PlanId(1)).ok());
  EXPECT_FALSE(CarerHolds(1));
  const base::Revision deleted = engine_.Head(tenant_);
  EXPECT_TRUE(Delete(PlanId(1)).ok());
  EXPECT_EQ(engine_.Head(tenant_), deleted);
  ASSERT_TRUE(Put(Request(1, "u", "other")).ok());
  EXPECT_TRUE(CarerHolds(1));
}

TEST_F(CarePlansTest, ADamagedOneIsNotDeletedAndEndsNoServer) {
  ASSERT_TRUE(Put(Request(1)).ok());
  const base::RecordKey key = records::KeyOf({v1::RECORD_KIND_CARE_PLAN, *base::Uuid::Parse(PlanId(1))});
  for (const char* id : {"no UUID", "00000000-0000-4000-8000-000000000002"}) {
    store::Record record = **records::GetRecord(*engine_.Snapshot(), tenant_, key);
    record.set_record_id(id);
    ASSERT_TRUE(engine_
                    .Run(tenant_,
                         [&](commit::Transaction& transaction) {
                           transaction.Put(storage::Space::kRecords, base::keys::Record(tenant_, key),
                                           record.SerializeAsString());
                           return absl::OkStatus();
                         })
                    .ok());
    EXPECT_EQ(base::Reason(Delete(PlanId(1))), base::Reason(base::errors::DamagedRow("")));
  }
}

TEST_F(CarePlansTest, WrongOnesAreRefusedByName) {
  ASSERT_TRUE(Put(Request(1)).ok());
  EXPECT_EQ(ReasonOfPut(Request(1, "w")), "INVALID_FIELD");
  EXPECT_EQ(ReasonOfPut(Request(2, "nobody")), base::Reason(base::errors::ServiceUserUnknown("")));
  v1::PutCarePlanRequest request = Request(2);
  request.set_care_plan_id("plan");
  EXPECT_EQ(ReasonOfPut(request), "INVALID_FIELD");
  request = Request(2);
  request.mutable_care_plan()->clear_title();
  EXPECT_EQ(ReasonOfPut(request), "INVALID_FIELD");
  EXPECT_EQ(ReasonOfPut(Request(2, "u", std::string(base::limits::kCarePlanTextCharacters + 1, 'x'))), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Delete(PlanId(3))), base::Reason(base::errors::CarePlanUnknown("")));
}

TEST_F(CarePlansTest, AttachmentsAreReferences) {
  v1::PutCarePlanRequest request = Request(1);
  v1::Attachment& document = *request.mutable_care_plan()->add_attachments();
  document.set_attachment_id("33333333-3333-4333-8333-333333333333");
  document.set_sha256(std::string(32, '\xAB'));
  document.set_size_bytes(48'000);
  document.set_url("https://files.example/moving-and-handling.pdf");
  const absl::StatusOr<v1::StoredCarePlan> stored = Put(request);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->care_plan().attachments_size(), 1);
  EXPECT_EQ(stored->care_plan().attachments(0).url(), document.url());
  document.set_url("file:///etc/passwd");
  const absl::Status refused = Put(request).status();
  EXPECT_EQ(base::Reason(refused), "INVALID_FIELD");
  EXPECT_NE(refused.message().find("care_plan.attachments: number 1 has a url"), std::string::npos) << refused;
}

TEST_F(CarePlansTest, AServiceUserHasSoManyAndNoMore) {
  const int most = static_cast<int>(base::limits::kCarePlansOfServiceUser);
  for (int i = 0; i < most; ++i) ASSERT_TRUE(Put(Request(i)).ok());
  EXPECT_EQ(ReasonOfPut(Request(most)), "INVALID_FIELD");
  ASSERT_TRUE(Delete(PlanId(0)).ok());
  EXPECT_TRUE(Put(Request(most)).ok());
}

TEST_F(CarePlansTest, DeletedOnesLeaveNothingBehindThatGrows) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Put(Request(i, "w")).ok());
    ASSERT_TRUE(Delete(PlanId(i)).ok());
  }
  EXPECT_LE(ChildRows("w"), 2u);
}

}  // namespace
}  // namespace caresync::service_users

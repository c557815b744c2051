#include <string>

#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using Stub = v1::ServiceUserService::Stub;

constexpr char kPlan[] = "7d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class ServiceUserServiceTest : public testing::Test {
 protected:
  ServiceUserServiceTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("mary"), fakes::GroupChange("north", {"ann"})});
    carer_ = applied.results(0).record_id();
    service_user_ = applied.results(1).record_id();
    group_ = applied.results(2).record_id();
  }

  v1::SetAccessRequest AccessRequest() const {
    v1::SetAccessRequest request;
    request.mutable_access()->set_service_user_id(service_user_);
    request.mutable_access()->add_group_ids(group_);
    request.mutable_access()->add_carer_ids(carer_);
    return request;
  }
  v1::PutCarePlanRequest PlanRequest() const {
    v1::PutCarePlanRequest request;
    request.set_care_plan_id(kPlan);
    request.mutable_care_plan()->set_service_user_id(service_user_);
    request.mutable_care_plan()->set_title("Mobility");
    return request;
  }
  std::string SetAccess(Role role) {
    v1::ServiceUserAccess access;
    return ReasonOf(
        client_.Call(client_.service_users(), &Stub::SetAccess, As(role, "acme"), AccessRequest(), &access));
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::string carer_;
  std::string service_user_;
  std::string group_;
};

// Requirement: A2
TEST_F(ServiceUserServiceTest, SetsWhoMaySeeAServiceUser) {
  EXPECT_EQ(SetAccess(Role::kCoordinator), "");
  v1::GetAccessRequest request;
  request.set_service_user_id(service_user_);
  v1::ServiceUserAccess access;
  ASSERT_TRUE(
      client_.Call(client_.service_users(), &Stub::GetAccess, As(Role::kSupport, "acme"), request, &access).ok());
  EXPECT_EQ(access.SerializeAsString(), AccessRequest().access().SerializeAsString());
  EXPECT_EQ(SetAccess(Role::kRostering), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(ReasonOf(client_.Call(client_.service_users(), &Stub::GetAccess, AsOperator(), request, &access)),
            "ROLE_NOT_ALLOWED");
}

// Requirement: I8
TEST_F(ServiceUserServiceTest, WritesAndDeletesCarePlans) {
  const access::Identity administrator = As(Role::kAdministrator, "acme");
  v1::StoredCarePlan stored;
  ASSERT_TRUE(client_.Call(client_.service_users(), &Stub::PutCarePlan, administrator, PlanRequest(), &stored).ok());
  EXPECT_EQ(stored.care_plan_id(), kPlan);
  EXPECT_GT(stored.revision(), 0u);
  v1::DeleteCarePlanRequest request;
  request.set_care_plan_id(kPlan);
  v1::DeleteCarePlanResponse deleted;
  const auto reason_of_delete = [&] {
    return ReasonOf(client_.Call(client_.service_users(), &Stub::DeleteCarePlan, administrator, request, &deleted));
  };
  EXPECT_EQ(reason_of_delete(), "");
  EXPECT_EQ(reason_of_delete(), "");
  request.set_care_plan_id(carer_);
  EXPECT_EQ(reason_of_delete(), "CARE_PLAN_UNKNOWN");
}

}  // namespace
}  // namespace caresync::integration

// What ServiceUserService refuses.
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;
using ServiceUsers = v1::ServiceUserService::Stub;

namespace limits = base::limits;

TEST_F(RefusedRequestTest, SetAccess) {
  using Access = v1::ServiceUserAccess;
  const auto reason = [&](const std::function<void(Access&)>& change, const std::string& tenant = "acme") {
    v1::SetAccessRequest right;
    right.mutable_access()->set_service_user_id(service_user_);
    right.mutable_access()->add_carer_ids(carer_);
    return ReasonOf<ServiceUsers, v1::SetAccessRequest, Access>(
        &ServiceUsers::SetAccess, [&](v1::SetAccessRequest& r) { change(*r.mutable_access()); },
        As(Role::kCoordinator, tenant), right);
  };
  EXPECT_EQ(reason([](Access& a) { a.Clear(); }), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason([](Access& a) { a.set_service_user_id(kNobody); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([&](Access& a) { a.set_service_user_id(carer_); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Access&) {}, "other"), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) { a.add_group_ids("north"); }), "INVALID_FIELD access.group_ids");
  EXPECT_EQ(reason([&](Access& a) { a.add_group_ids(carer_); }), "GROUP_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) { a.add_carer_ids("ann"); }), "INVALID_FIELD access.carer_ids");
  EXPECT_EQ(reason([](Access& a) { a.add_carer_ids(kNobody); }), "CARER_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) {
              for (size_t i = 0; i <= limits::kAccessGroups; ++i) a.add_group_ids(kNobody);
            }),
            "INVALID_FIELD access.group_ids");
  EXPECT_EQ(reason([](Access& a) {
              for (size_t i = 0; i <= limits::kAccessCarers; ++i) a.add_carer_ids(kNobody);
            }),
            "INVALID_FIELD access.carer_ids");
  EXPECT_EQ(reason([](Access&) {}), "");
}

TEST_F(RefusedRequestTest, GetAccess) {
  const auto reason = [&](const std::string& id, const std::string& tenant = "acme") {
    return ReasonOf<ServiceUsers, v1::GetAccessRequest, v1::ServiceUserAccess>(
        &ServiceUsers::GetAccess, [&](auto& r) { r.set_service_user_id(id); }, As(Role::kSupport, tenant));
  };
  EXPECT_EQ(reason(service_user_), "");
  EXPECT_EQ(reason("mary"), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason(kNobody), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason(service_user_, "other"), "SERVICE_USER_UNKNOWN");
}

TEST_F(RefusedRequestTest, CarePlans) {
  using Request = v1::PutCarePlanRequest;
  const auto put = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    Request right;
    right.set_care_plan_id(kDevice);
    right.mutable_care_plan()->set_service_user_id(service_user_);
    right.mutable_care_plan()->set_title("Mobility");
    return ReasonOf(&ServiceUsers::PutCarePlan, change, As(Role::kCoordinator, tenant), right);
  };
  const auto remove = [&](const std::string& id, const std::string& tenant = "acme") {
    return ReasonOf<ServiceUsers, v1::DeleteCarePlanRequest, v1::DeleteCarePlanResponse>(
        &ServiceUsers::DeleteCarePlan, [&](auto& r) { r.set_care_plan_id(id); }, As(Role::kCoordinator, tenant));
  };
  EXPECT_EQ(put([](Request& r) { r.set_care_plan_id(""); }), "INVALID_FIELD care_plan_id");
  EXPECT_EQ(put([](Request& r) { r.clear_care_plan(); }), "INVALID_FIELD care_plan.service_user_id");
  EXPECT_EQ(put([](Request& r) { r.mutable_care_plan()->clear_title(); }), "INVALID_FIELD care_plan.title");
  EXPECT_EQ(
      put([](Request& r) { r.mutable_care_plan()->set_title(std::string(limits::kCarePlanTitleCharacters + 1, 'a')); }),
      "INVALID_FIELD care_plan.title");
  EXPECT_EQ(
      put([](Request& r) { r.mutable_care_plan()->set_text(std::string(limits::kCarePlanTextCharacters + 1, 'a')); }),
      "INVALID_FIELD care_plan.text");
  EXPECT_EQ(put([](Request& r) { r.mutable_care_plan()->set_service_user_id(kNobody); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(put([](Request&) {}, "other"), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(remove(kDevice), "CARE_PLAN_UNKNOWN");
  EXPECT_EQ(put([](Request&) {}), "");
  EXPECT_EQ(put([&](Request& r) { r.mutable_care_plan()->set_service_user_id(other_service_user_); }),
            "INVALID_FIELD care_plan.service_user_id");
  EXPECT_EQ(remove("plan"), "INVALID_FIELD care_plan_id");
  EXPECT_EQ(remove(kDevice, "other"), "CARE_PLAN_UNKNOWN");
}

}  // namespace
}  // namespace caresync::rpc

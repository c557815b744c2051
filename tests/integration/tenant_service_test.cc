#include <string>

#include "gtest/gtest.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using Stub = v1::TenantService::Stub;

class TenantServiceTest : public testing::Test {
 protected:
  std::string Create(const std::string& tenant, const access::Identity& caller) {
    v1::CreateTenantRequest request;
    request.mutable_tenant()->set_tenant_id(tenant);
    v1::Tenant created;
    return ReasonOf(client_.Call(client_.tenants(), &Stub::CreateTenant, caller, request, &created));
  }

  grpc::Status Get(const std::string& tenant, const access::Identity& caller, v1::Tenant* got) {
    v1::GetTenantRequest request;
    request.set_tenant_id(tenant);
    return client_.Call(client_.tenants(), &Stub::GetTenant, caller, request, got);
  }

  std::string ReasonOfGet(const std::string& tenant, const access::Identity& caller) {
    v1::Tenant got;
    return ReasonOf(Get(tenant, caller, &got));
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
};

TEST_F(TenantServiceTest, MakesATenantOnce) {
  EXPECT_EQ(Create("acme", AsOperator()), "");
  EXPECT_EQ(Create("acme", AsOperator()), "TENANT_EXISTS");
  EXPECT_EQ(Create("Not A Name", AsOperator()), "INVALID_TENANT_ID");
  EXPECT_EQ(Create("", AsOperator()), "INVALID_TENANT_ID");
  EXPECT_EQ(ReasonOfGet("acme2", AsOperator()), "TENANT_UNKNOWN");
  v1::Tenant got;
  ASSERT_TRUE(Get("acme", AsOperator(), &got).ok());
  EXPECT_EQ(got.time_zone(), "UTC");
  EXPECT_EQ(got.auto_sync_interval().seconds(), 30 * 60);
  EXPECT_TRUE(got.has_create_time());
}

TEST_F(TenantServiceTest, KeepsCallersToTheirRoleAndTenant) {
  ASSERT_EQ(Create("acme", AsOperator()), "");
  ASSERT_EQ(Create("other", AsOperator()), "");
  EXPECT_EQ(Create("third", As(Role::kAdministrator, "acme")), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(ReasonOfGet("acme", As(Role::kAdministrator, "acme")), "");
  EXPECT_EQ(ReasonOfGet("acme", As(Role::kSupport, "acme")), "");
  EXPECT_EQ(ReasonOfGet("other", As(Role::kAdministrator, "acme")), "OTHER_TENANT");
  EXPECT_EQ(ReasonOfGet("acme", As(Role::kRostering, "acme", "rota")), "ROLE_NOT_ALLOWED");
}

TEST_F(TenantServiceTest, ChangesPreferences) {
  ASSERT_EQ(Create("acme", AsOperator()), "");
  v1::UpdateTenantRequest request;
  request.set_tenant_id("acme");
  request.set_time_zone("Europe/London");
  v1::Tenant updated;
  const auto update = [&](const access::Identity& caller) {
    return ReasonOf(client_.Call(client_.tenants(), &Stub::UpdateTenant, caller, request, &updated));
  };
  EXPECT_EQ(update(As(Role::kCoordinator, "acme")), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(update(As(Role::kAdministrator, "other")), "OTHER_TENANT");
  EXPECT_EQ(update(As(Role::kAdministrator, "acme")), "");
  EXPECT_EQ(updated.time_zone(), "Europe/London");
  request.set_time_zone("Mars/Olympus");
  EXPECT_EQ(update(As(Role::kAdministrator, "acme")), "INVALID_FIELD");
  v1::Tenant got;
  ASSERT_TRUE(Get("acme", AsOperator(), &got).ok());
  EXPECT_EQ(got.time_zone(), "Europe/London");
}

TEST_F(TenantServiceTest, NamesAMessageThatIsNotUtf8) {
  EXPECT_EQ(ReasonOfGet("\xff", AsOperator()), "MESSAGE_NOT_UNDERSTOOD");
}

}  // namespace
}  // namespace caresync::integration

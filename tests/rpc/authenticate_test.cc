#include "server/rpc/authenticate.h"

#include "gtest/gtest.h"
#include "server/base/errors.h"

namespace caresync::rpc {
namespace {

using access::Role;

TEST(RoleSet, HasTheRolesItWasMadeOfOnly) {
  constexpr RoleSet kRoles = {Role::kCarer, Role::kOperator};
  EXPECT_TRUE(kRoles.Has(Role::kCarer));
  EXPECT_TRUE(kRoles.Has(Role::kOperator));
  EXPECT_FALSE(kRoles.Has(Role::kRostering));
  EXPECT_FALSE(kRoles.Has(Role::kSupport));
}

TEST(CheckTenant, KeepsCallersToTheirOwnTenantButOperators) {
  const auto mine = base::TenantId::Parse("acme");
  const auto other = base::TenantId::Parse("acme2");
  access::Identity caller;
  caller.role = Role::kAdministrator;
  caller.tenant = *mine;
  EXPECT_TRUE(CheckTenant(caller, *mine).ok());
  EXPECT_EQ(base::Reason(CheckTenant(caller, *other)), "OTHER_TENANT");
  access::Identity ops;
  ops.role = Role::kOperator;
  EXPECT_TRUE(CheckTenant(ops, *other).ok());
}

}  // namespace
}  // namespace caresync::rpc

#include "server/access/identity.h"

#include "gtest/gtest.h"

namespace caresync::access {
namespace {

TEST(Role, IsFoundAgainByItsName) {
  for (const Role role :
       {Role::kCarer, Role::kRostering, Role::kCoordinator, Role::kAdministrator, Role::kSupport, Role::kOperator}) {
    EXPECT_EQ(RoleFromName(RoleName(role)), role) << RoleName(role);
  }
}

TEST(Role, IsNoneForAnUnknownName) {
  EXPECT_EQ(RoleFromName("Carer"), std::nullopt);
  EXPECT_EQ(RoleFromName(""), std::nullopt);
}

}  // namespace
}  // namespace caresync::access

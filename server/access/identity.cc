#include "server/access/identity.h"

#include <array>
#include <utility>

namespace caresync::access {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles = {{
    {Role::kCarer, "carer"},
    {Role::kRostering, "rostering"},
    {Role::kCoordinator, "coordinator"},
    {Role::kAdministrator, "administrator"},
    {Role::kSupport, "support"},
    {Role::kOperator, "operator"},
}};

}  // namespace

std::string_view RoleName(Role role) {
  for (const auto& [known, name] : kRoles) {
    if (known == role) return name;
  }
  return "unknown";
}

std::optional<Role> RoleFromName(std::string_view name) {
  for (const auto& [role, known] : kRoles) {
    if (known == name) return role;
  }
  return std::nullopt;
}

}  // namespace caresync::access

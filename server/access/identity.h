// Who is calling: what a verified credential says.
#ifndef CARESYNC_SERVER_ACCESS_IDENTITY_H_
#define CARESYNC_SERVER_ACCESS_IDENTITY_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"

namespace caresync::access {

enum class Role {
  kCarer,      // A carer on a device: Sync. The subject is the carer's record ID; the credential names the device too.
  kRostering,  // A rostering system: RosterService. The subject is the source's name.
  kCoordinator,    // The office: devices, care events and their review, access to service users, care plans.
  kAdministrator,  // As a coordinator, and the tenant's preferences.
  kSupport,        // Reads what a coordinator reads; writes access to service users and care plans only.
  kOperator,       // Makes, lists and changes tenants, ends waits after a restore; sees no tenant's records.
};

// The name used in tokens and on the command line: carer, rostering, coordinator, administrator, support, operator.
std::string_view RoleName(Role role);
std::optional<Role> RoleFromName(std::string_view name);

// A value.
struct Identity {
  Role role = Role::kCarer;
  // Empty for an operator.
  base::TenantId tenant;
  std::string subject;
  // With kCarer only.
  std::optional<base::Uuid> device;
  absl::Time expires = absl::InfinitePast();
};

}  // namespace caresync::access

#endif  // CARESYNC_SERVER_ACCESS_IDENTITY_H_

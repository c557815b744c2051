#include "server/commit/tenant_list.h"

#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"

namespace caresync::commit {

absl::StatusOr<std::vector<base::TenantId>> ReadTenants(const storage::Reader& reader, std::string_view after,
                                                        size_t most) {
  std::vector<std::string> names;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, base::keys::AllTenants(after), most,
                              [&](std::string_view key, std::string_view) {
                                damaged = !base::keys::ParseTenantListing(key, &names.emplace_back());
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a tenant's listing");
  std::vector<base::TenantId> tenants;
  tenants.reserve(names.size());
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(base::TenantId tenant, base::TenantId::Parse(name));
    tenants.push_back(std::move(tenant));
  }
  return tenants;
}

}  // namespace caresync::commit

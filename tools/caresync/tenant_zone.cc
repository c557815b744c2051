#include "tools/caresync/tenant_zone.h"

#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {

absl::StatusOr<absl::TimeZone> ZoneOf(absl::string_view name) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(name, &zone)) return errors::Usage(absl::StrCat("this machine knows no time zone ", name));
  return zone;
}

absl::TimeZone ZoneOrUtc(absl::string_view name) { return ZoneOf(name).value_or(absl::UTCTimeZone()); }

absl::StatusOr<absl::TimeZone> TenantZone(const Connection& connection) {
  v1::GetTenantRequest request;
  request.set_tenant_id(connection.options().tenant);
  ASSIGN_OR_RETURN(const v1::Tenant tenant, connection.Call(Caller(), &v1::TenantService::Stub::GetTenant, request));
  return ZoneOf(tenant.time_zone());
}

absl::StatusOr<absl::TimeZone> ShownZone(const Connection& connection) {
  absl::StatusOr<absl::TimeZone> zone = TenantZone(connection);
  if (!absl::IsPermissionDenied(zone.status())) return zone;
  std::cerr << "Times are shown in UTC: the credential may not read the tenant's time zone\n";
  return absl::UTCTimeZone();
}

}  // namespace caresync::cli

// The time zone in which people are shown times.
#ifndef CARESYNC_TOOLS_CARESYNC_TENANT_ZONE_H_
#define CARESYNC_TOOLS_CARESYNC_TENANT_ZONE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tools/caresync/connection.h"

namespace caresync::cli {

// Errors: USAGE where this machine knows no zone of this IANA name.
absl::StatusOr<absl::TimeZone> ZoneOf(absl::string_view name);

// The same to show times in: UTC where this machine does not know it.
absl::TimeZone ZoneOrUtc(absl::string_view name);

// The zone of the connection's tenant. Errors: USAGE as above, those of the call.
absl::StatusOr<absl::TimeZone> TenantZone(const Connection& connection);

// The same to show times in: UTC where the caller may not read the tenant, as a rostering system's token may not, and
// the standard error stream says so.
absl::StatusOr<absl::TimeZone> ShownZone(const Connection& connection);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_TENANT_ZONE_H_

// Who may see a service user beside the carers of its visits: employee groups and single carers, as a person set them.
// What is set here is never touched by a rostering system.
#ifndef CARESYNC_SERVER_SERVICE_USERS_ACCESS_LIST_H_
#define CARESYNC_SERVER_SERVICE_USERS_ACCESS_LIST_H_

#include "absl/status/statusor.h"
#include "caresync/v1/service_users.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::service_users {

// Inside a change: replaces the whole list. Harmless to repeat. Returns what is set then, each ID once and in order.
//
// Errors: TENANT_UNKNOWN; INVALID_FIELD past limits::kAccessGroups or limits::kAccessCarers, or where an ID is no UUID;
// SERVICE_USER_UNKNOWN, GROUP_UNKNOWN, CARER_UNKNOWN; COMMIT_TOO_LARGE; those of reading.
absl::StatusOr<v1::ServiceUserAccess> SetAccess(commit::Transaction& transaction, const v1::SetAccessRequest& request);

// Errors: INVALID_FIELD, SERVICE_USER_UNKNOWN; those of reading.
absl::StatusOr<v1::ServiceUserAccess> GetAccess(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::GetAccessRequest& request);

}  // namespace caresync::service_users

#endif  // CARESYNC_SERVER_SERVICE_USERS_ACCESS_LIST_H_

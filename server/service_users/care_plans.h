// Care plans of service users, written by people here. They go to everybody who may see the service user, with an app
// that can keep them.
#ifndef CARESYNC_SERVER_SERVICE_USERS_CARE_PLANS_H_
#define CARESYNC_SERVER_SERVICE_USERS_CARE_PLANS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/service_users.pb.h"
#include "server/commit/transaction.h"

namespace caresync::service_users {

// Inside a change: creates the care plan, or replaces it; one that was deleted comes back. Harmless to repeat.
//
// Errors: TENANT_UNKNOWN; SERVICE_USER_UNKNOWN; INVALID_FIELD where an ID is no UUID, a text breaks a bound, the plan
// is of another service user already, or the service user has limits::kCarePlansOfServiceUser; OVERLOADED while many
// were deleted a moment ago; COMMIT_TOO_LARGE; those of reading.
absl::StatusOr<v1::StoredCarePlan> PutCarePlan(commit::Transaction& transaction, const v1::PutCarePlanRequest& request);

// Inside a change: takes the plan off all devices. Harmless to repeat. Errors: TENANT_UNKNOWN, INVALID_FIELD,
// CARE_PLAN_UNKNOWN, COMMIT_TOO_LARGE; those of reading.
absl::Status DeleteCarePlan(commit::Transaction& transaction, const v1::DeleteCarePlanRequest& request);

}  // namespace caresync::service_users

#endif  // CARESYNC_SERVER_SERVICE_USERS_CARE_PLANS_H_

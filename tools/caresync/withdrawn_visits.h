// Visits that an earlier import of a rota's day gave, and that the rota does not have any more.
#ifndef CARESYNC_TOOLS_CARESYNC_WITHDRAWN_VISITS_H_
#define CARESYNC_TOOLS_CARESYNC_WITHDRAWN_VISITS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "tools/caresync/connection.h"
#include "tools/caresync/rota_import.h"

namespace caresync::cli {

// Of the plan's `unvisited` those that cancel a visit which the store has of this source and which is to take place,
// each with the carers and times that it has there: what the store does not have is not made by cancelling it.
//
// It is looked up as an administrator, one call a visit and, of those found, one more for each carer whom the rota ever
// had. Errors: those of the calls; PermissionDenied where --token names somebody who may not look, as a rostering
// system may not.
absl::StatusOr<std::vector<v1::RosterChange>> FindWithdrawn(const Connection& connection, const std::string& source,
                                                            const RotaPlan& plan);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_WITHDRAWN_VISITS_H_

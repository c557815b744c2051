// A person's word on an event for review.
#ifndef CARESYNC_SERVER_CARE_EVENTS_RESOLVING_H_
#define CARESYNC_SERVER_CARE_EVENTS_RESOLVING_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/care_events.pb.h"
#include "server/commit/transaction.h"

namespace caresync::care_events {

// Runs in a Change. `person` is the caller's subject. Errors: INVALID_FIELD; those of records::Resolve.
absl::StatusOr<v1::ResolveEventResponse> ResolveEvent(commit::Transaction& transaction,
                                                      const v1::ResolveEventRequest& request,
                                                      const std::string& person);

}  // namespace caresync::care_events

#endif  // CARESYNC_SERVER_CARE_EVENTS_RESOLVING_H_

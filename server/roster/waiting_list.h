// Changes of the rota that are not in it, for people: they wait for other records, or were refused when those had come.
#ifndef CARESYNC_SERVER_ROSTER_WAITING_LIST_H_
#define CARESYNC_SERVER_ROSTER_WAITING_LIST_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::roster {

// One page; what is late is so as of `now`. Looks at no more than limits::kSearchedRows changes, so that a page may
// hold less than was asked for. What cannot be read is left out, which the log says. Errors: INVALID_FIELD,
// PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListWaitingChangesResponse> ListWaiting(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const v1::ListWaitingChangesRequest& request,
                                                           absl::Time now);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_WAITING_LIST_H_

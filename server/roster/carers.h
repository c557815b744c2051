// The carers that are known, for people who choose one.
#ifndef CARESYNC_SERVER_ROSTER_CARERS_H_
#define CARESYNC_SERVER_ROSTER_CARERS_H_

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::roster {

// One page, in the order of carer IDs. Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListCarersResponse> ListCarers(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const v1::ListCarersRequest& request);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_CARERS_H_

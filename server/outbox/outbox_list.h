// The outbox as people see it.
#ifndef CARESYNC_SERVER_OUTBOX_OUTBOX_LIST_H_
#define CARESYNC_SERVER_OUTBOX_OUTBOX_LIST_H_

#include "absl/status/statusor.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::outbox {

// One page of `tenant`'s, whatever tenant the request names. A notice that cannot be read is passed over. Errors:
// INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListOutboxResponse> ListOutbox(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const v1::ListOutboxRequest& request);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_OUTBOX_LIST_H_

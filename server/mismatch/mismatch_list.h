// The list of mismatches, for people.
#ifndef CARESYNC_SERVER_MISMATCH_MISMATCH_LIST_H_
#define CARESYNC_SERVER_MISMATCH_MISMATCH_LIST_H_

#include "absl/status/statusor.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/ids.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::mismatch {

// One page, of mismatches or of groups of them (mismatch_groups.h). Looks at no more than limits::kSearchedRows rows,
// so that a page of a filtered list may hold less than was asked for, and groups what it looked at; what is stored of
// devices is read once for each carer. Errors:
// INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListMismatchesResponse> ListMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListMismatchesRequest& request,
                                                          const devices::AsOf& as_of);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_MISMATCH_LIST_H_

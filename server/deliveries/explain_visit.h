// Why a carer's phone shows a visit, or does not.
#ifndef CARESYNC_SERVER_DELIVERIES_EXPLAIN_VISIT_H_
#define CARESYNC_SERVER_DELIVERIES_EXPLAIN_VISIT_H_

#include "absl/status/statusor.h"
#include "caresync/v1/deliveries.pb.h"
#include "server/base/ids.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::deliveries {

// Nothing of it is stored: it is worked out from what `reader` shows, which is one snapshot. Of a device whose rows
// cannot be read it says that nothing is known; where the carer's record cannot, that nothing is but what the device
// acknowledged. Errors: INVALID_FIELD, CARER_UNKNOWN, VISIT_UNKNOWN, those of reading.
absl::StatusOr<v1::ExplainVisitResponse> ExplainVisit(const storage::Reader& reader, const base::TenantId& tenant,
                                                      const v1::ExplainVisitRequest& request,
                                                      const devices::AsOf& as_of);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_EXPLAIN_VISIT_H_

// The delivery record, for people: changes of the rota, and what became of them on the carers' devices.
#ifndef CARESYNC_SERVER_DELIVERIES_DELIVERY_LIST_H_
#define CARESYNC_SERVER_DELIVERIES_DELIVERY_LIST_H_

#include "absl/status/statusor.h"
#include "caresync/v1/deliveries.pb.h"
#include "server/base/ids.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::deliveries {

// One page. Looks at no more than limits::kSearchedRows entries, so that a page may hold less than was asked for. What
// cannot be read is left out, which the log says. Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListDeliveriesResponse> ListDeliveries(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListDeliveriesRequest& request,
                                                          const devices::AsOf& as_of);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_DELIVERY_LIST_H_

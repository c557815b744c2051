// What became of a source's changes on carers' devices, as a resumable stream for rostering systems.
#ifndef CARESYNC_SERVER_DELIVERIES_DELIVERY_STREAM_H_
#define CARESYNC_SERVER_DELIVERIES_DELIVERY_STREAM_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "storage/store.h"

namespace caresync::deliveries {

// Reads the next message of what marks say of `source`'s own visits after `resume_token` (empty: from the beginning),
// all from one snapshot; DeliveryTopic() (marks.h) tells when there is more. A mark tells of the changes between the
// device's mark of the carer before it and itself; where it is the first, of those by which the device holds visits
// now. A token of a store that this one does not know reads from the beginning and says `restarted`. What cannot be
// read is logged and left out; what was let go since is not told. A message may be empty and yet not the last.
//
// Errors: TOKEN_NOT_VALID for a token that was not made here for this tenant and source; those of reading.
absl::StatusOr<v1::StreamDeliveriesResponse> ReadDeliveries(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const std::string& source, std::string_view resume_token,
                                                            const base::TokenSealer& sealer);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_DELIVERY_STREAM_H_

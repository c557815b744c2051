// A carer's part of a visit as an entry of the carer's feed has it, for people.
#ifndef CARESYNC_SERVER_DELIVERIES_VISIT_SHOWN_H_
#define CARESYNC_SERVER_DELIVERIES_VISIT_SHOWN_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/uuid.h"
#include "server/devices/names.h"

namespace caresync::deliveries {

// `payload`: a visit's. Of one that the carer is no part of, no times. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<v1::VisitShown> ShownTo(const base::Uuid& carer, const std::string& payload, devices::Names& names);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_VISIT_SHOWN_H_

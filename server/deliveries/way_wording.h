// What the office is told of a visit's way to a carer's phone, in English. Pure.
#ifndef CARESYNC_SERVER_DELIVERIES_WAY_WORDING_H_
#define CARESYNC_SERVER_DELIVERIES_WAY_WORDING_H_

#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"

namespace caresync::deliveries {

// Adds each step's text, the headline and the advice to an answer with all else filled in. Times are shown in `zone`.
void AddWords(absl::TimeZone zone, v1::ExplainVisitResponse& response);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_WAY_WORDING_H_

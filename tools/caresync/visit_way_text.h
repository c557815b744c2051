// A visit's way to a carer's phone, for people.
#ifndef CARESYNC_TOOLS_CARESYNC_VISIT_WAY_TEXT_H_
#define CARESYNC_TOOLS_CARESYNC_VISIT_WAY_TEXT_H_

#include <string>

#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// The headline and what to do, the steps as a table, and the facts.
std::string VisitWayText(const v1::ExplainVisitResponse& told, absl::TimeZone zone, const Look& look);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_VISIT_WAY_TEXT_H_

// How long changes of the rota took, as a table for people.
#ifndef CARESYNC_TOOLS_CARESYNC_LAG_TABLE_H_
#define CARESYNC_TOOLS_CARESYNC_LAG_TABLE_H_

#include <string>

#include "absl/time/time.h"
#include "caresync/v1/mismatches.pb.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// A row for each end and promise, a column for each bound; below it, what is in no column, and since when it is
// counted.
std::string LagTable(const v1::IntegrationLag& lag, absl::TimeZone zone, const Look& look);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_LAG_TABLE_H_

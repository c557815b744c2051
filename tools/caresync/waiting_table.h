// Changes of the rota that wait for other records, or were refused when those had come, as people read them.
#ifndef CARESYNC_TOOLS_CARESYNC_WAITING_TABLE_H_
#define CARESYNC_TOOLS_CARESYNC_WAITING_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "tools/caresync/output.h"

namespace caresync::cli {

// A line for each change, in the order given, and how many there are in a last one.
std::string WaitingText(const std::vector<v1::WaitingRosterChange>& changes, absl::TimeZone zone, const Look& look);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_WAITING_TABLE_H_

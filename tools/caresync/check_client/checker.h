// Plays scenarios one after the other against one device.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_CHECKER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_CHECKER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/caresync/check_client/finding.h"
#include "tools/caresync/check_client/player.h"
#include "tools/caresync/check_client/scenario.h"

namespace caresync::cli::check {

struct Verdict {
  const Scenario* scenario = nullptr;
  // Empty: passed.
  Findings broken;
  // What the device said, where it broke something.
  std::string output;
};

// `told` hears of each as soon as it was played. Ends before its time where the inbox is stopped. Errors: those of the
// driver; what was played until then was told.
absl::Status Check(const std::vector<const Scenario*>& scenarios, const Stage& stage,
                   const std::function<void(const Verdict&)>& told);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_CHECKER_H_

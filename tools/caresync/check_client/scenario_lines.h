// One line of a scenario.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_LINES_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_LINES_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/caresync/check_client/scenario.h"

namespace caresync::cli::check {

// `text` without blanks at its ends. An error's message says what is wrong with it, and has no reason of its own.
absl::StatusOr<Line> ParseLine(int number, absl::string_view text);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_SCENARIO_LINES_H_

// How an error is told: to people on the standard error stream, to machines as JSON.
#ifndef CARESYNC_TOOLS_CARESYNC_ERROR_OUTPUT_H_
#define CARESYNC_TOOLS_CARESYNC_ERROR_OUTPUT_H_

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace caresync::cli {

// "error: REASON: message". Control characters in it are shown as '?', but for the ends of its own lines.
void PrintError(const absl::Status& status);
// Its reason and message.
nlohmann::ordered_json ErrorJson(const absl::Status& status);
// One or the other, or neither where it is that nobody reads the output; returns the process's exit code.
int TellError(bool json, const absl::Status& status);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_ERROR_OUTPUT_H_

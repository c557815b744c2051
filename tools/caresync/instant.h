// Points in time that people name on the command line.
#ifndef CARESYNC_TOOLS_CARESYNC_INSTANT_H_
#define CARESYNC_TOOLS_CARESYNC_INSTANT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "google/protobuf/timestamp.pb.h"

namespace caresync::cli {

// `text`: RFC 3339, so with a year of four digits, as given with `option`. Errors: USAGE.
absl::StatusOr<google::protobuf::Timestamp> ParseInstant(const std::string& option, const std::string& text);

// `text`: exactly YYYY-MM-DD, as given with `option`. Errors: USAGE.
absl::StatusOr<absl::CivilDay> ParseDay(const std::string& option, const std::string& text);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_INSTANT_H_

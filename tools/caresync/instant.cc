#include "tools/caresync/instant.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/proto_time.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {

absl::StatusOr<google::protobuf::Timestamp> ParseInstant(const std::string& option, const std::string& text) {
  absl::Time time;
  std::string wrong;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &wrong)) return base::ToTimestamp(time);
  return errors::Usage(absl::StrCat(option, " ", text, ": give a time such as 2026-11-21T07:02:00Z"));
}

}  // namespace caresync::cli

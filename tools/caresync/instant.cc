#include "tools/caresync/instant.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/proto_time.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {

namespace {

constexpr std::string_view kDay = "2026-11-21";

// Such a day, at the beginning of `text`. The parsers of absl take fewer digits, and 26 for the year 26.
bool BeginsWithDay(std::string_view text) {
  if (text.size() < kDay.size()) return false;
  for (size_t i = 0; i < kDay.size(); ++i) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(text[i]));
    if (kDay[i] == '-' ? text[i] != '-' : !digit) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<absl::CivilDay> ParseDay(const std::string& option, const std::string& text) {
  absl::CivilDay day;
  if (text.size() == kDay.size() && BeginsWithDay(text) && absl::ParseCivilTime(text, &day)) return day;
  return errors::Usage(absl::StrCat(option, " ", text, ": give a day such as 2026-11-21"));
}

absl::StatusOr<google::protobuf::Timestamp> ParseInstant(const std::string& option, const std::string& text) {
  absl::Time time;
  std::string wrong;
  if (BeginsWithDay(text) && absl::ParseTime(absl::RFC3339_full, text, &time, &wrong)) return base::ToTimestamp(time);
  return errors::Usage(absl::StrCat(option, " ", text, ": give a time such as 2026-11-21T07:02:00Z"));
}

}  // namespace caresync::cli

#include "tools/caresync/lag_table.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

// "20m" or "72h".
std::string Text(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(absl::Seconds(duration.seconds()));
}

std::vector<Cell> RowOf(const std::string& end, const std::string& visit, const v1::LagHistogram& histogram) {
  std::vector<Cell> row = {end, visit, Text(histogram.promise()), absl::StrCat(histogram.count())};
  const std::string late = absl::StrCat(histogram.late());
  row.push_back(histogram.late() > 0 ? Cell(late, Colour::kYellow) : Cell(late));
  for (const v1::LagBucket& bucket : histogram.buckets()) row.push_back(absl::StrCat(bucket.count()));
  return row;
}

// Empty where all that was counted has its column.
std::string ApartText(const std::string& end, const v1::LagToOneEnd& lag) {
  if (lag.untimed() + lag.clock_ahead() + lag.too_long_ago() == 0) return "";
  return absl::StrCat(end, " beside these: ", lag.untimed(), " without a changed_time, ", lag.clock_ahead(),
                      " with one ahead of the server's clock, ", lag.too_long_ago(), " of more than 7 days ago\n");
}

}  // namespace

std::string LagTable(const v1::IntegrationLag& lag, absl::TimeZone zone, const Look& look) {
  constexpr char kCommitted[] = "Committed";
  constexpr char kApplied[] = "Applied";
  constexpr char kNear[] = "within 72h";
  constexpr char kAhead[] = "further ahead";
  std::vector<std::string> columns = {"End", "Visit starts", "Promise", "Changes", "Late"};
  for (const v1::LagBucket& bucket : lag.committed().near().buckets()) {
    columns.push_back(absl::StrCat("<= ", Text(bucket.at_most())));
  }
  const std::vector<std::vector<Cell>> rows = {
      RowOf(kCommitted, kNear, lag.committed().near()), RowOf(kCommitted, kAhead, lag.committed().ahead()),
      RowOf(kApplied, kNear, lag.applied().near()), RowOf(kApplied, kAhead, lag.applied().ahead())};
  return absl::StrCat(FormatTable(columns, rows, look), ApartText(kCommitted, lag.committed()),
                      ApartText(kApplied, lag.applied()), "Counted since ", PeopleTime(ToTime(lag.since_time()), zone),
                      "\n");
}

}  // namespace caresync::cli

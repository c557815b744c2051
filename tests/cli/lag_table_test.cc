#include "tools/caresync/lag_table.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using testing::ElementsAre;

void Fill(const std::vector<std::pair<int, int>>& buckets, int promise_s, int late, v1::LagHistogram& histogram) {
  histogram.mutable_promise()->set_seconds(promise_s);
  histogram.set_late(static_cast<uint64_t>(late));
  for (const auto& [at_most_s, count] : buckets) {
    v1::LagBucket& bucket = *histogram.add_buckets();
    bucket.mutable_at_most()->set_seconds(at_most_s);
    bucket.set_count(static_cast<uint64_t>(count));
    histogram.set_count(histogram.count() + bucket.count());
  }
}

v1::IntegrationLag Lag() {
  v1::IntegrationLag lag;
  lag.mutable_since_time()->set_seconds(1'795'251'600);
  Fill({{10, 3}, {1200, 1}, {86400, 2}}, 1200, 2, *lag.mutable_committed()->mutable_near());
  Fill({{10, 0}, {1200, 0}, {86400, 5}}, 86400, 0, *lag.mutable_committed()->mutable_ahead());
  Fill({{10, 0}, {1200, 7}, {86400, 0}}, 1200, 0, *lag.mutable_applied()->mutable_near());
  Fill({{10, 0}, {1200, 0}, {86400, 0}}, 86400, 0, *lag.mutable_applied()->mutable_ahead());
  return lag;
}

std::vector<std::vector<std::string>> Shown(const v1::IntegrationLag& lag) {
  std::vector<std::vector<std::string>> shown;
  for (const std::string_view line :
       std::vector<std::string>(absl::StrSplit(LagTable(lag, absl::UTCTimeZone(), false), '\n', absl::SkipEmpty()))) {
    std::vector<std::string>& cells = shown.emplace_back();
    for (const std::string& cell :
         std::vector<std::string>(absl::StrSplit(std::string(line), "  ", absl::SkipWhitespace()))) {
      cells.push_back(cell.substr(cell.find_first_not_of(' ')));
    }
  }
  return shown;
}

TEST(LagTableTest, HasARowForEachEndAndPromise) {
  EXPECT_THAT(Shown(Lag()), ElementsAre(ElementsAre("End", "Visit starts", "Promise", "Changes", "Late", "<= 10s",
                                                    "<= 20m", "<= 24h"),
                                        ElementsAre("Committed", "within 72h", "20m", "6", "2", "3", "1", "2"),
                                        ElementsAre("Committed", "further ahead", "24h", "5", "0", "0", "0", "5"),
                                        ElementsAre("Applied", "within 72h", "20m", "7", "0", "0", "7", "0"),
                                        ElementsAre("Applied", "further ahead", "24h", "0", "0", "0", "0", "0"),
                                        ElementsAre("Counted since 2026-11-21 09:00:00 UTC")));
}

TEST(LagTableTest, SaysWhatIsInNoColumn) {
  v1::IntegrationLag lag = Lag();
  lag.mutable_committed()->set_untimed(1);
  lag.mutable_applied()->set_clock_ahead(2);
  lag.mutable_applied()->set_too_long_ago(3);
  const std::vector<std::vector<std::string>> shown = Shown(lag);
  ASSERT_EQ(shown.size(), 8u);
  EXPECT_THAT(shown[5],
              ElementsAre("Committed beside these: 1 without a changed_time, 0 with one ahead of the server's "
                          "clock, 0 of more than 7 days ago"));
  EXPECT_THAT(shown[6], ElementsAre("Applied beside these: 0 without a changed_time, 2 with one ahead of the server's "
                                    "clock, 3 of more than 7 days ago"));
}

}  // namespace
}  // namespace caresync::cli

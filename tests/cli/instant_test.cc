#include "tools/caresync/instant.h"

#include "gtest/gtest.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

TEST(ParseDay, TakesAYearOfFourDigitsAndNothingElse) {
  EXPECT_EQ(ParseDay("--date", "2026-11-21").value(), absl::CivilDay(2026, 11, 21));
  for (const char* wrong : {"", "26-11-21", "2026-1-21", "2026-11-2", "2026-11-31", "2026-13-01", " 2026-11-21",
                            "2026-11-21 ", "2026/11/21", "12026-11-21", "2026-11-21T07:00", "-026-11-21"}) {
    EXPECT_TRUE(IsUsageError(ParseDay("--date", wrong).status())) << wrong;
  }
}

TEST(ParseInstant, TakesAYearOfFourDigitsAndNothingElse) {
  EXPECT_EQ(ParseInstant("--from", "2026-11-21T07:02:00Z").value().seconds(), 1'795'244'520);
  EXPECT_EQ(ParseInstant("--from", "2026-11-21T08:02:00.5+01:00").value().nanos(), 500'000'000);
  for (const char* wrong : {"", "26-11-21T07:02:00Z", "2026-11-21", "2026-1-21T07:02:00Z", "infinite-future",
                            "12026-11-21T07:02:00Z", "yesterday"}) {
    EXPECT_TRUE(IsUsageError(ParseInstant("--from", wrong).status())) << wrong;
  }
}

}  // namespace
}  // namespace caresync::cli

#include "tools/caresync/waiting_table.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// 2026-11-21 09:00 UTC.
constexpr int64_t kNine = 1'795'251'600;

v1::WaitingRosterChange Waiting() {
  v1::WaitingRosterChange change;
  change.set_record_kind(v1::RECORD_KIND_VISIT);
  change.set_source("planner");
  change.set_external_id("v1");
  change.mutable_received_time()->set_seconds(kNine);
  v1::MissingReference& missing = *change.add_missing();
  missing.set_kind(v1::RECORD_KIND_SERVICE_USER);
  missing.set_external_id("u\x1B[2J1");
  change.set_missing_count(1);
  return change;
}

std::string Text(const std::vector<v1::WaitingRosterChange>& changes) {
  return WaitingText(changes, absl::UTCTimeZone(), false);
}

// Requirement: I4
TEST(WaitingTable, TellsWhatAChangeWaitsForAndByWhenItWasPromised) {
  v1::WaitingRosterChange change = Waiting();
  EXPECT_THAT(Text({change}), ContainsRegex("^Since +Source +Kind +External ID +Waits for / Refused +Promised\n"
                                            "2026-11-21 09:00:00 UTC +planner +visit +v1 +service user u\\?\\[2J1 +-\n"
                                            "1 change waits\n$"));
  change.mutable_promised_time()->set_seconds(kNine + 1200);
  EXPECT_THAT(Text({change}), HasSubstr("2026-11-21 09:20:00 UTC\n"));
  change.set_late(true);
  EXPECT_THAT(Text({change}), HasSubstr("2026-11-21 09:20:00 UTC (late)\n"));
}

TEST(WaitingTable, SaysHowManyMoreItWaitsFor) {
  v1::WaitingRosterChange change = Waiting();
  EXPECT_THAT(Text({change}), Not(HasSubstr("more")));
  change.set_missing_count(8);
  EXPECT_THAT(Text({change}), HasSubstr("and 7 more "));
}

TEST(WaitingTable, TellsWhyAChangeWasRefused) {
  v1::WaitingRosterChange refused = Waiting();
  refused.clear_missing();
  refused.clear_missing_count();
  refused.set_refused_reason("INVALID_FIELD");
  EXPECT_THAT(Text({refused}), ContainsRegex(" v1 +refused: INVALID_FIELD +-\n0 changes wait, 1 was refused\n$"));
  EXPECT_THAT(Text({Waiting(), Waiting(), refused, refused}), EndsWith("\n2 changes wait, 2 were refused\n"));
}

TEST(WaitingTable, SaysThatNothingWaits) { EXPECT_THAT(Text({}), EndsWith("\n0 changes wait\n")); }

}  // namespace
}  // namespace caresync::cli

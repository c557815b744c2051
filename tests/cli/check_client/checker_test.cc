// Clients that break one rule each, and one that breaks none.
#include "tools/caresync/check_client/checker.h"

#include <algorithm>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/cli/check_client/spoiled_device.h"
#include "tools/caresync/check_client/listener.h"

namespace caresync::cli::check {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Where nothing is broken only what hangs is waited for so long.
constexpr absl::Duration kLong = absl::Seconds(60);
// For what never comes. A device is no slower than this, or the test says too much, never too little.
constexpr absl::Duration kShort = absl::Seconds(10);

const Scenario& Named(const std::string& name) {
  const auto& all = AllScenarios();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
  if (found == all.end()) ABSL_RAW_LOG(FATAL, "no scenario %s", name.c_str());
  return *found;
}

Findings Play(const Scenario& scenario, Fault fault, absl::Duration timeout,
              uint32_t level = base::limits::kDataLevel) {
  Inbox inbox;
  const auto listener = Listener::Start("127.0.0.1:0", inbox);
  EXPECT_TRUE(listener.ok()) << listener.status();
  SpoiledDevice device(fault, (*listener)->address(), inbox);
  Findings broken;
  const absl::Status played =
      Check({&scenario}, {inbox, device, timeout, level}, [&](const Verdict& verdict) { broken = verdict.broken; });
  EXPECT_TRUE(played.ok()) << played;
  return broken;
}

std::vector<std::string> RulesOf(const Findings& broken) {
  std::vector<std::string> rules;
  for (const Finding& finding : broken) rules.emplace_back(finding.rule->name);
  return rules;
}

std::string Told(const Findings& broken) {
  std::string told;
  for (const Finding& finding : broken) {
    absl::StrAppend(&told, std::string(finding.rule->name), " at \"", finding.line_text, "\": expected ",
                    finding.expected, ", seen ", finding.seen, "\n");
  }
  return told;
}

class RightDevice : public ::testing::TestWithParam<std::string> {};

TEST_P(RightDevice, Passes) {
  const Findings broken = Play(Named(GetParam()), Fault::kNone, kLong);
  EXPECT_THAT(broken, IsEmpty()) << Told(broken);
}

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  for (const Scenario& scenario : AllScenarios()) names.push_back(scenario.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Scenario, RightDevice, ::testing::ValuesIn(ScenarioNames()),
                         [](const ::testing::TestParamInfo<std::string>& info) { return info.param; });

struct OtherWay {
  const char* what;
  Fault fault;
  std::vector<std::string> scenarios;
  uint32_t level = base::limits::kDataLevel;
};

class DeviceThatIsRightInAnotherWay : public ::testing::TestWithParam<OtherWay> {};

TEST_P(DeviceThatIsRightInAnotherWay, Passes) {
  for (const std::string& scenario : GetParam().scenarios) {
    const Findings broken = Play(Named(scenario), GetParam().fault, kLong, GetParam().level);
    EXPECT_THAT(broken, IsEmpty()) << scenario << ": " << Told(broken);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Way, DeviceThatIsRightInAnotherWay,
    ::testing::Values(
        OtherWay{"AcksEveryTenthBatch",
                 Fault::kAcksEveryTenthBatch,
                 {"first_copy", "delta", "large_batch", "many_batches", "clean", "waiting", "follow", "follow_rebuild",
                  "next_visits"}},
        OtherWay{
            "NamesDropsInItsNextAck", Fault::kNamesDropsInItsNextAck, {"drop_other", "drop_unfinished", "follow_drop"}},
        OtherWay{"LosesTheLastResults",
                 Fault::kLosesTheLastResults,
                 {"many_events", "refused_after_uploads", "waiting", "drop_own"}},
        OtherWay{"WaitsForStarted",
                 Fault::kWaitsForStarted,
                 {"upload", "upload_cut", "many_events", "two_carers", "drop_other", "clean_with_unsent"}},
        OtherWay{"ReconnectsByRetryInfo", Fault::kReconnectsByRetryInfo, {"going_away"}},
        OtherWay{"LeavesADeadStream", Fault::kLeavesADeadStream, {"first_copy", "going_away"}},
        OtherWay{"RefusesCleanSyncs", Fault::kRefusesCleanSyncs, {"clean_with_unsent"}},
        OtherWay{
            "KeepsNoCarePlans", Fault::kKeepsNoCarePlans, {"first_copy", "delta", "payload_bytes", "large_batch"}, 1}),
    [](const ::testing::TestParamInfo<OtherWay>& info) { return info.param.what; });

struct Case {
  const char* what;
  Fault fault;
  const char* scenario;
  const char* rule;
};

constexpr Case kCases[] = {
    Case{"CallsWithoutACredential", Fault::kNoCredential, "first_copy", "AUTHORIZATION"},
    Case{"SendsAnUploadBeforeStart", Fault::kSendsAnUploadFirst, "first_copy", "START_FIRST"},
    Case{"NamesAnotherKindOfSync", Fault::kNamesAnotherType, "clean", "START_FIELDS"},
    Case{"ForgetsItsToken", Fault::kForgetsItsToken, "delta", "TOKEN_LAST_APPLIED"},
    Case{"KeepsTokensAsText", Fault::kKeepsTokensAsText, "delta", "TOKEN_BYTES"},
    Case{"StartsWithTheTokenOfTheCopyInUse", Fault::kIgnoresTheUnfinishedCopy, "cut_in_clean", "CLEAN_RESUMED"},
    Case{"BeginsAFirstCopyAnew", Fault::kIgnoresTheUnfinishedCopy, "cut_in_first_copy", "TOKEN_OF_UNFINISHED_COPY"},
    Case{"GivesOneCarerTheTokenOfAnother", Fault::kSharesTokens, "two_carers", "COPIES_APART"},
    Case{"AcksBeforeItIsDurable", Fault::kAcksBeforeItIsDurable, "killed_after_ack", "TOKEN_DURABLE"},
    Case{"NeverAcksBatches", Fault::kNeverAcksBatches, "many_batches", "CHANGES_ACKED"},
    Case{"AcksWhatNeverCame", Fault::kAcksWhatNeverCame, "first_copy", "ACK_OF_WHAT_CAME"},
    Case{"AcksCaughtUpWithoutItsSum", Fault::kLeavesOutItsSum, "first_copy", "CAUGHT_UP_ACKED"},
    Case{"AddsOneToItsSum", Fault::kAddsOneToItsSum, "first_copy", "COUNT_AND_SUM"},
    Case{"IgnoresRemovals", Fault::kIgnoresRemovals, "delta", "REMOVALS_APPLIED"},
    Case{"KeepsWhatItHadOfARecord", Fault::kKeepsWhatItHadOfARecord, "delta", "UPSERTS_APPLIED"},
    Case{"WritesPayloadsAnew", Fault::kWritesPayloadsAnew, "payload_bytes", "PAYLOAD_AS_RECEIVED"},
    Case{"DropsTheOldCopyFirst", Fault::kDropsTheOldCopyFirst, "clean_without_batch", "REBUILD_BESIDE"},
    Case{"MixesTheOldCopyAndTheNew", Fault::kMixesOldAndNew, "clean", "COPY_REPLACED"},
    Case{"LeavesBeforeTheSyncIsRecorded", Fault::kLeavesEarly, "nothing_new", "STAYS_UNTIL_RECORDED"},
    Case{"IgnoresTheTokenOfNothingNew", Fault::kIgnoresTheTokenOfNothingNew, "nothing_new", "NOTHING_NEW"},
    Case{"LeavesAfterTheFirstRound", Fault::kLeavesAfterTheFirstRound, "follow_nothing_new", "FOLLOW_STAYS"},
    Case{"KeepsARefusedToken", Fault::kKeepsARefusedToken, "token_not_valid", "TOKEN_REFUSED"},
    Case{"DropsItsCopyWhenRefused", Fault::kDropsItsCopyWhenRefused, "overloaded", "REFUSED_KEEPS_COPY"},
    Case{"DropsItsCopyWhenToWait", Fault::kDropsItsCopyWhenRefused, "waiting", "WAITING_KEEPS_COPY"},
    Case{"IgnoresThatACopyIsToBeDropped", Fault::kIgnoresDrops, "drop_other", "DROP_ACKED"},
    Case{"SaysItDroppedAndDidNot", Fault::kSaysItDroppedAndDidNot, "drop_other", "DROP_NOW"},
    Case{"HidesUnsentEventsFromACleanSync", Fault::kHidesUnsentEvents, "clean_with_unsent", "CLEAN_KEEPS_WORK"},
    Case{"DropsEventsWhenTheyAreSent", Fault::kDropsEventsWhenSent, "upload_cut", "EVENT_KEPT"},
    Case{"SendsAnsweredEventsAgain", Fault::kKeepsAnsweredEvents, "upload_results", "EVENT_ANSWERED"},
    Case{"WritesEventsAnew", Fault::kWritesEventsAnew, "upload_cut", "EVENT_BYTES"},
    Case{"MakesNewEventIds", Fault::kMakesNewEventIds, "upload_cut", "EVENT_BYTES"},
    Case{"CountsEventsFromZero", Fault::kCountsFromZero, "upload", "EVENT_SEQUENCE"},
    Case{"UploadsBackwards", Fault::kUploadsBackwards, "upload_cut", "EVENT_ORDER"},
    Case{"UploadsMoreThanAMessageMayHold", Fault::kUploadsTooMuch, "many_events", "UPLOAD_BOUNDS"},
    Case{"NeverSendsEventsAgain", Fault::kNeverSendsAgain, "resend_events", "EVENTS_RESENT"},
    Case{"SendsEventsAgainBeforeThoseItDeclares", Fault::kSendsAgainFirst, "resend_events", "EVENT_ORDER"},
    Case{"ReconnectsAtOnce", Fault::kReconnectsAtOnce, "going_away", "RECONNECTS"},
    Case{"SaysALevelItDoesNotKeep", Fault::kSaysALevelItDoesNotKeep, "data_level", "DATA_LEVEL"},
    Case{"HandlesOneFieldOfAMessage", Fault::kHandlesOneFieldOfAMessage, "one_message", "FIELD_ORDER"},
    Case{"FallsOverUnknownFields", Fault::kFallsOverUnknownFields, "later_server", "UNKNOWN_FIELDS"},
    Case{"GoesOnWithTheUnfinishedCopy", Fault::kGoesOnWithTheUnfinishedCopy, "rebuild_over_unfinished",
         "REBUILD_BEGINS_EMPTY"},
    Case{"FallsOverTheRemovalOfWhatItDoesNotHold", Fault::kFallsOverRemovals, "delta", "REMOVAL_NOT_HELD"},
    Case{"AddsOneToItsSumInStart", Fault::kAddsOneToItsSumInStart, "nothing_new", "HOLDS_IN_START"},
    Case{"CountsNextVisitsTwice", Fault::kCountsNextVisitsTwice, "next_visits", "NEXT_VISITS"},
    Case{"AcksOneRound", Fault::kAcksOneRound, "follow", "FOLLOW_ACKS"},
    Case{"DropsEventsWithTheCopy", Fault::kDropsEventsWithTheCopy, "drop_other", "DROP_KEEPS_EVENTS"},
    Case{"InventsAToken", Fault::kInventsAToken, "first_copy", "TOKEN_NONE"},
    Case{"ForgetsItsTokenWhenItIsCut", Fault::kForgetsItsToken, "follow_cut", "CUT_GOES_ON"},
    Case{"OpensASecondStream", Fault::kOpensASecondStream, "first_copy", "ONE_STREAM"},
    Case{"StartsAgainWhenTakenOver", Fault::kStartsAgainWhenTakenOver, "taken_over", "TAKEN_OVER"},
    Case{"MakesIdsThatAreNoUuids", Fault::kMakesIdsThatAreNoUuids, "upload", "EVENT_ID"},
    Case{"LeavesOutTheTime", Fault::kLeavesOutTheTime, "upload", "EVENT_CONTENT"},
    Case{"DeclaresNoEvents", Fault::kDeclaresNoEvents, "upload", "UNSENT_DECLARED"},
};

class SpoiledDeviceTest : public ::testing::TestWithParam<Case> {};

TEST_P(SpoiledDeviceTest, IsCaughtByTheNameOfTheRule) {
  const Findings broken = Play(Named(GetParam().scenario), GetParam().fault, kShort);
  EXPECT_THAT(RulesOf(broken), Contains(GetParam().rule)) << Told(broken);
}

INSTANTIATE_TEST_SUITE_P(Fault, SpoiledDeviceTest, ::testing::ValuesIn(kCases),
                         [](const ::testing::TestParamInfo<Case>& info) { return info.param.what; });

TEST(Rules, EachIsBrokenByADevice) {
  for (const Rule& rule : Rules()) {
    const bool broken = std::any_of(std::begin(kCases), std::end(kCases),
                                    [&](const Case& spoiled) { return spoiled.rule == rule.name; });
    EXPECT_TRUE(broken) << "no device of this test breaks " << rule.name;
  }
}

// What an app's developer reads first.
std::string SeenOf(const Findings& broken, std::string_view rule) {
  for (const Finding& finding : broken) {
    if (finding.rule->name == rule) return finding.seen;
  }
  return Told(broken);
}

TEST(SumReasons, TellsAboutARecordThatShouldBeGone) {
  const Findings broken = Play(Named("delta"), Fault::kIgnoresRemovals, kShort);
  EXPECT_THAT(SeenOf(broken, "REMOVALS_APPLIED"), HasSubstr("one record were held that was removed"));
  EXPECT_THAT(SeenOf(broken, "REMOVALS_APPLIED"), HasSubstr("RECORD_KIND_VISIT"));
}

TEST(SumReasons, TellsAboutAnEarlierVersion) {
  const Findings broken = Play(Named("delta"), Fault::kKeepsWhatItHadOfARecord, kShort);
  EXPECT_THAT(SeenOf(broken, "UPSERTS_APPLIED"), HasSubstr("an earlier version were held"));
}

TEST(SumReasons, TellsAboutADigestReadTheWrongWay) {
  const Findings broken = Play(Named("first_copy"), Fault::kSumsLittleEndian, kShort);
  EXPECT_THAT(SeenOf(broken, "COUNT_AND_SUM"), HasSubstr("little-endian"));
}

TEST(SumReasons, TellsAboutOldAndNewTogether) {
  const Findings broken = Play(Named("clean"), Fault::kMixesOldAndNew, kShort);
  EXPECT_THAT(SeenOf(broken, "COPY_REPLACED"), HasSubstr("held together"));
}

TEST(Listener, SaysByNameThatThePortIsTaken) {
  Inbox inbox;
  const auto first = Listener::Start("127.0.0.1:0", inbox);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Listener::Start((*first)->address(), inbox);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("cannot listen on"));
}

}  // namespace
}  // namespace caresync::cli::check

#include "tools/caresync/check_client/scenario.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kStart[] = "## one: A scenario.\nd1 of c1 starts STANDARD with token none\n";
constexpr char kEnd[] = "d1 is told: OK\n";

absl::StatusOr<std::vector<Scenario>> Parse(const std::string& text) { return ParseScenarios("test.dialogue", text); }

// One scenario with `line` in an open stream.
absl::StatusOr<std::vector<Scenario>> ParseInStream(const std::string& line) {
  return Parse(absl::StrCat(kStart, line, "\n", kEnd));
}

std::string Error(const absl::StatusOr<std::vector<Scenario>>& parsed) {
  if (parsed.ok()) return "it was taken";
  EXPECT_EQ(ErrorReason(parsed.status()), "SCENARIO_NOT_VALID");
  return std::string(parsed.status().message());
}

template <typename T>
const T& TheItem(const Line& line) {
  return std::get<T>(std::get<Gets>(line.action).items.front());
}

TEST(ParseScenarios, GivesEachScenarioTheCommonLinesFirst) {
  const auto parsed = Parse(
      "# a comment\n"
      "d1 of c1 starts STANDARD with token none\n"
      "d1 is told: OK\n"
      "\n"
      "## one: The first.\n"
      "d1 of c1 starts CLEAN with token none, follow, level 1   [DATA_LEVEL]\n"
      "d1 is cut off\n"
      "## two: The second: with a colon.\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), 2u);
  const Scenario& one = parsed->front();
  EXPECT_EQ(one.name, "one");
  EXPECT_EQ(one.title, "The first.");
  EXPECT_EQ(parsed->back().title, "The second: with a colon.");
  EXPECT_EQ(parsed->back().lines.size(), 2u);
  ASSERT_EQ(one.lines.size(), 4u);
  EXPECT_EQ(one.lines[2].number, 6);
  EXPECT_EQ(one.lines[2].text, "d1 of c1 starts CLEAN with token none, follow, level 1");
  ASSERT_NE(one.lines[2].rule, nullptr);
  EXPECT_EQ(one.lines[2].rule->name, "DATA_LEVEL");
  const Starts& starts = std::get<Starts>(one.lines[2].action);
  EXPECT_EQ(starts.type, v1::SYNC_TYPE_CLEAN);
  EXPECT_TRUE(starts.follow);
  EXPECT_FALSE(starts.again);
  EXPECT_EQ(starts.level, 1u);
  EXPECT_THAT(starts.tokens, ElementsAre("none"));
}

TEST(ParseScenarios, ReadsChangesWithRangesAndVersions) {
  const auto parsed = ParseInStream("d1 gets: started, changes +v1..v3=large +p1 -v9 as t1");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Gets& gets = std::get<Gets>(parsed->front().lines[1].action);
  ASSERT_EQ(gets.items.size(), 2u);
  const ChangesItem& changes = std::get<ChangesItem>(gets.items[1]);
  ASSERT_EQ(changes.upserts.size(), 4u);
  EXPECT_EQ(changes.upserts[2].name, "v3");
  EXPECT_EQ(changes.upserts[2].version, "large");
  EXPECT_EQ(changes.upserts[3].version, "");
  EXPECT_THAT(changes.removals, ElementsAre("v9"));
  EXPECT_EQ(changes.token, "t1");
  EXPECT_FALSE(changes.next_visits);
}

TEST(ParseScenarios, ReadsResults) {
  const auto parsed = ParseInStream("d1 gets: results e1=KNOWN e2=VISIT_CANCELLED");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ResultsItem& results = TheItem<ResultsItem>(parsed->front().lines[1]);
  EXPECT_EQ(results.of.at("e1").outcome, v1::EVENT_OUTCOME_KNOWN);
  EXPECT_EQ(results.of.at("e2").outcome, v1::EVENT_OUTCOME_FOR_REVIEW);
  EXPECT_EQ(results.of.at("e2").reason, v1::REVIEW_REASON_VISIT_CANCELLED);
}

TEST(ParseScenarios, ReadsNotices) {
  const auto parsed = ParseInStream("d1 gets: notice going_away 2 s");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(TheItem<NoticeItem>(parsed->front().lines[1]).notice.going_away().reconnect_after().seconds(), 2);
}

TEST(ParseScenarios, ReadsUploads) {
  const auto parsed = Parse(absl::StrCat("## one: A scenario.\nd1 of c1 records e1 on v1\n",
                                         "d1 of c1 starts STANDARD with token none\n",
                                         "d1 uploads e1\nd1 uploads what it declares\n", kEnd));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(std::get<Uploads>(parsed->front().lines[2].action).events, ElementsAre("e1"));
  EXPECT_FALSE(std::get<Uploads>(parsed->front().lines[2].action).declared);
  EXPECT_TRUE(std::get<Uploads>(parsed->front().lines[3].action).declared);
}

TEST(ParseScenarios, ReadsAcksOfDroppedCopies) {
  const auto parsed = ParseInStream("d1 gets: caught_up as t1\nd1 acks t1 and that it dropped c2 c3");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Acks& acks = std::get<Acks>(parsed->front().lines[2].action);
  EXPECT_EQ(acks.token, "t1");
  EXPECT_THAT(acks.dropped, ElementsAre("c2", "c3"));
}

struct BadFile {
  const char* what;
  std::string text;
  const char* told;
};

class BadScenarios : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadScenarios, AreRefusedWithTheLineAndWhatIsWrong) {
  EXPECT_THAT(Error(Parse(GetParam().text)), HasSubstr(GetParam().told));
}

std::string InStream(const std::string& line) { return absl::StrCat(kStart, line, "\n", kEnd); }

INSTANTIATE_TEST_SUITE_P(
    Files, BadScenarios,
    ::testing::Values(
        BadFile{"Nothing", "", "it holds no scenario"},
        BadFile{"OnlyCommonLines", "d1 of c1 starts STANDARD with token none\nd1 is told: OK\n",
                "it holds no scenario"},
        BadFile{"NoTitle", "## one\n", "test.dialogue:1: a title is"},
        BadFile{"NameWithBlanks", "## one two: A sentence.\n", "test.dialogue:1: a title is"},
        BadFile{"SecondOfAName", absl::StrCat(kStart, kEnd, kStart, kEnd), "test.dialogue:4: a second one"},
        BadFile{"NoStream", "## one: A scenario.\n", "one opens no stream"},
        BadFile{"StreamLeftOpen", kStart, "one leaves its stream open"},
        BadFile{"StartInAStream", absl::StrCat(kStart, "d1 of c1 starts STANDARD with token none\n"),
                ":3: a stream is open"},
        BadFile{"MessageWithoutAStream", "## one: A scenario.\nd1 gets: started\n", ":2: no stream is open here"},
        BadFile{"AckWithoutAStream", "## one: A scenario.\nd1 acks t1\n", ":2: no stream is open here"},
        BadFile{"CutWithoutAStream", "## one: A scenario.\nd1 is cut off\n", ":2: no stream is open here"},
        BadFile{"RecordingInAStream", InStream("d1 of c1 records e1 on v1"), ":3: a stream is open"},
        BadFile{"UnknownLine", InStream("d1 dances"), ":3: \"d1 dances\" is no line of a dialogue"},
        BadFile{"UnknownRule", InStream("d1 gets: started [NO_SUCH_RULE]"), ":3: there is no rule NO_SUCH_RULE"},
        BadFile{"RuleWithoutBracket", InStream("d1 gets: started RULE]"), ":3: `]` without `[`"},
        BadFile{"UnknownPart", InStream("d1 gets: started, cake"), ":3: the server sends no \"cake\""},
        BadFile{"EmptyPart", InStream("d1 gets: started,"), ":3: the server sends no \"\""},
        BadFile{"UnknownStarted", InStream("d1 gets: started twice"), ":3: `started` knows no \"twice\""},
        BadFile{"UnknownResult", InStream("d1 gets: results e1=FINE"), ":3: \"FINE\" is neither"},
        BadFile{"UnknownReason", InStream("d1 gets: rebuild FOR_FUN"), ":3: \"FOR_FUN\" is no reason"},
        BadFile{"ChangesWithoutToken", InStream("d1 gets: changes +v1"), ":3: the token is missing"},
        BadFile{"ChangesWithoutSign", InStream("d1 gets: changes v1 as t1"), ":3: \"v1\" is neither"},
        BadFile{"CaughtUpWithRecords", InStream("d1 gets: caught_up +v1 as t1"), ":3: `caught_up` knows no"},
        BadFile{"TokenGivenTwice", InStream("d1 gets: changes +c1 as t1, caught_up as t1"), ":3: t1 was given before"},
        BadFile{"TokenNeverGiven", InStream("d1 acks t1"), ":3: t1 was not given yet"},
        BadFile{"StartWithTokenNeverGiven", "## one: A scenario.\nd1 of c1 starts STANDARD with token t1\n",
                ":2: t1 was not given yet"},
        BadFile{"StartWithoutToken", "## one: A scenario.\nd1 of c1 starts STANDARD with follow\n",
                ":2: say with which token"},
        BadFile{"UnknownSync", "## one: A scenario.\nd1 of c1 starts FAST with token none\n",
                ":2: \"FAST\" is no kind"},
        BadFile{"UnknownOption", "## one: A scenario.\nd1 of c1 starts STANDARD with token none, music\n",
                ":2: `starts` knows no \"music\""},
        BadFile{"NoSuchName", InStream("d1 gets: changes +x1 as t1"), ":3: \"x1\" is no name"},
        BadFile{"NameWithLeadingZero", InStream("d1 gets: changes +v01 as t1"), ":3: \"v01\" is no name"},
        BadFile{"RangeBackwards", InStream("d1 gets: changes +v9..v1 as t1"), ":3: \"v9..v1\" is no range"},
        BadFile{"RangeOfTwoKinds", InStream("d1 gets: changes +v1..p9 as t1"), ":3: \"v1..p9\" is no range"},
        BadFile{"RangeWithoutEnd", InStream("d1 gets: changes +v1..v100000000 as t1"), "is no range"},
        BadFile{"UploadNeverRecorded", InStream("d1 uploads e1"), ":3: e1 was not recorded"},
        BadFile{"RecordOfAnEventNeverRecorded", InStream("d1 gets: changes +e1 as t1"), ":3: e1 was not recorded"},
        BadFile{"RecordedTwice", "## one: A scenario.\nd1 of c1 records e1 e1 on v1\n", ":2: e1 was recorded before"},
        BadFile{"RecordedOnNothing", "## one: A scenario.\nd1 of c1 records e1\n", ":2: \"\" is no name such as v1"},
        BadFile{"CompleteWithoutTheServiceUserOfAVisit", InStream("d1 gets: changes +c1 +v1 as t1, caught_up as t2"),
                ":3: the copy is complete with v1 and without p1"},
        BadFile{"CompleteWithoutTheCarerOfAVisit", InStream("d1 gets: changes +c2 +p1 +v1 as t1, caught_up as t2"),
                ":3: the copy is complete with v1 and without c1"},
        BadFile{"CompleteWithoutTheServiceUserOfAPlan", InStream("d1 gets: changes +a1 as t1, caught_up as t2"),
                ":3: the copy is complete with a1 and without p1"},
        BadFile{"CompleteWithoutTheVisitOfAnEvent",
                absl::StrCat("## one: A scenario.\nd1 of c1 records e1 on v1\n",
                             "d1 of c1 starts STANDARD with token none\n",
                             "d1 gets: changes +e1 as t1, caught_up as t2\n", kEnd),
                ":4: the copy is complete with e1 and without v1"},
        BadFile{"CompleteAfterARemoval",
                InStream("d1 gets: changes +c1 +p1 +v1 as t1, caught_up as t2\nd1 gets: changes -p1 as t3, "
                         "caught_up as t4"),
                ":4: the copy is complete with v1 and without p1"},
        BadFile{"NewCopyThatLeansOnTheOldOne",
                InStream("d1 gets: changes +c1 +p1 +v1 as t1, caught_up as t2\nd1 gets: rebuild EXPIRED, changes +c1 "
                         "+v1 as t3, caught_up as t4"),
                ":4: the copy is complete with v1 and without p1"},
        BadFile{"CompleteAfterOneOfTheTokens",
                absl::StrCat(kStart, "d1 gets: changes +c1 as t1\nd1 gets: changes +p1 as t2\n", kEnd,
                             "d1 of c1 starts STANDARD with token t1 or t2\n",
                             "d1 gets: changes +v1 as t3, caught_up as t4\n", kEnd),
                ":7: the copy is complete with v1 and without p1"},
        BadFile{"NextVisitBeforeItsServiceUser", InStream("d1 gets: next_visits +c1 +v1 +p1 as t1"),
                ":3: v1 comes before p1"},
        BadFile{"NextVisitBeforeItsCarer", InStream("d1 gets: next_visits +p1 +v1 +c1 as t1"),
                ":3: v1 comes before c1"},
        BadFile{"TokenOfASyncThatMayBeRefused",
                absl::StrCat("## one: A scenario.\nd1 of c1 starts CLEAN or refuses with token none\n",
                             "d1 gets: caught_up as t1\n", kEnd, "d1 of c1 starts STANDARD with token t1\n"),
                ":5: t1 was not given yet"},
        BadFile{"UnknownEnding", InStream("d1 is told: GO_HOME"), ":3: no stream ends with \"GO_HOME\""},
        BadFile{"UnknownNotice", InStream("d1 gets: notice hello"), ":3: there is no notice \"hello\""},
        BadFile{"TimeWithoutUnit", InStream("d1 gets: notice going_away 2"), ":3: give a time"}),
    [](const ::testing::TestParamInfo<BadFile>& info) { return info.param.what; });

TEST(AllScenarios, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Scenario& scenario : AllScenarios()) EXPECT_TRUE(names.insert(scenario.name).second) << scenario.name;
  EXPECT_GE(names.size(), 30u);
}

TEST(AllScenarios, ShowOneRuleEachAtLeast) {
  for (const Scenario& scenario : AllScenarios())
    EXPECT_THAT(scenario.RulesShown(), ::testing::Not(IsEmpty())) << scenario.name;
}

}  // namespace
}  // namespace caresync::cli::check

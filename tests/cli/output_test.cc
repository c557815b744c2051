#include "tools/caresync/output.h"

#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

TEST(FormatTable, AlignsColumnsByTheirWidestCellWithoutTrailingSpaces) {
  EXPECT_EQ(FormatTable({"A", "Name"}, {{"long cell", "x"}, {"y", "Ann"}}, false),
            "A          Name\n"
            "long cell  x\n"
            "y          Ann\n");
}

TEST(FormatTable, CountsCharactersAndNotBytes) {
  EXPECT_EQ(FormatTable({"Name", "B"}, {{"Renée", "1"}, {"Anna!", "2"}}, false),
            "Name   B\n"
            "Renée  1\n"
            "Anna!  2\n");
}

TEST(FormatTable, ColoursOnlyWhereAsked) {
  EXPECT_EQ(FormatTable({"A"}, {{Cell("x", Colour::kGreen)}}, false), "A\nx\n");
  EXPECT_EQ(FormatTable({"A"}, {{Cell("x", Colour::kGreen)}}, true), "\x1b[1mA\x1b[0m\n\x1b[32mx\x1b[0m\n");
}

TEST(FormatTable, ControlCharactersOfNamesDoNotReachTheTerminal) {
  EXPECT_EQ(FormatTable({"A"}, {{"\x1b[2Jx\n"}}, false), "A\n?[2Jx?\n");
}

TEST(FormatTable, WrapsItsWidestColumnsAtWordsWhereItWouldBeWiderThanItIsToBe) {
  const std::vector<std::vector<Cell>> rows = {{"Pixel 6", "behind", "Ask Ann for a sync"}, {"Pixel 4", "current", ""}};
  EXPECT_EQ(FormatTable({"Device", "State", "Advice"}, rows, Look(false, 26)),
            "Device   State    Advice\n"
            "Pixel 6  behind   Ask Ann\n"
            "                  for a\n"
            "                  sync\n"
            "Pixel 4  current\n");
  EXPECT_EQ(FormatTable({"Device", "State", "Advice"}, rows, Look(false, 36)),
            FormatTable({"Device", "State", "Advice"}, rows, false))
      << "it fits";
}

TEST(FormatTable, BreaksNoWordHoweverNarrowItIsToBe) {
  EXPECT_EQ(FormatTable({"UUID", "B"},
                        {{"5e000000-0000",
                          "Ren\xC3\xA9"
                          "e Ann"}},
                        Look(false, 4)),
            "UUID           B\n"
            "5e000000-0000  Ren\xC3\xA9"
            "e\n"
            "               Ann\n");
}

TEST(FormatTable, ColoursEachLineOfACellAndNoLineWithoutIt) {
  EXPECT_EQ(FormatTable({"A", "B"}, {{Cell("x y", Colour::kRed), "one two three"}}, Look(true, 7)),
            "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n"
            "\x1b[31mx\x1b[0m  one\n"
            "\x1b[31my\x1b[0m  two\n"
            "   three\n");
}

TEST(Printable, ReplacesControlCharactersOfEitherLengthAndNothingElse) {
  EXPECT_EQ(Printable("a\x1b[2J\r\n\x7f\tb"), "a?[2J????b");
  // U+009B steers terminals as ESC [ does; U+00A0 and the e of Renee do not.
  EXPECT_EQ(Printable("\xC2\x9B"
                      "2J Ren\xC3\xA9"
                      "e \xC2\xA0 \xC2"),
            "?2J Ren\xC3\xA9"
            "e \xC2\xA0 \xC2");
}

TEST(IsoTime, KeepsAFractionOnlyWhereThereIsOne) {
  EXPECT_EQ(IsoTime(absl::FromUnixSeconds(1'795'244'520)), "2026-11-21T07:02:00Z");
  EXPECT_EQ(IsoTime(absl::FromUnixMillis(1'795'244'520'500)), "2026-11-21T07:02:00.5Z");
}

TEST(SizeText, IsShort) {
  EXPECT_EQ(SizeText(0), "0 B");
  EXPECT_EQ(SizeText(1023), "1023 B");
  EXPECT_EQ(SizeText(uint64_t{160} * 1024), "160 KiB");
  EXPECT_EQ(SizeText(uint64_t{5'557'452}), "5.3 MiB");
}

}  // namespace
}  // namespace caresync::cli

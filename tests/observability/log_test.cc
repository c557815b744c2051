#include "observability/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace caresync::observability {
namespace {

using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

TEST(Log, ALineHasTimeLevelEventAndFields) {
  CaptureStderr();
  Log(Level::kInfo, "sync_recorded", {{"tenant", "acme"}, {"visits", 7}, {"view", std::string_view("v")}});
  EXPECT_THAT(GetCapturedStderr(),
              ::testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z info sync_recorded "
                                      "tenant=acme visits=7 view=v\n"));
}

TEST(Log, ValuesThatCouldPassForSomethingElseAreQuotedAndEscaped) {
  CaptureStderr();
  Log(Level::kWarning, "e", {{"a", "x y"}, {"b", "1\n2"}, {"c", "\"\\"}, {"d", ""}, {"e", "k=v"}, {"f", "\x01"}});
  EXPECT_THAT(GetCapturedStderr(), EndsWith(R"( e a="x y" b="1\n2" c="\"\\" d="" e="k=v" f="\x01")"
                                            "\n"));
}

TEST(Log, WhatIsNotAsciiIsWrittenAsBytes) {
  CaptureStderr();
  // A broken character, one that ends a line for some readers (U+0085, U+2028), and a sound one.
  Log(Level::kInfo, "e", {{"a", "\xC3"}, {"b", "\xC2\x85"}, {"c", "\xE2\x80\xA8"}, {"d", "\xC3\xA9"}});
  EXPECT_THAT(GetCapturedStderr(), EndsWith(R"( e a="\xc3" b="\xc2\x85" c="\xe2\x80\xa8" d="\xc3\xa9")"
                                            "\n"));
}

TEST(Log, AValueIsCutAtItsBound) {
  CaptureStderr();
  Log(Level::kError, "e", {{"a", std::string(5'000, 'x')}});
  EXPECT_LT(GetCapturedStderr().size(), 1'100u);
}

TEST(Log, EventsBelowTheLevelAreNotWritten) {
  CaptureStderr();
  Log(Level::kDebug, "hidden");
  SetLevel(Level::kError);
  Log(Level::kWarning, "hidden");
  SetLevel(Level::kDebug);
  Log(Level::kDebug, "shown");
  SetLevel(Level::kInfo);
  EXPECT_THAT(GetCapturedStderr(), EndsWith("debug shown\n"));
  CaptureStderr();
  Log(Level::kDebug, "hidden");
  EXPECT_THAT(GetCapturedStderr(), IsEmpty());
}

TEST(Log, BracesInAnEventAreText) {
  CaptureStderr();
  Log(Level::kInfo, "e", {{"a", "{}"}});
  EXPECT_THAT(GetCapturedStderr(), EndsWith(" e a={}\n"));
}

}  // namespace
}  // namespace caresync::observability

#include "server/base/app_version.h"

#include <gtest/gtest.h>

namespace caresync::base {
namespace {

TEST(AppVersion, IsUpToFourNumbersPartedByDots) {
  for (const char* text : {"0", "4", "4.2", "4.2.0", "2026.3.2.117", "007", "999999999"}) {
    EXPECT_TRUE(IsAppVersion(text)) << text;
  }
  for (const char* text :
       {"", ".", "4.", ".4", "4..2", "v4", "4.2-beta", "4.2 ", "1.2.3.4.5", "1000000000", "-1", "4,2"}) {
    EXPECT_FALSE(IsAppVersion(text)) << text;
  }
}

TEST(AppVersion, IsComparedNumberByNumber) {
  EXPECT_TRUE(IsOlderApp("4.9", "4.10"));
  EXPECT_FALSE(IsOlderApp("4.10", "4.9"));
  EXPECT_FALSE(IsOlderApp("4.10", "4.10"));
  EXPECT_FALSE(IsOlderApp("4.10", "4.10.0"));
  EXPECT_TRUE(IsOlderApp("4.10", "4.10.0.1"));
  EXPECT_FALSE(IsOlderApp("10", "9.9.9.9"));
}

TEST(AppVersion, TheNumbersAtTheBeginningOfAnAppsVersionCount) {
  EXPECT_FALSE(IsOlderApp("2.10.3-beta (45)", "2.10.3"));
  EXPECT_TRUE(IsOlderApp("2.10.2-beta.9", "2.10.3"));
  EXPECT_FALSE(IsOlderApp("1.2.3.4.5", "1.2.3.4"));
  EXPECT_TRUE(IsOlderApp("dev", "0.0.1"));
  EXPECT_TRUE(IsOlderApp("", "1"));
  EXPECT_TRUE(IsOlderApp("99999999999999999999", "1"));
}

TEST(AppVersion, WithoutALeastOneNoAppIsTooOld) {
  EXPECT_FALSE(IsOlderApp("", ""));
  EXPECT_FALSE(IsOlderApp("dev", ""));
  EXPECT_FALSE(IsOlderApp("0.0.1", ""));
}

}  // namespace
}  // namespace caresync::base

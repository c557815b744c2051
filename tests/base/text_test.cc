#include "server/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace caresync::base {
namespace {

TEST(Text, CountsCodePoints) {
  EXPECT_EQ(CountCharacters(""), 0u);
  EXPECT_EQ(CountCharacters("abc"), 3u);
  EXPECT_EQ(CountCharacters(std::string("a\0b", 3)), 3u);
  // One of each length: U+0041, U+00E9, U+20AC, U+1F48A; and the last there is, U+10FFFF.
  EXPECT_EQ(CountCharacters("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x92\x8A\xF4\x8F\xBF\xBF"), 5u);
}

TEST(Text, RefusesWhatIsNotUtf8) {
  for (const std::string& text : {
           std::string("\x80"),              // A continuation alone.
           std::string("\xC3"),              // Cut off.
           std::string("\xE2\x82"),          // Cut off.
           std::string("\xC3("),             // No continuation.
           std::string("\xE2\x82("),         // No continuation at the end.
           std::string("\xC0\x80"),          // A longer form of U+0000.
           std::string("\xE0\x9F\xBF"),      // A longer form of U+07FF.
           std::string("\xF0\x8F\xBF\xBF"),  // A longer form of U+FFFF.
           std::string("\xED\xA0\x80"),      // A surrogate.
           std::string("\xF4\x90\x80\x80"),  // U+110000.
           std::string("\xFF"),
       }) {
    EXPECT_FALSE(CountCharacters(text).has_value()) << testing::PrintToString(text);
  }
}

TEST(Text, FindsControlCharacters) {
  EXPECT_FALSE(HasControlCharacters("A plain name, \xC3\xA9\xE2\x82\xAC\xC2\xA0"));
  for (const std::string& text : {std::string("\0", 1), std::string("a\n"), std::string("\x1F"), std::string("\x7F"),
                                  std::string("\xC2\x80"), std::string("a\xC2\x9F")}) {
    EXPECT_TRUE(HasControlCharacters(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace caresync::base

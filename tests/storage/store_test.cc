#include "storage/store.h"

#include <gtest/gtest.h>

namespace caresync::storage {
namespace {

TEST(PrefixRange, EndsBeforeTheNextKeyThatDoesNotBeginWithThePrefix) {
  EXPECT_EQ(PrefixRange("ab").begin, "ab");
  EXPECT_EQ(PrefixRange("ab").end, "ac");
}

TEST(PrefixRange, CarriesOverBytesThatCannotGrow) { EXPECT_EQ(PrefixRange("a\xFF\xFF").end, "b"); }

TEST(PrefixRange, GrowsBytesAbove127) { EXPECT_EQ(PrefixRange("\x7F").end, "\x80"); }

TEST(PrefixRange, HasNoEndWhereNothingLiesAbove) {
  EXPECT_EQ(PrefixRange("").end, "");
  EXPECT_EQ(PrefixRange("\xFF\xFF").end, "");
}

}  // namespace
}  // namespace caresync::storage

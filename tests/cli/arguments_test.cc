#include "tools/caresync/arguments.h"

#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

TEST(NotEmpty, RefusesWhatAVariableThatWasNeverSetGives) {
  EXPECT_NE(NotEmpty(""), "");
  EXPECT_NE(NotEmpty(" \t"), "");
  EXPECT_EQ(NotEmpty("003-rome/c1"), "");
  EXPECT_EQ(NotEmpty(" a"), "");
}

}  // namespace
}  // namespace caresync::cli

#include "tools/caresync/arguments.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"

namespace caresync::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NotEmpty, RefusesWhatAVariableThatWasNeverSetGives) {
  EXPECT_NE(NotEmpty(""), "");
  EXPECT_NE(NotEmpty(" \t"), "");
  EXPECT_EQ(NotEmpty("003-rome/c1"), "");
  EXPECT_EQ(NotEmpty(" a"), "");
}

TEST(IsToken, RefusesWhatNoHeaderMayHoldAndDoesNotRepeatIt) {
  const std::string token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl_-";
  EXPECT_EQ(IsToken(token), "");
  EXPECT_EQ(IsToken(std::string(base::limits::kTokenBytes, 'a')), "");
  EXPECT_THAT(IsToken(token + "\n"), AllOf(HasSubstr("line break"), Not(HasSubstr(token))));
  for (const std::string& wrong :
       {std::string(), std::string(" "), token + "\r\n", token + " " + token, token + "\t.", std::string("a\0b", 3),
        std::string("caf\xC3\xA9"), std::string(base::limits::kTokenBytes + 1, 'a')}) {
    EXPECT_NE(IsToken(wrong), "") << wrong;
  }
}

TEST(IsUtf8, RefusesWhatTheContractsTextsCannotHold) {
  EXPECT_EQ(IsUtf8("Ren\xC3\xA9"), "");
  EXPECT_EQ(IsUtf8(""), "");
  EXPECT_THAT(IsUtf8("Caf\xE9"), HasSubstr("UTF-8"));
}

TEST(IsServer, RefusesAMissingAndAnImpossiblePort) {
  EXPECT_EQ(IsServer("127.0.0.1:7443"), "");
  for (const char* wrong : {"127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "http://127.0.0.1:7443"}) {
    EXPECT_THAT(IsServer(wrong), HasSubstr(wrong));
  }
}

TEST(IsNote, RefusesWhatTheServerWouldPutToReview) {
  EXPECT_EQ(IsNote("Had breakfast\nand lunch"), "");
  std::string longest;
  for (size_t i = 0; i < base::limits::kNoteCharacters; ++i) longest += "\xC3\xA9";
  EXPECT_EQ(IsNote(longest), "");
  for (const std::string& wrong : {std::string(), std::string("\n"), std::string("Had breakfast\n"),
                                   std::string("\x1b[2J"), std::string("a\xFF"), longest + "e"}) {
    EXPECT_NE(IsNote(wrong), "") << wrong;
  }
}

}  // namespace
}  // namespace caresync::cli

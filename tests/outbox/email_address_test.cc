#include "server/outbox/email_address.h"

#include <gtest/gtest.h>

#include <string>

namespace caresync::outbox {
namespace {

TEST(EmailAddress, IsALocalPartAndADomain) {
  for (const std::string right :
       {"office@example.org", "a.b+c_d-e@sub.example.co.uk", "o'neil@example.org", "1@2.example"}) {
    EXPECT_TRUE(IsEmailAddress(right)) << right;
  }
  for (const std::string wrong :
       {"", "office", "@example.org", "office@", "office@example", "office@.org", "office@example..org",
        "office@-example.org", "a..b@example.org", ".a@example.org", "a.@example.org", "a@b@example.org"}) {
    EXPECT_FALSE(IsEmailAddress(wrong)) << wrong;
  }
  EXPECT_TRUE(IsEmailAddress(std::string(64, 'a') + "@example.org"));
  EXPECT_FALSE(IsEmailAddress(std::string(65, 'a') + "@example.org"));
}

TEST(EmailAddress, HoldsNothingThatEndsALineOrAddsAnother) {
  for (const std::string wrong :
       {"office@example.org\r\nBcc: x@example.org", "office@example.org,x@example.org", "Office <office@example.org>",
        "office @example.org", "\"a b\"@example.org", "office@example.org>", "office@[127.0.0.1]",
        "b\xc3\xbcro@example.org", "office@example.org\n"}) {
    EXPECT_FALSE(IsEmailAddress(wrong)) << wrong;
  }
  EXPECT_FALSE(IsEmailAddress(std::string("office@exam\0ple.org", 19)));
}

}  // namespace
}  // namespace caresync::outbox

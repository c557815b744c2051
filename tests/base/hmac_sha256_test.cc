#include "server/base/hmac_sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"

namespace caresync::base {
namespace {

// RFC 4231, test cases 1 and 2.
TEST(HmacSha256, IsWhatTheStandardSays) {
  EXPECT_EQ(absl::BytesToHexString(HmacSha256(std::string(20, '\x0b')).Of("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(absl::BytesToHexString(HmacSha256("Jefe").Of("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(HmacSha256, EachTagIsOfItsOwnBytes) {
  const HmacSha256 hmac("a key");
  const std::string first = hmac.Of("one");
  EXPECT_NE(hmac.Of("another"), first);
  EXPECT_EQ(hmac.Of("one"), first);
}

}  // namespace
}  // namespace caresync::base

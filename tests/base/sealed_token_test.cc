#include "server/base/sealed_token.h"

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace caresync::base {
namespace {

const TokenSealer kSealer(std::string(32, 'k'));

// Devices keep tokens for months: a later server must open what an earlier one sealed. The tag by Python's hmac.
TEST(SealedToken, HasTheTagOfRfc2104OverPurposeScopeAndContent) {
  const std::string token = kSealer.Seal("resume", "acme", "content");
  EXPECT_EQ(absl::BytesToHexString(token.substr(0, 16)), "3825a66283d3f38d70476a4060936a0b");
  EXPECT_EQ(token.substr(16), "content");
  EXPECT_EQ(kSealer.Seal("resume", "acme", "content"), token);
}

TEST(SealedToken, OpensOnlyWithWhatItWasSealedWith) {
  const std::string token = kSealer.Seal("resume", "acme", "content");
  EXPECT_EQ(kSealer.Open("resume", "acme", token), "content");
  EXPECT_EQ(kSealer.Open("uploads", "acme", token), std::nullopt);
  EXPECT_EQ(kSealer.Open("resume", "other", token), std::nullopt);
  EXPECT_EQ(TokenSealer(std::string(32, 'x')).Open("resume", "acme", token), std::nullopt);
  EXPECT_EQ(kSealer.Open("resume", "acme", token + "x"), std::nullopt);
  EXPECT_EQ(kSealer.Open("resume", "acme", token.substr(0, 15)), std::nullopt);
}

}  // namespace
}  // namespace caresync::base

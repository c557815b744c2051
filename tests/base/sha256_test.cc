#include "server/base/sha256.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace caresync::base {
namespace {

// The examples of FIPS 180-2.
TEST(Sha256, IsTheStandardOne) {
  EXPECT_EQ(absl::BytesToHexString(Sha256Of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(absl::BytesToHexString(Sha256Of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, OfPartsIsThatOfTheWhole) {
  EXPECT_EQ(Sha256().Add("a").Add("").Add("bc").Finish(), Sha256Of("abc"));
  EXPECT_EQ(Sha256().AddBigEndian(0x61626364).Finish(), Sha256Of("abcd"));
}

}  // namespace
}  // namespace caresync::base

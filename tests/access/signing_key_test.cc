#include "server/access/signing_key.h"

#include <sys/stat.h>

#include <fstream>

#include "gtest/gtest.h"
#include "server/access/token_verifier.h"
#include "server/base/errors.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::access {
namespace {

TEST(SigningKey, IsMadeOnceAndReadableByItsOwnerOnly) {
  const fakes::TemporaryDirectory folder;
  const std::string file = folder / "key.json";
  fakes::ManualClock clock;
  const auto made = SigningKey::OpenOrCreate(file);
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat properties {};
  ASSERT_EQ(stat(file.c_str(), &properties), 0);
  EXPECT_EQ(properties.st_mode & 0777, 0600);

  Identity identity{
      .role = Role::kOperator, .tenant = {}, .subject = "ops", .device = {}, .expires = clock.Now() + absl::Hours(1)};
  const auto token = (*made)->Mint(identity, clock.Now());
  ASSERT_TRUE(token.ok()) << token.status();
  const auto opened = SigningKey::OpenOrCreate(file);
  ASSERT_TRUE(opened.ok()) << opened.status();
  TokenVerifier verifier(*opened, clock);
  EXPECT_TRUE(verifier.Verify("Bearer " + *token).status.ok());
}

TEST(SigningKey, SaysThatItIsMissing) {
  const fakes::TemporaryDirectory folder;
  const auto opened = SigningKey::Open(folder / "key.json");
  EXPECT_EQ(base::Reason(opened.status()), "SIGNING_KEY_MISSING");
  EXPECT_TRUE(absl::IsNotFound(opened.status()));
}

class UnusableKey : public testing::TestWithParam<std::string> {};

TEST_P(UnusableKey, IsRefusedAndLeftAsItIs) {
  const fakes::TemporaryDirectory folder;
  const std::string file = folder / "key.json";
  std::ofstream(file) << GetParam();
  const auto opened = SigningKey::OpenOrCreate(file);
  EXPECT_EQ(base::Reason(opened.status()), "SIGNING_KEY_NOT_USABLE") << opened.status();
  std::ifstream stream(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Files, UnusableKey,
                         testing::Values("", "{", "[]", R"({"kty":"oct","k":"AAAA"})",
                                         R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})",
                                         R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"})",
                                         std::string(20'000, 'x')));

TEST(SigningKey, ThatOthersThanItsOwnerHaveARightToIsRefused) {
  const fakes::TemporaryDirectory folder;
  const std::string file = folder / "key.json";
  ASSERT_TRUE(SigningKey::OpenOrCreate(file).ok());
  for (const mode_t mode : {0640, 0604, 0620}) {
    ASSERT_EQ(chmod(file.c_str(), mode), 0);
    EXPECT_EQ(base::Reason(SigningKey::Open(file).status()), "SIGNING_KEY_READABLE_BY_OTHERS") << mode;
  }
  ASSERT_EQ(chmod(file.c_str(), 0400), 0);
  EXPECT_TRUE(SigningKey::Open(file).ok());
}

TEST(SigningKey, MintsNoTokenThatLivesTooLong) {
  const fakes::TemporaryDirectory folder;
  const fakes::ManualClock clock;
  const auto key = SigningKey::OpenOrCreate(folder / "key.json");
  ASSERT_TRUE(key.ok()) << key.status();
  Identity identity{.role = Role::kOperator,
                    .tenant = {},
                    .subject = "ops",
                    .device = {},
                    .expires = clock.Now() + absl::Hours(24 * 400)};
  EXPECT_EQ(base::Reason((*key)->Mint(identity, clock.Now()).status()), "INVALID_FIELD");
}

TEST(SigningKey, MintsNoTokenForASubjectThatIsNotUtf8) {
  const fakes::TemporaryDirectory folder;
  const fakes::ManualClock clock;
  const auto key = SigningKey::OpenOrCreate(folder / "key.json");
  ASSERT_TRUE(key.ok()) << key.status();
  Identity identity{
      .role = Role::kOperator, .tenant = {}, .subject = "\xff", .device = {}, .expires = clock.Now() + absl::Hours(1)};
  EXPECT_EQ(base::Reason((*key)->Mint(identity, clock.Now()).status()), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::access

#include "tools/caresync/token_claims.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string TokenOf(const std::string& claims) {
  return absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"ES256"})"), ".", absl::WebSafeBase64Escape(claims),
                      ".c2lnbmF0dXJl");
}

std::string AgencysToken() { return TokenOf(R"({"tenant":"other","role":"administrator","sub":"ann"})"); }

class SettleTenantTest : public testing::Test {
 protected:
  SettleTenantTest() { unsetenv("CARESYNC_TENANT"); }
  ~SettleTenantTest() override { unsetenv("CARESYNC_TENANT"); }

  static Options With(const std::string& tenant, const std::string& token) {
    Options options;
    options.tenant = tenant;
    options.token = token;
    return options;
  }
};

TEST(ReadUnverified, TakesTheClaimsWhoeverSignedThem) {
  const TokenClaims claims = ReadUnverified(AgencysToken());
  EXPECT_EQ(claims.tenant, "other");
  EXPECT_EQ(claims.role, "administrator");
  EXPECT_EQ(claims.subject, "ann");
}

TEST(ReadUnverified, SaysNothingOfWhatIsNoToken) {
  for (const std::string& token :
       {std::string(), std::string("check-first_copy"), std::string("a.b"), std::string("..."), std::string("a.!!.c"),
        TokenOf("no JSON"), TokenOf("[1]"), TokenOf(R"({"tenant":7})"), TokenOf("{}")}) {
    const TokenClaims claims = ReadUnverified(token);
    EXPECT_EQ(claims.tenant + claims.role + claims.subject, "") << token;
  }
}

TEST_F(SettleTenantTest, WithoutOneTheTokensTenantIsTheCommands) {
  Options options = With("", AgencysToken());
  ASSERT_TRUE(SettleTenant(options).ok());
  EXPECT_EQ(options.tenant, "other");
}

TEST_F(SettleTenantTest, AnotherTenantThanTheTokensIsRefusedByBothNames) {
  Options options = With("demo", AgencysToken());
  const absl::Status refused = SettleTenant(options);
  EXPECT_TRUE(IsUsageError(refused));
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("--tenant says demo"), HasSubstr("of tenant other")));
}

TEST_F(SettleTenantTest, OneOfTheEnvironmentIsRefusedAndSaysHowToUnsetIt) {
  setenv("CARESYNC_TENANT", "demo", 1);
  Options options = With("demo", AgencysToken());
  const absl::Status refused = SettleTenant(options);
  EXPECT_TRUE(IsUsageError(refused));
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("CARESYNC_TENANT says demo"), HasSubstr("of tenant other"),
                                       HasSubstr("unset CARESYNC_TENANT")));
  // Whoever names the token's tenant means it.
  Options named = With("other", AgencysToken());
  EXPECT_TRUE(SettleTenant(named).ok());
}

TEST_F(SettleTenantTest, ATokenThatNamesNoneLeavesTheTenantAsItIs) {
  for (const std::string& token :
       {std::string(), std::string("check-first_copy"), TokenOf(R"({"role":"operator","sub":"o"})")}) {
    Options options = With("demo", token);
    EXPECT_TRUE(SettleTenant(options).ok()) << token;
    EXPECT_EQ(options.tenant, "demo") << token;
  }
}

TEST(SourceOf, IsTheTokensAndNoOther) {
  Options options;
  EXPECT_EQ(SourceOf(options, std::nullopt).value(), "rota-import");
  EXPECT_EQ(SourceOf(options, "other-source").value(), "other-source");
  options.token = TokenOf(R"({"tenant":"demo","role":"rostering","sub":"carefirst"})");
  EXPECT_EQ(SourceOf(options, std::nullopt).value(), "carefirst");
  EXPECT_EQ(SourceOf(options, "carefirst").value(), "carefirst");
  const absl::StatusOr<std::string> refused = SourceOf(options, "other-source");
  EXPECT_TRUE(IsUsageError(refused.status()));
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr("other-source"), HasSubstr("carefirst")));
  // The server says that it is not the rostering system's.
  options.token = AgencysToken();
  EXPECT_EQ(SourceOf(options, "other-source").value(), "other-source");
}

}  // namespace
}  // namespace caresync::cli

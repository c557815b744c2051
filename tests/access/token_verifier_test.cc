#include "server/access/token_verifier.h"

#include <cjose/cjose.h>

#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::access {
namespace {

using nlohmann::json;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kCarer[] = "b7a1f0c2-1d2e-4f3a-8b4c-5d6e7f8091a2";

std::string Base64(const std::string& text) {
  std::string encoded;
  absl::WebSafeBase64Escape(text, &encoded);
  return encoded;
}

class TokenVerifierTest : public testing::Test {
 protected:
  TokenVerifierTest() : verifier_(*SigningKey::OpenOrCreate(folder_ / "key.json"), clock_) {
    std::ifstream stream(folder_ / "key.json");
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    cjose_err error;
    jwk_ = cjose_jwk_import(text.data(), text.size(), &error);
  }
  ~TokenVerifierTest() override { cjose_jwk_release(jwk_); }

  json CarerClaims() const {
    return {{"iss", "caresync"}, {"sub", kCarer},     {"role", "carer"},
            {"tenant", "acme"},  {"device", kDevice}, {"exp", absl::ToUnixSeconds(clock_.Now() + absl::Hours(1))}};
  }

  // Signed by the server's key, whatever it says.
  std::string Sign(const std::string& claims, const json& extra_header = json::object()) const {
    cjose_err error;
    cjose_header_t* header = cjose_header_new(&error);
    cjose_header_set(header, "alg", "ES256", &error);
    for (const auto& [name, value] : extra_header.items()) {
      cjose_header_set_raw(header, name.c_str(), value.dump().c_str(), &error);
    }
    cjose_jws_t* jws =
        cjose_jws_sign(jwk_, header, reinterpret_cast<const uint8_t*>(claims.data()), claims.size(), &error);
    const char* text = nullptr;
    cjose_jws_export(jws, &text, &error);
    std::string token = text;
    cjose_jws_release(jws);
    cjose_header_release(header);
    return token;
  }

  Verified Verify(const json& claims) { return verifier_.Verify("Bearer " + Sign(claims.dump())); }
  std::string ReasonFor(const json& claims) { return base::Reason(Verify(claims).status); }

  fakes::TemporaryDirectory folder_;
  fakes::ManualClock clock_;
  TokenVerifier verifier_;
  cjose_jwk_t* jwk_ = nullptr;
};

TEST_F(TokenVerifierTest, ReadsWhoIsCalling) {
  const Verified verified = Verify(CarerClaims());
  ASSERT_TRUE(verified.status.ok()) << verified.status;
  EXPECT_EQ(verified.identity->role, Role::kCarer);
  EXPECT_EQ(verified.identity->tenant.text(), "acme");
  EXPECT_EQ(verified.identity->subject, kCarer);
  EXPECT_EQ(verified.identity->device->ToString(), kDevice);
}

TEST_F(TokenVerifierTest, TakesTheSchemeInAnyLetterCase) {
  EXPECT_TRUE(verifier_.Verify("bEARER " + Sign(CarerClaims().dump())).status.ok());
}

TEST_F(TokenVerifierTest, NamesAMissingCredential) {
  EXPECT_EQ(base::Reason(verifier_.Verify("").status), "NO_CREDENTIAL");
}

TEST_F(TokenVerifierTest, RefusesWhatIsNoToken) {
  for (const std::string text : {"Basic YTpi", "Bearer ", "Bearer x", "Bearer a.b", "Bearer a.b.c", "Bearer ....."}) {
    const Verified verified = verifier_.Verify(text);
    EXPECT_EQ(base::Reason(verified.status), "CREDENTIAL_NOT_VALID") << text;
    EXPECT_FALSE(verified.identity.has_value()) << text;
  }
  const std::string long_token(base::limits::kTokenBytes + 1, 'a');
  EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + long_token).status), "CREDENTIAL_NOT_VALID");
}

TEST_F(TokenVerifierTest, RefusesAChangedClaim) {
  const std::string token = Sign(CarerClaims().dump());
  json claims = CarerClaims();
  claims["tenant"] = "other";
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  const std::string forged = token.substr(0, first + 1) + Base64(claims.dump()) + token.substr(second);
  const Verified verified = verifier_.Verify("Bearer " + forged);
  EXPECT_EQ(base::Reason(verified.status), "CREDENTIAL_NOT_VALID");
  EXPECT_FALSE(verified.identity.has_value());
}

TEST_F(TokenVerifierTest, RefusesEveryOtherAlgorithmWhateverTheHeaderAsksFor) {
  for (const std::string alg : {"none", "HS256", "RS256", "ES384", "es256", ""}) {
    const std::string token = Base64(json({{"alg", alg}}).dump()) + "." + Base64(CarerClaims().dump()) + ".";
    EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + token).status), "CREDENTIAL_NOT_VALID") << alg;
    EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + token + Base64("signature")).status), "CREDENTIAL_NOT_VALID")
        << alg;
  }
}

TEST_F(TokenVerifierTest, RefusesCriticalHeadersThatItDoesNotKnow) {
  const std::string token = Sign(CarerClaims().dump(), {{"crit", {"exp"}}});
  EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + token).status), "CREDENTIAL_NOT_VALID");
}

TEST_F(TokenVerifierTest, RefusesATokenOfAnotherKey) {
  const auto other = SigningKey::OpenOrCreate(folder_ / "other.json");
  Identity identity{
      .role = Role::kOperator, .tenant = {}, .subject = "ops", .device = {}, .expires = clock_.Now() + absl::Hours(1)};
  const auto token = (*other)->Mint(identity, clock_.Now());
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + *token).status), "CREDENTIAL_NOT_VALID");
}

TEST_F(TokenVerifierTest, RefusesClaimsThatAreMissingOrWrong) {
  const std::vector<std::pair<std::string, json>> wrong = {
      {"iss", nullptr},  {"iss", "other"},  {"iss", 5},          {"sub", nullptr}, {"sub", ""},
      {"sub", "Ann"},    {"role", nullptr}, {"role", "king"},    {"role", 1},      {"tenant", nullptr},
      {"tenant", "A B"}, {"device", "x"},   {"device", nullptr}, {"exp", nullptr}, {"exp", "tomorrow"}};
  for (const auto& [name, value] : wrong) {
    json claims = CarerClaims();
    if (value.is_null()) {
      claims.erase(name);
    } else {
      claims[name] = value;
    }
    EXPECT_EQ(ReasonFor(claims), "CREDENTIAL_NOT_VALID") << name << " " << value;
  }
}

TEST_F(TokenVerifierTest, RefusesClaimsThatAreNoObject) {
  for (const std::string text : {"", "5", "[]", "{", "null"}) {
    EXPECT_EQ(base::Reason(verifier_.Verify("Bearer " + Sign(text)).status), "CREDENTIAL_NOT_VALID") << text;
  }
}

TEST_F(TokenVerifierTest, RefusesAnOperatorWithATenant) {
  EXPECT_EQ(ReasonFor({{"iss", "caresync"}, {"sub", "ops"}, {"role", "operator"}, {"tenant", "acme"}, {"exp", 1e11}}),
            "CREDENTIAL_NOT_VALID");
}

TEST_F(TokenVerifierTest, SaysWhoseCredentialHasExpired) {
  json claims = CarerClaims();
  claims["exp"] = absl::ToUnixSeconds(clock_.Now());
  const Verified verified = Verify(claims);
  EXPECT_EQ(base::Reason(verified.status), "CREDENTIAL_EXPIRED");
  ASSERT_TRUE(verified.identity.has_value());
  EXPECT_EQ(verified.identity->device->ToString(), kDevice);
}

TEST_F(TokenVerifierTest, SaysWhoseCredentialIsNotValidYetOrForTooLong) {
  json early = CarerClaims();
  early["nbf"] = absl::ToUnixSeconds(clock_.Now() + absl::Minutes(1));
  json lasting = CarerClaims();
  lasting["exp"] = absl::ToUnixSeconds(clock_.Now() + base::limits::kTokenLifetimeMost + absl::Hours(1));
  for (const auto& [claims, reason] :
       {std::pair(early, "CREDENTIAL_NOT_VALID"), std::pair(lasting, "CREDENTIAL_LIFETIME_TOO_LONG")}) {
    const Verified verified = Verify(claims);
    EXPECT_EQ(base::Reason(verified.status), reason);
    ASSERT_TRUE(verified.identity.has_value()) << reason;
    EXPECT_EQ(verified.identity->device->ToString(), kDevice);
  }
}

TEST_F(TokenVerifierTest, ForgetsAKnownTokenWhenItExpires) {
  const std::string authorization = "Bearer " + Sign(CarerClaims().dump());
  EXPECT_TRUE(verifier_.Verify(authorization).status.ok());
  EXPECT_TRUE(verifier_.Verify(authorization).status.ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(base::Reason(verifier_.Verify(authorization).status), "CREDENTIAL_EXPIRED");
}

TEST_F(TokenVerifierTest, KeepsNoMoreTokensThanItMayAndForgetsTheOneThatWasNotUsedForLongest) {
  TokenVerifier verifier(*SigningKey::OpenOrCreate(folder_ / "key.json"), clock_, /*most_recent=*/2);
  const auto token = [&](const std::string& id) {
    json claims = CarerClaims();
    claims["jti"] = id;
    claims["nbf"] = absl::ToUnixSeconds(clock_.Now());
    return "Bearer " + Sign(claims.dump());
  };
  const std::string first = token("1");
  const std::string second = token("2");
  const std::string third = token("3");
  for (const std::string& used : {first, second, first, third}) EXPECT_TRUE(verifier.Verify(used).status.ok());
  // None of them would be valid yet: one that is kept is not looked at again, and one that is not kept is.
  clock_.SetNow(clock_.Now() - absl::Seconds(1));
  EXPECT_TRUE(verifier.Verify(first).status.ok());
  EXPECT_TRUE(verifier.Verify(third).status.ok());
  EXPECT_EQ(base::Reason(verifier.Verify(second).status), "CREDENTIAL_NOT_VALID");
}

TEST_F(TokenVerifierTest, RefusesALifetimeThatNobodyMayGive) {
  json claims = CarerClaims();
  claims["exp"] = absl::ToUnixSeconds(clock_.Now() + base::limits::kTokenLifetimeMost);
  EXPECT_TRUE(Verify(claims).status.ok());
  claims["exp"] = absl::ToUnixSeconds(clock_.Now() + base::limits::kTokenLifetimeMost + absl::Seconds(1));
  EXPECT_EQ(ReasonFor(claims), "CREDENTIAL_LIFETIME_TOO_LONG");
  for (const double far : {1e11, 1e300}) {
    claims["exp"] = far;
    EXPECT_EQ(ReasonFor(claims), "CREDENTIAL_LIFETIME_TOO_LONG") << far;
  }
}

TEST_F(TokenVerifierTest, WaitsForNotBefore) {
  json claims = CarerClaims();
  claims["nbf"] = absl::ToUnixSeconds(clock_.Now() + absl::Minutes(1));
  EXPECT_EQ(ReasonFor(claims), "CREDENTIAL_NOT_VALID");
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Verify(claims).status.ok());
}

}  // namespace
}  // namespace caresync::access

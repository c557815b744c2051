#include "server/sync/resume_token.h"

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "tests/fakes/engine.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");

class ResumeTokenTest : public testing::Test {
 protected:
  static ResumeToken Token() {
    return {.device = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111"),
            .carer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222"),
            .data_level = 3,
            .cursor = {"timeline", 41},
            .position = {40, {std::string("key\0with zero", 13)}},
            .rebuild_number = 7,
            .rebuild_began = std::nullopt};
  }

  void ExpectNotValid(const base::TokenSealer& sealer, const base::TenantId& tenant, const std::string& sealed) {
    const absl::StatusOr<ResumeToken> opened = OpenToken(sealer, tenant, sealed);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(base::Reason(opened.status()), "TOKEN_NOT_VALID");
  }

  base::TokenSealer sealer_{std::string(32, 'k')};
};

TEST_F(ResumeTokenTest, OpensAsItWasSealed) {
  const absl::StatusOr<ResumeToken> opened = OpenToken(sealer_, kTenant, SealToken(sealer_, kTenant, Token()));
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*opened, Token());
}

TEST_F(ResumeTokenTest, KeepsARebuildThatBeganBeforeTheFirstCommit) {
  ResumeToken token = Token();
  token.rebuild_began = 0;
  const absl::StatusOr<ResumeToken> opened = OpenToken(sealer_, kTenant, SealToken(sealer_, kTenant, token));
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->rebuild_began, 0u);
}

TEST_F(ResumeTokenTest, OfAnotherTenantIsNotValid) {
  ExpectNotValid(sealer_, fakes::Tenant("other"), SealToken(sealer_, kTenant, Token()));
}

TEST_F(ResumeTokenTest, OfAnotherStoreIsNotValid) {
  ExpectNotValid(base::TokenSealer(std::string(32, 'x')), kTenant, SealToken(sealer_, kTenant, Token()));
}

TEST_F(ResumeTokenTest, CutShortAtAnyPlaceIsNotValid) {
  const std::string sealed = SealToken(sealer_, kTenant, Token());
  for (size_t length = 0; length < sealed.size(); ++length) {
    ExpectNotValid(sealer_, kTenant, sealed.substr(0, length));
  }
}

TEST_F(ResumeTokenTest, WithAnyByteChangedIsNotValid) {
  const std::string sealed = SealToken(sealer_, kTenant, Token());
  for (size_t place = 0; place < sealed.size(); ++place) {
    std::string changed = sealed;
    changed[place] = static_cast<char>(changed[place] ^ 1);
    ExpectNotValid(sealer_, kTenant, changed);
  }
}

TEST_F(ResumeTokenTest, SealedForAnotherPurposeIsNotValid) {
  ExpectNotValid(sealer_, kTenant, sealer_.Seal("something else", kTenant.text(), ""));
}

TEST_F(ResumeTokenTest, ThatNamesNoDeviceIsNotValid) {
  ResumeToken token = Token();
  token.device = base::Uuid();
  ExpectNotValid(sealer_, kTenant, SealToken(sealer_, kTenant, token));
}

TEST_F(ResumeTokenTest, AnUploadsTokenOpensAsItWasSealedAndIsNoOther) {
  const UploadsToken token{Token().device, Token().carer, {"timeline", 41}};
  const std::string sealed = SealUploadsToken(sealer_, kTenant, token);
  EXPECT_EQ(OpenUploadsToken(sealer_, kTenant, sealed), token);
  EXPECT_EQ(OpenUploadsToken(sealer_, fakes::Tenant("another"), sealed), std::nullopt);
  EXPECT_EQ(OpenUploadsToken(sealer_, kTenant, SealToken(sealer_, kTenant, Token())), std::nullopt);
  EXPECT_EQ(OpenUploadsToken(sealer_, kTenant, ""), std::nullopt);
  ExpectNotValid(sealer_, kTenant, sealed);
}

}  // namespace
}  // namespace caresync::sync

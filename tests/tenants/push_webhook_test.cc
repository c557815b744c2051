#include <gtest/gtest.h>

#include <string>

#include "server/base/errors.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::tenants {
namespace {

constexpr char kUrl[] = "https://push.example.org/caresync";
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

class PushWebhookTest : public testing::Test {
 protected:
  PushWebhookTest() { engine_.CreateTenant(tenant_); }

  // The error's message; empty where it is set.
  std::string Set(const std::string& url, const std::string& secret, const outbox::WebhookRules& rules = {}) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.mutable_push_webhook()->set_url(url);
    request.mutable_push_webhook()->set_secret(secret);
    const auto set = engine_.Run(
        tenant_, [&](commit::Transaction& transaction) { return UpdateTenant(transaction, request, rules).status(); });
    return std::string(set.status().message());
  }

  store::Tenant Stored() const { return *GetTenant(*engine_.Snapshot(), tenant_); }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(PushWebhookTest, TheSecretIsNeverTold) {
  EXPECT_FALSE(ToProto(tenant_, Stored()).has_push_webhook());
  ASSERT_EQ(Set(kUrl, kSecret), "");
  EXPECT_EQ(Stored().push_webhook().key().size(), 24u);
  const v1::Tenant told = ToProto(tenant_, Stored());
  EXPECT_EQ(told.push_webhook().url(), kUrl);
  EXPECT_EQ(told.push_webhook().secret(), "");
  EXPECT_EQ(told.SerializeAsString().find(Stored().push_webhook().key()), std::string::npos);
}

TEST_F(PushWebhookTest, AnotherUrlKeepsTheSecretAndAnotherSecretReplacesIt) {
  ASSERT_EQ(Set(kUrl, kSecret), "");
  const std::string key = Stored().push_webhook().key();
  ASSERT_EQ(Set("https://push.example.org/moved", ""), "");
  EXPECT_EQ(Stored().push_webhook().url(), "https://push.example.org/moved");
  EXPECT_EQ(Stored().push_webhook().key(), key);
  ASSERT_EQ(Set(kUrl, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "");
  EXPECT_EQ(Stored().push_webhook().key(), std::string(24, '\0'));
}

TEST_F(PushWebhookTest, WithoutAUrlThereIsNone) {
  ASSERT_EQ(Set(kUrl, kSecret), "");
  ASSERT_EQ(Set("", ""), "");
  EXPECT_FALSE(Stored().has_push_webhook());
  EXPECT_NE(Set(kUrl, ""), "") << "the secret of one that was taken away is gone with it";
  EXPECT_NE(Set("", kSecret), "");
}

TEST_F(PushWebhookTest, AWrongSecretIsRefusedAndNotRepeated) {
  const std::string wrong = Set(kUrl, "hunter2");
  EXPECT_NE(wrong, "");
  EXPECT_EQ(wrong.find("hunter2"), std::string::npos);
  EXPECT_FALSE(Stored().has_push_webhook());
}

TEST_F(PushWebhookTest, WhereItMayPointToTheOperatorSays) {
  EXPECT_NE(Set("http://127.0.0.1:8080/push", kSecret), "");
  EXPECT_NE(Set("http://127.0.0.1:8080/push", kSecret, {.allow_http = true}), "");
  EXPECT_EQ(Set("http://127.0.0.1:8080/push", kSecret, {.allow_http = true, .allow_private = true}), "");
}

TEST_F(PushWebhookTest, AnUpdateOfSomethingElseLeavesIt) {
  ASSERT_EQ(Set(kUrl, kSecret), "");
  v1::UpdateTenantRequest other;
  other.set_tenant_id(tenant_.text());
  other.set_display_name("Acme Care");
  ASSERT_TRUE(engine_.Run(tenant_, [&](commit::Transaction& t) { return UpdateTenant(t, other).status(); }).ok());
  EXPECT_EQ(Stored().push_webhook().url(), kUrl);
}

}  // namespace
}  // namespace caresync::tenants

#include "server/outbox/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/limits.h"

namespace caresync::outbox {
namespace {

std::string SecretOf(size_t bytes) { return absl::StrCat("whsec_", absl::Base64Escape(std::string(bytes, '\x01'))); }

// The example that the libraries of Standard Webhooks are tested with.
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kId[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr char kBody[] = "{\"test\": 2432232314}";
constexpr char kSigned[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signature, IsThatOfStandardWebhooks) {
  const std::optional<std::string> key = KeyOfSecret(kSecret);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(SignatureOf(*key, kId, absl::FromUnixSeconds(1614265330), kBody), kSigned);
  EXPECT_THAT(SignedHeaders(*key, kId, absl::FromUnixSeconds(1614265330), kBody),
              testing::ElementsAre(absl::StrCat("webhook-id: ", kId), "webhook-timestamp: 1614265330",
                                   absl::StrCat("webhook-signature: ", kSigned)));
}

TEST(Signature, CoversTheIdTheTimeAndTheBody) {
  const std::string key = *KeyOfSecret(kSecret);
  const absl::Time time = absl::FromUnixSeconds(1614265330);
  EXPECT_NE(SignatureOf(key, "msg_2", time, kBody), kSigned);
  EXPECT_NE(SignatureOf(key, kId, time + absl::Seconds(1), kBody), kSigned);
  EXPECT_NE(SignatureOf(key, kId, time, "{}"), kSigned);
  EXPECT_NE(SignatureOf(std::string(24, 'k'), kId, time, kBody), kSigned);
}

TEST(Signature, ASecretIsBase64OfEnoughBytes) {
  EXPECT_TRUE(KeyOfSecret(SecretOf(base::limits::kWebhookKeyBytesLeast)).has_value());
  EXPECT_TRUE(KeyOfSecret(SecretOf(base::limits::kWebhookKeyBytesMost)).has_value());
  EXPECT_FALSE(KeyOfSecret(SecretOf(base::limits::kWebhookKeyBytesLeast - 1)).has_value());
  EXPECT_FALSE(KeyOfSecret(SecretOf(base::limits::kWebhookKeyBytesMost + 1)).has_value());
  EXPECT_FALSE(KeyOfSecret("").has_value());
  EXPECT_FALSE(KeyOfSecret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").has_value());
  EXPECT_FALSE(KeyOfSecret("whsec_a good long password, it seems!!").has_value());
}

}  // namespace
}  // namespace caresync::outbox

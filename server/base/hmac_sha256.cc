#include "server/base/hmac_sha256.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstddef>

#include "absl/base/internal/raw_logging.h"

namespace caresync::base {
namespace {

constexpr size_t kDigestBytes = 32;

using Context = std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)>;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// To look the algorithm up and to take in the key costs more than a tag of what is signed here.
Context TakeIn(std::string_view key) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free);
  ABSL_RAW_CHECK(hmac != nullptr, "HMAC is not available");
  Context context(EVP_MAC_CTX_new(hmac.get()), &EVP_MAC_CTX_free);
  ABSL_RAW_CHECK(context != nullptr, "no memory for HMAC-SHA256");
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
  // Without it nothing that is handed out could be trusted.
  ABSL_RAW_CHECK(EVP_MAC_init(context.get(), Bytes(key), key.size(), parameters.data()) == 1,
                 "HMAC-SHA256 is not available");
  return context;
}

}  // namespace

HmacSha256::HmacSha256(std::string_view key) : keyed_(TakeIn(key)) {}

std::string HmacSha256::Of(std::string_view bytes) const {
  const Context context(EVP_MAC_CTX_dup(keyed_.get()), &EVP_MAC_CTX_free);
  ABSL_RAW_CHECK(context != nullptr, "no memory for HMAC-SHA256");
  std::array<unsigned char, kDigestBytes> digest{};
  size_t length = 0;
  const bool made = EVP_MAC_update(context.get(), Bytes(bytes), bytes.size()) == 1 &&
                    EVP_MAC_final(context.get(), digest.data(), &length, digest.size()) == 1;
  ABSL_RAW_CHECK(made && length == digest.size(), "HMAC-SHA256 failed");
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace caresync::base

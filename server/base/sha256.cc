#include "server/base/sha256.h"

#include <openssl/evp.h>

#include "absl/base/internal/endian.h"
#include "absl/base/internal/raw_logging.h"

namespace caresync::base {
namespace {

constexpr size_t kDigestBytes = 32;

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  ABSL_RAW_CHECK(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1, "SHA-256 is not available");
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

Sha256& Sha256::Add(std::string_view bytes) {
  ABSL_RAW_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1, "SHA-256 failed");
  return *this;
}

Sha256& Sha256::AddBigEndian(uint32_t number) {
  char bytes[sizeof(number)];
  absl::big_endian::Store32(bytes, number);
  return Add({bytes, sizeof(bytes)});
}

std::string Sha256::Finish() {
  std::string digest(kDigestBytes, '\0');
  ABSL_RAW_CHECK(EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1,
                 "SHA-256 failed");
  return digest;
}

std::string Sha256Of(std::string_view bytes) { return Sha256().Add(bytes).Finish(); }

}  // namespace caresync::base

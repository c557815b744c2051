#include "server/base/sealed_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

#include "storage/tuple.h"

namespace caresync::base {
namespace {

constexpr size_t kTagBytes = 16;

std::string Tag(const std::string& key, std::string_view purpose, std::string_view scope, std::string_view content) {
  const std::string signed_bytes = storage::TupleWriter().String(purpose).String(scope).Raw(content).Take();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(signed_bytes.data()), signed_bytes.size(), digest,
           &length) == nullptr) {
    std::abort();  // SHA-256 is always there; without it nothing that is handed out could be trusted.
  }
  return std::string(reinterpret_cast<const char*>(digest), kTagBytes);
}

}  // namespace

std::string TokenSealer::Seal(std::string_view purpose, std::string_view scope, std::string_view content) const {
  std::string token = Tag(key_, purpose, scope, content);
  token.append(content);
  return token;
}

std::optional<std::string> TokenSealer::Open(std::string_view purpose, std::string_view scope,
                                             std::string_view token) const {
  if (token.size() < kTagBytes) return std::nullopt;
  const std::string_view content = token.substr(kTagBytes);
  const std::string expected = Tag(key_, purpose, scope, content);
  if (CRYPTO_memcmp(expected.data(), token.data(), kTagBytes) != 0) return std::nullopt;
  return std::string(content);
}

}  // namespace caresync::base

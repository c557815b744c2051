#include "server/base/sealed_token.h"

#include <openssl/crypto.h>

#include <cstddef>

#include "storage/tuple.h"

namespace caresync::base {
namespace {

constexpr size_t kTagBytes = 16;

}  // namespace

TokenSealer::TokenSealer(const std::string& key) : hmac_(key) {}

std::string TokenSealer::Tag(std::string_view purpose, std::string_view scope, std::string_view content) const {
  const std::string signed_bytes = storage::TupleWriter().String(purpose).String(scope).Raw(content).Take();
  return hmac_.Of(signed_bytes).substr(0, kTagBytes);
}

std::string TokenSealer::Seal(std::string_view purpose, std::string_view scope, std::string_view content) const {
  std::string token = Tag(purpose, scope, content);
  token.append(content);
  return token;
}

std::optional<std::string> TokenSealer::Open(std::string_view purpose, std::string_view scope,
                                             std::string_view token) const {
  if (token.size() < kTagBytes) return std::nullopt;
  const std::string_view content = token.substr(kTagBytes);
  const std::string expected = Tag(purpose, scope, content);
  if (CRYPTO_memcmp(expected.data(), token.data(), kTagBytes) != 0) return std::nullopt;
  return std::string(content);
}

}  // namespace caresync::base

// HMAC-SHA256 (RFC 2104).
#ifndef CARESYNC_SERVER_BASE_HMAC_SHA256_H_
#define CARESYNC_SERVER_BASE_HMAC_SHA256_H_

#include <memory>
#include <string>
#include <string_view>

// OpenSSL's EVP_MAC_CTX.
struct evp_mac_ctx_st;

namespace caresync::base {

// A key, ready to sign with. Immutable; safe from any thread.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);

  // The 32 bytes of the tag.
  std::string Of(std::string_view bytes) const;

 private:
  // Has taken in the key and nothing else; each tag begins with a copy of it.
  const std::shared_ptr<const evp_mac_ctx_st> keyed_;
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_HMAC_SHA256_H_

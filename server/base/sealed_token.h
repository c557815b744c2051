// Opaque tokens that only this store can have made: the content with an HMAC-SHA256 tag (RFC 2104, cut to 128 bits).
#ifndef CARESYNC_SERVER_BASE_SEALED_TOKEN_H_
#define CARESYNC_SERVER_BASE_SEALED_TOKEN_H_

#include <optional>
#include <string>
#include <string_view>

#include "server/base/hmac_sha256.h"

namespace caresync::base {

// Immutable; safe from any thread.
class TokenSealer {
 public:
  // `key`: 32 secret bytes, the store's own.
  explicit TokenSealer(const std::string& key);

  // The tag covers `purpose` and `scope` (such as a tenant) as well: a token opens only with the same ones.
  std::string Seal(std::string_view purpose, std::string_view scope, std::string_view content) const;

  // nullopt where the token was not sealed with this key, purpose and scope.
  std::optional<std::string> Open(std::string_view purpose, std::string_view scope, std::string_view token) const;

 private:
  std::string Tag(std::string_view purpose, std::string_view scope, std::string_view content) const;

  const HmacSha256 hmac_;
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_SEALED_TOKEN_H_

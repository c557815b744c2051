// The embedded default's own key: an EC P-256 key (JWK, RFC 7517) in the data directory, and the tokens it signs (JWT,
// RFC 7519; ES256, RFC 7518, section 3.4).
#ifndef CARESYNC_SERVER_ACCESS_SIGNING_KEY_H_
#define CARESYNC_SERVER_ACCESS_SIGNING_KEY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/identity.h"

namespace caresync::access {

// Immutable; safe from any thread.
class SigningKey {
 public:
  // Reads the key in `file`, or makes one (mode 0600) where there is none. Errors: kFailedPrecondition where the file
  // is no such key, or where others than its owner have any right to it; kUnavailable where it cannot be read or
  // written; each says what to do.
  static absl::StatusOr<std::shared_ptr<const SigningKey>> OpenOrCreate(const std::string& file);
  // As above, but an absent file is kNotFound.
  static absl::StatusOr<std::shared_ptr<const SigningKey>> Open(const std::string& file);
  ~SigningKey();

  // A compact JWS with the claims iss "caresync", sub, role, tenant, device, iat and exp.
  absl::StatusOr<std::string> Mint(const Identity& identity, absl::Time issued) const;

 private:
  friend class TokenVerifier;
  struct Key;
  explicit SigningKey(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace caresync::access

#endif  // CARESYNC_SERVER_ACCESS_SIGNING_KEY_H_

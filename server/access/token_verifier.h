// Turns a bearer token into who is calling. Verified tokens are kept by hash until they expire, bounded.
#ifndef CARESYNC_SERVER_ACCESS_TOKEN_VERIFIER_H_
#define CARESYNC_SERVER_ACCESS_TOKEN_VERIFIER_H_

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/access/identity.h"
#include "server/access/signing_key.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "storage/mutex.h"

namespace caresync::access {

// What a token proves. `identity` is set also where the token has expired, is not valid yet, or would be for too long:
// it proves whose device calls all the same.
struct Verified {
  absl::Status status;
  std::optional<Identity> identity;
};

// Thread-safe.
class TokenVerifier {
 public:
  // `clock` must outlive it. `most_recent`: how many verified tokens it keeps; past it the one that was not used for
  // longest is verified anew.
  TokenVerifier(std::shared_ptr<const SigningKey> key, base::Clock& clock,
                size_t most_recent = base::limits::kVerifiedTokens);

  // `authorization` is the metadata's value, "Bearer <token>"; empty where there is none. Only ES256 by the one key is
  // accepted, whatever the token's header asks for. Statuses: NO_CREDENTIAL, CREDENTIAL_NOT_VALID, CREDENTIAL_EXPIRED,
  // CREDENTIAL_LIFETIME_TOO_LONG past limits::kTokenLifetimeMost.
  Verified Verify(std::string_view authorization) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Verified VerifyAnew(const std::string& token) const;
  std::optional<Identity> FindRecent(const std::string& hash) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(std::string hash, const Identity& identity) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<const SigningKey> key_;
  base::Clock& clock_;
  const size_t most_recent_;
  storage::Mutex mutex_;
  // By the SHA-256 of the token; least recently used last.
  std::list<std::pair<std::string, Identity>> recent_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::list<std::pair<std::string, Identity>>::iterator> by_hash_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::access

#endif  // CARESYNC_SERVER_ACCESS_TOKEN_VERIFIER_H_

// The inside of a SigningKey, for the two who use cjose.
#ifndef CARESYNC_SERVER_ACCESS_SIGNING_KEY_DATA_H_
#define CARESYNC_SERVER_ACCESS_SIGNING_KEY_DATA_H_

#include <cjose/cjose.h>

#include <memory>
#include <utility>

#include "server/access/signing_key.h"

namespace caresync::access {

inline constexpr char kIssuer[] = "caresync";

struct JwkRelease {
  void operator()(cjose_jwk_t* jwk) const { cjose_jwk_release(jwk); }
};
struct JwsRelease {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
struct HeaderRelease {
  void operator()(cjose_header_t* header) const { cjose_header_release(header); }
};
using Jwk = std::unique_ptr<cjose_jwk_t, JwkRelease>;
using Jws = std::unique_ptr<cjose_jws_t, JwsRelease>;
using Header = std::unique_ptr<cjose_header_t, HeaderRelease>;

// Only read after it was made: cjose signs and verifies with a key that it does not change.
struct SigningKey::Key {
  explicit Key(Jwk made) : jwk(std::move(made)) {}
  Jwk jwk;
};

}  // namespace caresync::access

#endif  // CARESYNC_SERVER_ACCESS_SIGNING_KEY_DATA_H_

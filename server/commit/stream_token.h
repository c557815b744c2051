// How far the reader of a resumable stream has come: what its token holds.
//
// Pure functions over a Reader.
#ifndef CARESYNC_SERVER_COMMIT_STREAM_TOKEN_H_
#define CARESYNC_SERVER_COMMIT_STREAM_TOKEN_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "storage/store.h"

namespace caresync::commit {

// Whose tokens serve here: those of one stream, and of one reader of it (empty: all that the tenant has).
struct StreamReader {
  std::string_view stream;
  std::string_view name;
};

// Where a stream goes on.
struct StreamPlace {
  // As the stream has it; all empty at its beginning.
  base::Revision revision = 0;
  std::string record;
  // The head when the reader began.
  base::Revision began = 0;
  // The reader begins anew, because the token's store is not this one's past, or lies too far back in it. In no token.
  bool restarted = false;
};

// Where the reader goes on after `token` (empty: it begins), `head` being the tenant's. It is the revision that the
// token was read at that must be known: after a restore a record may fall back behind the place.
//
// Errors: TOKEN_NOT_VALID for a token that was not made here for this tenant and reader; those of reading.
absl::StatusOr<StreamPlace> OpenStreamToken(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::CommitPoint& head, const StreamReader& of,
                                            std::string_view token, const base::TokenSealer& sealer);

// The token of who was told all up to `place`, read at `head`.
std::string SealStreamToken(const base::TenantId& tenant, const base::CommitPoint& head, const StreamReader& of,
                            const StreamPlace& place, const base::TokenSealer& sealer);

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_STREAM_TOKEN_H_

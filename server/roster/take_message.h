// One message of an ApplyChanges stream: what the source has seen of this store, its changes, and that it has sent
// again what a restore took back.
#ifndef CARESYNC_SERVER_ROSTER_TAKE_MESSAGE_H_
#define CARESYNC_SERVER_ROSTER_TAKE_MESSAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "server/commit/transaction.h"

namespace caresync::roster {

// Whose stream it is, in which opening of the store (its timeline).
struct SourceStream {
  std::string source;
  std::string opening;
};

// Inside a change. Returns the results, and `store_restored` where the source has seen a commit that this store does
// not know; the commit itself is the caller's to set. `first`: it is the stream's first message. Whatever the source
// has seen, its changes are applied. Where nothing differs from what is there, nothing is written, but that the source
// is active (restore::NoteActivity), once a day.
//
// Errors are of the whole message: INVALID_FIELD (`last_commit_seen` in a later message), those of ApplyMessage.
absl::StatusOr<v1::ApplyChangesResponse> TakeMessage(commit::Transaction& transaction, const SourceStream& stream,
                                                     bool first, const v1::ApplyChangesRequest& request);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_TAKE_MESSAGE_H_

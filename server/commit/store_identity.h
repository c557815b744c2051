// What a store is and the secrets that were made with it: one row, the store's own.
#ifndef CARESYNC_SERVER_COMMIT_STORE_IDENTITY_H_
#define CARESYNC_SERVER_COMMIT_STORE_IDENTITY_H_

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "storage/store.h"

namespace caresync::commit {

// The store's identity; made, durably, at the store's first opening. Waits for the disk: for the start of the process
// only. Errors: NO_ROOM_TO_START, STORE_UNAVAILABLE, DAMAGED_ROW, COMMIT_CONFLICT, those of reading.
absl::StatusOr<store::StoreIdentity> LoadOrCreateIdentity(storage::Store& store, base::RandomSource& random,
                                                          const base::Clock& clock);

// Whether the store has its identity: it was opened before, by a server that got as far as that.
absl::StatusOr<bool> HasIdentity(const storage::Store& store);

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_STORE_IDENTITY_H_

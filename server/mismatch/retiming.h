// The tenant's own times: how long its phones have, and how long before a visit the office is told. A change of them
// holds of what waits already too. And the server's clock: what came while it was ahead is not due so much later once
// it is put right.
#ifndef CARESYNC_SERVER_MISMATCH_RETIMING_H_
#define CARESYNC_SERVER_MISMATCH_RETIMING_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/mismatch/due.h"
#include "storage/store.h"

namespace caresync::mismatch {

// Those of limits.h where the tenant's row is not there, or cannot be read: no rota waits for its repair. Errors are
// those of reading.
absl::StatusOr<Timing> ReadTiming(const storage::Reader& reader, const base::TenantId& tenant);

// Where the transaction changes the tenant's times, lets the task work out anew when what waits is due. Part of the
// rider (visit_changes.h). Errors are those of reading.
absl::Status NoteTimingChange(commit::Transaction& transaction);

// The next step of that, of at most limits::kMismatchesLookedAt rows, where it is under way as `looks` say; they say
// then how far it has come. Nothing is to be opened before it is through. What waits is due by the new times as if they
// had held when its first change came, or its last one where people had seen those before, or they were over: where it
// waits for another reason that came later, it may be looked at sooner than that reason would have it, and never later.
// Where only the clock was set back, what is due later than a change that comes now would be is due as if it came now.
// Errors are those of reading, and DAMAGED_ROW; a mismatch that cannot be read is passed over.
absl::Status Retime(commit::Transaction& transaction, store::MismatchLooks& looks);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_RETIMING_H_

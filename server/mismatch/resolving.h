// Open mismatches that a device has put right.
#ifndef CARESYNC_SERVER_MISMATCH_RESOLVING_H_
#define CARESYNC_SERVER_MISMATCH_RESOLVING_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/commit/transaction.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::mismatch {

// Whether what the reader, which is that of `delivery`, has of the visit is settled. One that cannot be read is not,
// which is logged. Other errors are those of reading.
absl::StatusOr<bool> IsSettled(const storage::Reader& reader, const base::TenantId& tenant, const CarerVisit& of,
                               Delivery& delivery);

// The device has acknowledged all of it: nothing is waited for, and one that was open is resolved.
void Resolve(absl::Time now, store::Mismatch& row);

// The device has not acknowledged all of it in time, or a person wants to see it again.
void Open(absl::Time now, store::Mismatch& row);

// Resolves the carer's open mismatches that are settled, in a change of the tenant; where there are more than
// limits::kMismatchesOfSync, the task looks at all of the tenant's. Errors are those of reading.
absl::Status ResolveSettled(commit::Transaction& transaction, const base::Uuid& carer);

// Lets the task look at all open mismatches of the tenant, from the first on. Errors are those of reading.
absl::Status BeginSweep(commit::Transaction& transaction);

// A device of the carer has acknowledged what it had not before, and that is committed: resolves what it settles, by a
// change of the tenant. Where nothing of the carer is open, it reads one row and changes nothing. What cannot be
// committed, which is logged, is found by the next such call, or when the server starts. `reader` is of after that
// commit, and is not used once this returns. Errors are those of reading.
absl::Status ResolveAfterAck(const storage::Reader& reader, commit::Sequencer& sequencer, const base::TenantId& tenant,
                             const base::Uuid& carer);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_RESOLVING_H_

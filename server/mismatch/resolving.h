// Open mismatches that a device has put right.
#ifndef CARESYNC_SERVER_MISMATCH_RESOLVING_H_
#define CARESYNC_SERVER_MISMATCH_RESOLVING_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/commit/transaction.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/records/carer_signs.h"
#include "storage/store.h"

namespace caresync::mismatch {

// The device has acknowledged all of it: nothing is waited for, and one that was open is resolved. What is to be looked
// at once more after `now` (again_us) is.
void Resolve(absl::Time now, store::Mismatch& row);

// The carer started the visit: the same, with the times of the sign of it.
void ResolveByStart(absl::Time now, const records::CarerSign& sign, store::Mismatch& row);

// Nothing is left of it, and the device was sent none of it (taken_back.h): the same, and it is said so.
void ResolveTakenBack(absl::Time now, store::Mismatch& row);

// The device has not acknowledged all of it in time, or a person wants to see it again.
void Open(absl::Time now, store::Mismatch& row);

// Up to `most` of the live mismatches in `range`, a part of the table of open ones. Errors are those of reading, and
// DAMAGED_ROW.
absl::StatusOr<std::vector<CarerVisit>> ReadOpen(const storage::Reader& reader, const storage::KeyRange& range,
                                                 size_t most);

// Resolves one that the table of open ones names, where it is settled. One of which nobody was told yet, as an earlier
// server opened it, is told, and one that an earlier server put elsewhere gets its place. One that is not live, or
// cannot be read, is taken out of the table. `delivery` reads the transaction. Errors are those of reading.
absl::Status ResolveIfSettled(commit::Transaction& transaction, const CarerVisit& of, Delivery& delivery);

// Resolves the carer's open mismatches that are settled, in a change of the tenant; where there are more than
// limits::kMismatchesOfSync, the task looks at all of the tenant's. Errors are those of reading.
absl::Status ResolveSettled(commit::Transaction& transaction, const base::Uuid& carer);

// A sign of the carer at the visit has come: resolves the mismatch where it is live, whatever the device holds, unless
// the sign is of before the visit as it is planned now (EarliestSign). Nothing else is touched. Errors are those of
// reading; one that cannot be read is left, and logged.
absl::Status NoteSign(commit::Transaction& transaction, const CarerVisit& of, const records::CarerSign& sign);

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

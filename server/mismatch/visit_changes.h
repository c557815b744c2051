// What a commit changes of visits, noted for each of their carers: the rider of every transaction (commit/sequencer.h),
// so that no way in which a visit changes can forget it.
#ifndef CARESYNC_SERVER_MISMATCH_VISIT_CHANGES_H_
#define CARESYNC_SERVER_MISMATCH_VISIT_CHANGES_H_

#include "absl/status/status.h"
#include "server/commit/sequencer.h"
#include "server/commit/transaction.h"
#include "server/mismatch/integration_lag.h"

namespace caresync::mismatch {

// For each visit that the transaction wrote and each carer who had it or has it now: what is to be acknowledged, and
// until when that may wait. A change is whatever alters what the carer's devices show of the visit, that it enters the
// download window among them; that it leaves the window as time goes by is none, nor is what concerns only times that
// are over. Of a visit that has left the window, that the carer is not to come as the device shows it is one where the
// device has acknowledged nothing since.
//
// Several changes that are not acknowledged are one mismatch, due when the first of them was. Where the carer's device
// had acknowledged everything before, a mismatch that is still open resolves here, and the change begins anew. One that
// is open and of which nothing remains is looked at at once (looks.h): it may be that the device was sent none of it.
//
// Where the tenant's own times change, what waits is timed anew (retiming.h).
//
// Adds at most eight rows for each of these carers, and the row of the task. Errors are those of reading; a mismatch
// that cannot be read is replaced, and logged: no rota waits for its repair.
absl::Status NoteVisitChanges(commit::Transaction& transaction);

// The same, as a rider that lets `lag` count the changes of the rota once they are committed: those by which a visit is
// another than before, whether or not it was noted above. `lag` must outlive it.
commit::Change NotingVisitChanges(IntegrationLag& lag);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_VISIT_CHANGES_H_

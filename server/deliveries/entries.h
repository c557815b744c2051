// What a commit moves of visits in carers' feeds, noted as entries: a rider of every transaction (commit/sequencer.h),
// so that no way in which a visit comes to a feed, changes there or leaves it can forget it.
#ifndef CARESYNC_SERVER_DELIVERIES_ENTRIES_H_
#define CARESYNC_SERVER_DELIVERIES_ENTRIES_H_

#include "absl/status/status.h"
#include "server/commit/transaction.h"

namespace caresync::deliveries {

// Writes one VisitEntry for each entry of a visit that the transaction put into a carer's feed, whatever moved it
// there: a change of the rota, a window edge, a step of a fan-out. Sees to it that the task runs which lets go of them
// again (keeping.h). Costs one walk over the transaction's own writes to feeds where it moved none.
//
// Adds three rows for each of these entries, and those of the task. Errors are those of reading, and DAMAGED_ROW.
absl::Status NoteVisitEntries(commit::Transaction& transaction);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_ENTRIES_H_

// Takes what rostering systems send: validates, matches by external ID, writes records, keeps what waits.
#ifndef CARESYNC_SERVER_ROSTER_APPLY_CHANGES_H_
#define CARESYNC_SERVER_ROSTER_APPLY_CHANGES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "server/commit/sequencer.h"
#include "server/commit/tasks.h"
#include "server/commit/transaction.h"

namespace caresync::roster {

// Applies one message of changes inside a transaction, so that one external ID can never make two records. One result a
// change, in order; a rejected change leaves no trace and the others stand. `source` is the caller's own: a change of
// another source is rejected, SOURCE_NOT_YOURS.
//
// Errors are of the whole message: TOO_MANY_CHANGES, TENANT_UNKNOWN, those of reading.
absl::StatusOr<std::vector<v1::ChangeResult>> ApplyMessage(commit::Transaction& transaction, const std::string& source,
                                                           const v1::ApplyChangesRequest& request);

// Registers the task that applies waiting changes when the record they wait for has come.
void RegisterTasks(commit::TaskRunner& tasks);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_APPLY_CHANGES_H_

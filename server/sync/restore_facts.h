// What is read for a start of how the tenant stands after a restore.
#ifndef CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_
#define CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_

#include "server/base/ids.h"
#include "server/restore/standing.h"

namespace caresync::sync {

// A value; as it is made: nothing was put back.
struct RestoreFacts {
  // Where the token's cursor is foreign: whether devices wait.
  restore::Standing standing;
  // Events that were sent to a sync which began below it may be lost.
  base::Revision losses_noted = 0;
  // The token's cursor is the first to show that its timeline's commits are lost.
  bool loss_to_note = false;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_

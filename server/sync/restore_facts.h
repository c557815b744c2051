// What is read for a start of how the tenant stands after a restore.
#ifndef CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_
#define CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_

#include <string>

#include "server/base/ids.h"
#include "server/restore/standing.h"

namespace caresync::sync {

// A value; as it is made: nothing was put back.
struct RestoreFacts {
  // Where the token's cursor is foreign: whether devices wait.
  restore::Standing standing;
  // Events that were sent to a sync which began below it may be lost.
  base::Revision losses_noted = 0;
  // Commits of this timeline are lost, as a foreign cursor of the device is the first to show. Empty: none.
  std::string loss_to_note;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_RESTORE_FACTS_H_

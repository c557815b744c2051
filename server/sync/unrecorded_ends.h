// The syncs that ended without a last row: the store was full, or did not answer, when it was to be written; and
// followers that ended between two rounds, of which nothing is written.
#ifndef CARESYNC_SERVER_SYNC_UNRECORDED_ENDS_H_
#define CARESYNC_SERVER_SYNC_UNRECORDED_ENDS_H_

#include "server/devices/syncs_under_way.h"
#include "server/sync/session_driver.h"

namespace caresync::sync {

// What a report needs to tell them from syncs that are under way. `parts` must outlive it. Thread-safe.
devices::SyncsUnderWay SyncsOf(const SyncParts& parts);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_UNRECORDED_ENDS_H_

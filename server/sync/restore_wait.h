// How long a device with a foreign cursor waits after a restore. Pure functions over what was read.
#ifndef CARESYNC_SERVER_SYNC_RESTORE_WAIT_H_
#define CARESYNC_SERVER_SYNC_RESTORE_WAIT_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/restore/standing.h"
#include "server/sync/restore_facts.h"
#include "server/sync/start_check.h"
#include "storage/store.h"

namespace caresync::sync {

// `facts` are those of the tokens, read from the same snapshot. Errors: those of reading.
absl::StatusOr<RestoreFacts> ReadRestoreFacts(const storage::Reader& reader, const base::TenantId& tenant,
                                              const StartTokens& tokens, const StartFacts& facts,
                                              const restore::Opening& opening, absl::Time now);

// OK where nothing keeps the device from a rebuild: its cursor is no foreign one, or its own time for one has come.
// Each device has its place in the limits::kRebuildSpread after the waiting's end. WAITING_AFTER_RESTORE, with when to
// come back: at its place where that is known and near, else every limits::kRestoreRetryAfter.
absl::Status CheckWait(const SessionIdentity& identity, const std::optional<ResumeToken>& token,
                       const StartFacts& facts, absl::Time now);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_RESTORE_WAIT_H_

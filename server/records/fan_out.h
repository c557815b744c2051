// Changes that concern more feeds than one commit can put right: tasks that do it in steps, between other changes, and
// who waits for them.
//
// A step works visibility out anew from the stored rows, never from what an earlier step saw, so what happens between
// steps does no harm; each takes its own revision, and an entry that is right already is not moved. Until a task is
// through, the feeds of those whom it concerns are not what the records say: no session of such a carer may read on
// (MustWait). docs/adr/ tells why rows of what ends stay until then (grants.h).
#ifndef CARESYNC_SERVER_RECORDS_FAN_OUT_H_
#define CARESYNC_SERVER_RECORDS_FAN_OUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/tasks.h"
#include "server/commit/transaction.h"
#include "server/records/record_key.h"
#include "server/records/visibility.h"
#include "storage/store.h"

namespace caresync::records {

// Whether the carer's feed, in this snapshot, may not be what the carer may see: an unfinished fan-out concerns it, or
// the window's edge lags (WindowLags). `now` is the clock's time. FanOutTopic tells when that may have ended. Errors
// are those of reading.
absl::StatusOr<bool> MustWait(const storage::Reader& reader, const base::TenantId& tenant,
                              const base::ReceiverId& carer, absl::Time now);

// The name of the task; its payload is a store::FanOut.
inline constexpr char kFanOutTask[] = "records/fan_out";

// Schedules `fan_out`, of which the caller has set the target and nothing is done, and writes down whom it concerns; in
// several tasks where it lists many. `ends` where it takes records away from somebody: such ones run first. Errors are
// those of reading.
absl::Status ScheduleFanOut(commit::Transaction& transaction, const store::FanOut& fan_out, bool ends);

// One step of the task: as many pairs as a commit has room for; what is left schedules itself again. Errors are those
// of reading.
absl::Status FanOutStep(commit::Transaction& transaction, const std::string& payload);

// Registers the task.
void RegisterFanOuts(commit::TaskRunner& tasks);

// ---- Scopes: whom something unfinished concerns. A carer is concerned by its own receiver's bytes, by those of a
// group that it is in or is leaving (GroupHolder), and by kEverybody.

inline constexpr char kEverybody[] = "*";

void PutScope(commit::Transaction& transaction, std::string_view scope, std::string_view task_id);
// Announces FanOutTopic as well.
void DeleteScope(commit::Transaction& transaction, std::string_view scope, std::string_view task_id);

// Whether there is any scope in the tenant.
absl::StatusOr<bool> HasScopes(const storage::Reader& reader, const base::TenantId& tenant);
// Whether one concerns the carer.
absl::StatusOr<bool> IsConcerned(const storage::Reader& reader, const base::TenantId& tenant,
                                 const base::ReceiverId& carer);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_FAN_OUT_H_

// Too many of a branch's devices overdue: told when it begins to be so, and when it no longer is.
//
// What it writes lies in Space::kRecords.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_OVERDUE_H_
#define CARESYNC_SERVER_NOTIFICATIONS_OVERDUE_H_

#include "absl/status/status.h"
#include "server/base/random.h"
#include "server/commit/tasks.h"
#include "server/commit/transaction.h"

namespace caresync::notifications {

// The kind of the task, and its ID: a tenant has one at a time, while some settings of it have a threshold. Its payload
// is the due time, in microseconds, in decimals.
inline constexpr char kOverdueTask[] = "notifications/overdue";

// The tenant's settings were changed: what they ask for is counted anew, at once. To be called in that change. Errors
// are those of reading.
absl::Status LookAtOverdue(commit::Transaction& transaction);

// What the task does every limits::kOverdueLookEvery: counts the tenant's devices by branch, limits::kDevicesCounted a
// step, and then judges each branch by the settings that hold of it. Whoever they name is told once when more than the
// threshold of its devices are overdue (devices/overdue_count.h says which those are), and once when they no longer
// are. A branch outside its hours is judged when they have begun; of one without a threshold any more nothing is told.
//
// Where the outbox is full nothing of the step is done, and it comes again. `random` must outlive it.
commit::TaskStep OverdueStep(base::RandomSource& random);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_OVERDUE_H_

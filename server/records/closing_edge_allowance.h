// How far the closing window edge may move now. It takes visits off devices, so a wrong wall clock must not move it
// far: limits::kClosingEdgeStep at a start, and as much again in each hour of the monotonic clock, never more at once.
#ifndef CARESYNC_SERVER_RECORDS_CLOSING_EDGE_ALLOWANCE_H_
#define CARESYNC_SERVER_RECORDS_CLOSING_EDGE_ALLOWANCE_H_

#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/ids.h"
#include "storage/mutex.h"

namespace caresync::records {

// Thread-safe. Kept in memory only: one for each run of the server. `clock` must outlive it.
class ClosingEdgeAllowance {
 public:
  explicit ClosingEdgeAllowance(const base::Clock& clock) : clock_(clock) {}

  // How far the tenant's closing edge may move now.
  absl::Duration Available(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);

  // It moves by `step`. Of a commit that then fails, it is spent all the same: the edge is late rather than early.
  void Spend(const base::TenantId& tenant, absl::Duration step) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Account {
    absl::Duration left;
    // The monotonic time at which `left` was right.
    absl::Duration at;
  };
  Account& AccountOf(const base::TenantId& tenant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::Clock& clock_;
  storage::Mutex mutex_;
  std::map<base::TenantId, Account> accounts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_CLOSING_EDGE_ALLOWANCE_H_

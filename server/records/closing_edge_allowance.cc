#include "server/records/closing_edge_allowance.h"

#include <algorithm>

#include "server/base/limits.h"

namespace caresync::records {

using base::limits::kClosingEdgeStep;

ClosingEdgeAllowance::Account& ClosingEdgeAllowance::AccountOf(const base::TenantId& tenant) {
  const absl::Duration now = clock_.Monotonic();
  Account& account = accounts_.try_emplace(tenant, Account{kClosingEdgeStep, now}).first->second;
  // Bounded first: the product of a long silence would mean nothing.
  const absl::Duration passed = std::min(now - account.at, absl::Hours(1));
  account.left =
      std::min(account.left + kClosingEdgeStep * absl::FDivDuration(passed, absl::Hours(1)), kClosingEdgeStep);
  account.at = now;
  return account;
}

absl::Duration ClosingEdgeAllowance::Available(const base::TenantId& tenant) {
  storage::MutexLock lock(mutex_);
  return AccountOf(tenant).left;
}

void ClosingEdgeAllowance::Spend(const base::TenantId& tenant, absl::Duration step) {
  storage::MutexLock lock(mutex_);
  Account& account = AccountOf(tenant);
  account.left = std::max(account.left - step, absl::ZeroDuration());
}

}  // namespace caresync::records

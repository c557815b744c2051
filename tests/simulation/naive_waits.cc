#include "tests/simulation/naive_waits.h"

#include <algorithm>

#include "server/base/limits.h"

namespace caresync::simulation {

void NaiveWaits::Open(absl::Time now) {
  Saw(now);
  opened_ = now;
  confirmed_.clear();
  released_.clear();
}

void NaiveWaits::Saw(absl::Time now) {
  earliest_ = std::min(earliest_, now);
  latest_ = std::max(latest_, now);
}

void NaiveWaits::WasSet(absl::Time before, absl::Time after) {
  Saw(before);
  Saw(after);
  opened_ += after - before;
}

bool NaiveWaits::MayWait(absl::Time now, absl::Duration wait) const {
  return now < opened_ + wait + base::limits::kRebuildSpread;
}

bool NaiveWaits::WaitsForItsEnd(const base::TenantId& tenant, absl::Time now) const {
  // A source that was silent for very long is not waited for.
  const bool all_active = std::max(latest_, now) - std::min(earliest_, now) < base::limits::kSourceActive;
  const auto confirmed = confirmed_.find(tenant);
  const size_t heard = confirmed == confirmed_.end() ? 0 : confirmed->second.size();
  return all_active && heard < sources_ && !released_.contains(tenant);
}

}  // namespace caresync::simulation

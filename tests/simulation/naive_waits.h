// How long devices with copies of a lost state may wait after an opening of the store, and how long they must, as far
// as can be told without the store: by the tenant's wait, by what sources and people have said, and by the clock.
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_WAITS_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_WAITS_H_

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "server/base/ids.h"

namespace caresync::simulation {

// Used by one thread.
class NaiveWaits {
 public:
  // `sources`: how many each tenant has; all have sent something before.
  explicit NaiveWaits(size_t sources) : sources_(sources) {}

  // The store is opened, maybe another one.
  void Open(absl::Time now);
  // The clock shows that; to be told of before and after each time that it is set.
  void Saw(absl::Time now);
  // Somebody sets the clock: no wait becomes shorter or longer.
  void WasSet(absl::Time before, absl::Time after);

  // The source has said that nothing of its own is missing, or that it has sent it again; maybe it was not heard.
  void MayHaveConfirmed(const base::TenantId& tenant, const std::string& source) { confirmed_[tenant].insert(source); }
  // Likewise a person, that devices wait no more.
  void MayBeReleased(const base::TenantId& tenant) { released_.insert(tenant); }

  // Whether a device that asks at `now` may be told to wait, where the tenant's wait is `wait`: each has its place in
  // some time after the waiting.
  bool MayWait(absl::Time now, absl::Duration wait) const;
  // Whether only the wait's end can let a device make its copy anew.
  bool WaitsForItsEnd(const base::TenantId& tenant, absl::Time now) const;
  // Whether a device may not make its copy anew at `now`, nor could any time before.
  bool MustWait(const base::TenantId& tenant, absl::Time now, absl::Duration wait) const {
    return WaitsForItsEnd(tenant, now) && now < opened_ + wait;
  }

 private:
  const size_t sources_;
  absl::Time opened_;
  absl::Time earliest_ = absl::InfiniteFuture();
  absl::Time latest_ = absl::InfinitePast();
  std::map<base::TenantId, std::set<std::string>> confirmed_;
  std::set<base::TenantId> released_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_WAITS_H_

// What the tenant wants of its devices, as `started` carries it, and each device's own place in time.
#ifndef CARESYNC_SERVER_SYNC_POLICY_H_
#define CARESYNC_SERVER_SYNC_POLICY_H_

#include <string_view>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/uuid.h"

namespace caresync::sync {

// The device's own place in an interval of whole seconds, so that a fleet spreads evenly over it.
absl::Duration PlaceIn(absl::Duration interval, const base::Uuid& device);

// The device's next auto sync is the first time more than half an interval after `now` that lies at its own place in
// the interval: so a fleet spreads evenly over it and each device keeps its place, and a phone whose clock is ahead,
// which comes before its place, is not sent to that place at once again. It is at most one and a half intervals ahead,
// less than the two after which a device is overdue. `branch_id`: the device's branch.
v1::Policy PolicyFor(const store::Tenant& tenant, std::string_view branch_id, const base::Uuid& device, absl::Time now);

// Where changes wait for the device: its next auto sync, if there is to be any, comes no later than at the device's own
// place in the least interval that a tenant may set, the first one after limits::kBroughtForwardLeast.
void BringForward(v1::Policy& policy, const base::Uuid& device, absl::Time now);

// When the device connects again to a server that goes away: each has its own place, so that a fleet does not come back
// at once.
absl::Duration ReconnectAfter(const base::Uuid& device);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_POLICY_H_

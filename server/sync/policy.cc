#include "server/sync/policy.h"

#include <cstring>

#include "server/base/proto_time.h"

namespace caresync::sync {

v1::Policy PolicyFor(const store::Tenant& tenant, const base::Uuid& device, absl::Time now) {
  v1::Policy policy;
  policy.set_time_zone(tenant.time_zone());
  const int64_t interval = tenant.auto_sync_interval_s();
  policy.mutable_auto_sync_interval()->set_seconds(interval);
  if (interval <= 0) return policy;
  // The UUID's bytes are as good as random, so they are the device's place in the interval.
  uint64_t place = 0;
  std::memcpy(&place, device.bytes().data() + 8, sizeof(place));
  const int64_t offset = static_cast<int64_t>(place % static_cast<uint64_t>(interval));
  const int64_t seconds = absl::ToUnixSeconds(now);
  int64_t next = seconds - seconds % interval + offset;
  if (next <= seconds) next += interval;
  *policy.mutable_next_auto_sync_time() = base::ToTimestamp(absl::FromUnixSeconds(next));
  return policy;
}

}  // namespace caresync::sync

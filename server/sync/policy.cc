#include "server/sync/policy.h"

#include <cstring>

#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {
namespace {

// The UUID's bytes are as good as random, so they are the device's place in an interval.
int64_t PlaceAmong(int64_t places, const base::Uuid& device) {
  uint64_t place = 0;
  std::memcpy(&place, device.bytes().data() + 8, sizeof(place));
  return static_cast<int64_t>(place % static_cast<uint64_t>(places));
}

// The first time after `earliest` at the device's own place in an interval of whole seconds.
google::protobuf::Timestamp NextAtItsPlace(absl::Duration interval, const base::Uuid& device, absl::Time earliest) {
  const int64_t length = absl::ToInt64Seconds(interval);
  const int64_t seconds = absl::ToUnixSeconds(earliest);
  int64_t next = seconds - seconds % length + PlaceAmong(length, device);
  if (next <= seconds) next += length;
  return base::ToTimestamp(absl::FromUnixSeconds(next));
}

}  // namespace

absl::Duration PlaceIn(absl::Duration interval, const base::Uuid& device) {
  return absl::Seconds(PlaceAmong(absl::ToInt64Seconds(interval), device));
}

v1::Policy PolicyFor(const store::Tenant& tenant, std::string_view branch_id, const base::Uuid& device,
                     absl::Time now) {
  v1::Policy policy;
  policy.set_time_zone(tenant.time_zone());
  policy.set_least_app_version(tenant.least_app_version());
  const absl::Duration interval = tenants::AutoSyncInterval(tenant, branch_id);
  policy.mutable_auto_sync_interval()->set_seconds(absl::ToInt64Seconds(interval));
  if (interval <= absl::ZeroDuration()) return policy;
  *policy.mutable_next_auto_sync_time() = NextAtItsPlace(interval, device, now + interval / 2);
  return policy;
}

void BringForward(v1::Policy& policy, const base::Uuid& device, absl::Time now) {
  if (!policy.has_next_auto_sync_time()) return;
  const google::protobuf::Timestamp soon =
      NextAtItsPlace(base::limits::kAutoSyncIntervalLeast, device, now + base::limits::kBroughtForwardLeast);
  if (soon.seconds() < policy.next_auto_sync_time().seconds()) *policy.mutable_next_auto_sync_time() = soon;
}

absl::Duration ReconnectAfter(const base::Uuid& device) {
  return base::limits::kReconnectAfter +
         absl::Milliseconds(PlaceAmong(absl::ToInt64Milliseconds(base::limits::kReconnectSpread), device));
}

}  // namespace caresync::sync

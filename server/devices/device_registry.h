// What administrators say of a device: its branch, its users, whether it is blocked.
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_

#include <functional>

#include "absl/status/status.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::devices {

// Thread-safe. Everything given to the constructor must outlive it and its calls.
class DeviceRegistry {
 public:
  DeviceRegistry(storage::Store& store, base::Clock& clock, base::Executor& executor)
      : store_(store), clock_(clock), executor_(executor) {}

  // Calls `done` once, on any thread, when the update is durable. Tried again where another update came between. A
  // device that has called before is to drop the copies of users who are taken off, and all while it is blocked
  // (devices/drops.h).
  // Errors: INVALID_FIELD, DEVICE_UNKNOWN (without allow_missing), CARER_UNKNOWN, BRANCH_UNKNOWN, TOO_MANY_DROPS,
  // COMMIT_CONFLICT, STORE_FULL, STORE_UNAVAILABLE, those of reading.
  void Update(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
              std::function<void(absl::Status)> done);

 private:
  storage::Store& store_;
  base::Clock& clock_;
  base::Executor& executor_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_

// What administrators say of a device: its branch and its users.
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_

#include <functional>
#include <memory>
#include <string>

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
  DeviceRegistry(storage::Store& store, base::Clock& clock, base::Executor& executor);

  // Calls `done` once, on any thread, when the update is durable. Tried again where another update came between.
  // Errors: INVALID_FIELD, DEVICE_UNKNOWN (without allow_missing), CARER_UNKNOWN, BRANCH_UNKNOWN, COMMIT_CONFLICT,
  // STORE_FULL, STORE_UNAVAILABLE, those of reading.
  void Update(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
              std::function<void(absl::Status)> done);

 private:
  struct Pending;
  void Try(std::shared_ptr<Pending> pending);

  storage::Store& store_;
  base::Clock& clock_;
  base::Executor& executor_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_REGISTRY_H_

// Changes what is said of a device in its own row, which administrators, sessions and devices' answers all write: on
// condition of the row's bytes, and again where another came between.
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_ROW_CHANGE_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_ROW_CHANGE_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/executor.h"
#include "storage/store.h"

namespace caresync::devices {

// The commit that makes the change, by what `reader` shows; nullopt where all is so already.
using MakeCommit = std::function<absl::StatusOr<std::optional<storage::Commit>>(const storage::Reader& reader)>;

// Runs `make` on the executor until its commit is taken, then calls `done` once, on any thread. `store` and `executor`
// must outlive it. Errors: those of `make`, COMMIT_CONFLICT, STORE_FULL, STORE_UNAVAILABLE, those of reading.
void ChangeDeviceRow(storage::Store& store, base::Executor& executor, MakeCommit make,
                     std::function<void(absl::Status)> done);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_ROW_CHANGE_H_

// Carries one sync of a device over gRPC.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_SYNC_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_SYNC_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/uuid.h"
#include "tools/caresync/connection.h"
#include "tools/caresync/device_client.h"
#include "tools/caresync/stop_signal.h"

namespace caresync::cli {

// Where a test ends the process by SIGKILL.
struct KillPoints {
  // After this many batches were made durable, before the last of them is acked. 0: never.
  uint64_t after_batches = 0;
  // After `caught_up` was made durable, before it is acked.
  bool before_last_ack = false;
};

struct SyncRun {
  base::Uuid device;
  SyncPlan plan;
  absl::Duration timeout;
  KillPoints kill;
  // Told of each message once it is durable, before it is acked. An error ends the sync with it.
  std::function<absl::Status(const v1::SyncResponse&)> on_response;
  // With `plan.follow`: ends the following. Must outlive the run.
  StopSignal* stop = nullptr;
};

// What the server and the store said of it; OK: the sync is recorded. One that follows goes on until it is stopped; it
// starts again by itself where the server goes away, or wants to see a new credential, as ComingBack says.
// Where the server does not take the token, it starts again at once, with none.
absl::Status RunSync(const Connection& connection, const DeviceStore& store, const SyncRun& run);

// The word for how a sync ended: succeeded, taken over, diverged, waiting, refused, interrupted.
std::string OutcomeText(const absl::Status& status);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_SYNC_H_

// What a server has below its edges, at work on threads of its own.
#ifndef CARESYNC_TESTS_SYNC_THREADED_SERVER_H_
#define CARESYNC_TESTS_SYNC_THREADED_SERVER_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "server/base/random.h"
#include "server/base/sealed_token.h"
#include "server/commit/head_memo.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/tasks.h"
#include "server/devices/device_registry.h"
#include "server/devices/syncs_under_way.h"
#include "server/mismatch/integration_lag.h"
#include "server/records/closing_edge_allowance.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "server/sync/session_driver.h"
#include "storage/memory_store.h"

namespace caresync::sync {

// The parts of one server with one tenant, as main.cc puts them together, on a store in memory. Clock and randomness
// are the system's: those of tests have a lock, which would put the threads in an order that they do not have. A
// commit has so little room that most changes of groups become fan-outs; nothing is refused because the machine is
// slow. Thread-safe.
class ThreadedServer {
 public:
  explicit ThreadedServer(int threads);
  // Every session must have ended.
  ~ThreadedServer();
  ThreadedServer(const ThreadedServer&) = delete;
  ThreadedServer& operator=(const ThreadedServer&) = delete;

  const base::TenantId& tenant() const { return tenant_; }
  const SyncParts& parts() const { return parts_; }
  std::unique_ptr<storage::Snapshot> Snapshot() const;

  // Each waits for its end, which the work of other threads leads to.
  absl::Status Run(commit::Change change);
  // One message of changes of `source`; dies where it is refused.
  void Send(const std::string& source, std::vector<v1::RosterChange> changes);
  // Tried again where another update came between. A session of the device is told what it is to drop.
  absl::Status Update(const v1::UpdateDeviceRequest& request);

  // How often the word went out that a fan-out was through.
  size_t fan_outs() const { return fan_outs_; }

 private:
  const base::TenantId tenant_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  storage::MemoryStore store_;
  const base::TokenSealer sealer_;
  std::unique_ptr<base::ThreadExecutor> executor_;
  const std::string timeline_;
  commit::Subscriptions subscriptions_;
  mismatch::IntegrationLag lag_{clock_};
  commit::Sequencer sequencer_;
  records::ClosingEdgeAllowance closing_edge_;
  commit::TaskRunner tasks_;
  devices::DeviceRegistry registry_;
  LiveSessions live_;
  Admission admission_;
  commit::HeadMemo memo_{base::limits::kHeadMemoBytes};
  const SyncParts parts_;
  const devices::SyncsUnderWay syncs_under_way_;
  std::atomic<size_t> fan_outs_ = 0;
  commit::Subscriptions::Handle heard_;
};

}  // namespace caresync::sync

#endif  // CARESYNC_TESTS_SYNC_THREADED_SERVER_H_

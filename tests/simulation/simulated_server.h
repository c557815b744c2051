// One run of the server without gRPC: everything from the store to the live sessions, in one thread.
#ifndef CARESYNC_TESTS_SIMULATION_SIMULATED_SERVER_H_
#define CARESYNC_TESTS_SIMULATION_SIMULATED_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "server/commit/head_memo.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/tasks.h"
#include "server/deliveries/mark_teller.h"
#include "server/devices/device_registry.h"
#include "server/devices/syncs_under_way.h"
#include "server/records/closing_edge_allowance.h"
#include "server/restore/standing.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "server/sync/session_driver.h"
#include "storage/memory_store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"
#include "tests/simulation/late_store.h"
#include "tests/simulation/observed_store.h"

namespace caresync::simulation {

// Who is told of a server's commits, from the store upwards.
struct CommitWatches {
  // By the store itself: what a fault keeps back does not come there.
  CommitWatch of_store;
  // By all who ask for commits, before any fault comes in between.
  CommitWatch of_callers;
  // Likewise by the sequencer alone.
  CommitWatch of_sequencer;
  // Which commits come behind the next one.
  LateStore::ComesBehind comes_behind;
};

// Used by one thread. What is random, the order of ready work included, repeats with the seed.
class SimulatedServer {
 public:
  // Opens `memory` on a timeline of its own. `clock` must outlive it.
  SimulatedServer(std::unique_ptr<storage::MemoryStore> memory, fakes::ManualClock& clock, uint64_t seed,
                  size_t batch_bytes, const commit::CommitRoom& room, CommitWatches watches);
  // All sessions must have ended.
  ~SimulatedServer();

  // Goes on until nothing is under way, with no fault any more. Nobody hears of its commits: for a server that has
  // crashed, so that what it still does leads nowhere.
  void RunOut();

  // As DeviceService.UpdateDevice does it: a device that is connected is told what it is to drop.
  void UpdateDevice(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
                    std::function<void(absl::Status)> done);

  // As TenantService.UpdateTenant does it when the change is made: whoever is connected is told.
  void TellPreferences(const base::TenantId& tenant);

  // What happens in a look at a tenant's mismatches, behind what it reads and before its commit. Asked in each look
  // until it says that it has happened.
  using InLook = std::function<bool(const base::TenantId& tenant)>;
  // nullptr: nothing.
  void DuringNextLook(InLook meanwhile) { in_look_ = std::move(meanwhile); }

  storage::MemoryStore& memory() { return *memory_; }
  fakes::FaultyStore& store() { return store_; }
  fakes::ManualExecutor& executor() { return executor_; }
  commit::Sequencer& sequencer() { return sequencer_; }
  sync::LiveSessions& live() { return live_; }
  const base::TokenSealer& sealer() const { return sealer_; }
  const sync::SyncParts& parts() const { return parts_; }
  // This opening of the store: its timeline.
  const std::string& opening() const { return opening_; }
  restore::Opening restore_opening() const { return sync::OpeningOf(parts_); }

 private:
  void RegisterTasks(const base::Clock& clock);

  std::unique_ptr<storage::MemoryStore> memory_;
  InLook in_look_;
  ObservedStore observed_;
  LateStore late_;
  fakes::FaultyStore store_;
  ObservedStore of_callers_;
  ObservedStore of_sequencer_;
  fakes::ManualExecutor executor_;
  fakes::SeededRandom random_;
  const std::string opening_;
  commit::Subscriptions subscriptions_;
  mismatch::IntegrationLag lag_;
  commit::Sequencer sequencer_;
  deliveries::MarkTeller teller_{sequencer_, executor_};
  records::ClosingEdgeAllowance closing_edge_;
  commit::TaskRunner tasks_;
  devices::DeviceRegistry registry_;
  base::TokenSealer sealer_;
  sync::LiveSessions live_;
  sync::Admission admission_;
  commit::HeadMemo memo_;
  sync::SyncParts parts_;
  const devices::SyncsUnderWay syncs_under_way_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SIMULATED_SERVER_H_

// The edge served in the test's own process: real gRPC on a free port and real threads over a store in memory; time
// passes when the test says so.
#ifndef CARESYNC_TESTS_RPC_SERVED_EDGE_H_
#define CARESYNC_TESTS_RPC_SERVED_EDGE_H_

#include <future>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/access/signing_key.h"
#include "server/access/token_verifier.h"
#include "server/base/limits.h"
#include "server/base/sealed_token.h"
#include "server/commit/head_memo.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/devices/device_registry.h"
#include "server/mismatch/integration_lag.h"
#include "server/rpc/edge.h"
#include "server/rpc/server.h"
#include "server/sync/admission.h"
#include "server/sync/live_sessions.h"
#include "storage/memory_store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/timed_threads.h"
#include "tests/integration/client.h"

namespace caresync::rpc {

// Begins at the real time, so that the client's credentials are of today. Tasks do not run. Used by one thread.
class ServedEdge {
 public:
  ServedEdge();
  // Shuts down.
  ~ServedEdge();
  ServedEdge(const ServedEdge&) = delete;
  ServedEdge& operator=(const ServedEdge&) = delete;

  fakes::FaultyStore& store() { return store_; }
  Server& server() { return *server_; }
  // The streams of devices that are open.
  OpenCalls& sessions() { return edge_.sessions; }
  // Those that are refused and being written down.
  OpenCalls& refused_calls() { return edge_.refused_calls; }
  // Gone after Shutdown.
  const integration::Client& client() const { return *client_; }

  // A client that reaches the server by way of `address`.
  std::unique_ptr<integration::Client> ClientBy(const std::string& address) const;

  // Copies that are being made.
  size_t copies() const { return admission_.copies(); }
  // As if work had waited for so long before it began.
  void SetDelay(absl::Duration delay) { executor_.SetDelay(delay); }
  // Timers that sessions and writes have set.
  size_t timers() const { return executor_.timers(); }
  // Waits until so many timers are set; false where they are not for half a minute.
  bool WaitForTimers(size_t count) const;
  void Advance(absl::Duration step) { executor_.Advance(step); }
  // Waits until all that was posted has run, that of timers that fell due too; false where it has not for half a
  // minute.
  bool WaitForWork() const;
  // Lets time pass in such steps until `end` is ready, as often as `timers` are set.
  grpc::Status AdvanceUntil(std::future<grpc::Status> end, size_t timers, absl::Duration step);

  // As Server::Shutdown; nothing is served or logged any more when it returns.
  void Shutdown();

 private:
  fakes::TemporaryDirectory folder_;
  const std::shared_ptr<const access::SigningKey> key_;
  fakes::ManualClock clock_;
  fakes::SeededRandom random_{1};
  storage::MemoryStore memory_;
  fakes::FaultyStore store_{memory_};
  fakes::TimedThreads executor_{clock_, 2};
  const base::TokenSealer sealer_;
  const std::string opening_;
  commit::Subscriptions subscriptions_;
  commit::Sequencer sequencer_;
  devices::DeviceRegistry registry_;
  sync::LiveSessions live_;
  sync::Admission admission_;
  commit::HeadMemo memo_{base::limits::kHeadMemoBytes};
  mismatch::IntegrationLag lag_{clock_};
  access::TokenVerifier verifier_;
  Edge edge_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<integration::Client> client_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_TESTS_RPC_SERVED_EDGE_H_

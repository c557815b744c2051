#include "tests/rpc/served_edge.h"

#include <chrono>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/limits.h"
#include "server/commit/timeline.h"
#include "tests/fakes/eventually.h"

namespace caresync::rpc {
namespace {

constexpr size_t kTokenKeyBytes = 32;
constexpr std::chrono::milliseconds kBetweenSteps(10);

std::unique_ptr<Server> Serve(Edge& edge) {
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start("127.0.0.1:0", edge);
  ABSL_RAW_CHECK(server.ok(), "no free port");
  return *std::move(server);
}

}  // namespace

ServedEdge::ServedEdge()
    : key_(*access::SigningKey::OpenOrCreate(folder_ / "signing_key.json")),
      sealer_(random_.Bytes(kTokenKeyBytes)),
      opening_(commit::NewTimeline(random_)),
      sequencer_(store_, clock_, random_, executor_, subscriptions_, opening_),
      registry_(store_, clock_, executor_),
      admission_(executor_, random_, clock_),
      verifier_(key_, clock_),
      edge_{.store = store_,
            .clock = clock_,
            .executor = executor_,
            .sequencer = sequencer_,
            .subscriptions = subscriptions_,
            .sealer = sealer_,
            .verifier = verifier_,
            .devices = registry_,
            .sync = {.store = store_,
                     .sequencer = sequencer_,
                     .subscriptions = subscriptions_,
                     .clock = clock_,
                     .executor = executor_,
                     .random = random_,
                     .sealer = sealer_,
                     .live = live_,
                     .admission = admission_,
                     .memo = memo_,
                     .lag = lag_,
                     .opening = opening_,
                     .batch_bytes = base::limits::kBatchBytes,
                     .opened = clock_.Monotonic()}} {
  clock_.SetNow(absl::Now());
  server_ = Serve(edge_);
  client_ = std::make_unique<integration::Client>(absl::StrCat("127.0.0.1:", server_->port()), key_);
}

ServedEdge::~ServedEdge() { Shutdown(); }

std::unique_ptr<integration::Client> ServedEdge::ClientBy(const std::string& address) const {
  return std::make_unique<integration::Client>(address, key_);
}

bool ServedEdge::WaitForTimers(size_t count) const {
  return fakes::Eventually([&] { return timers() == count; });
}

bool ServedEdge::WaitForWork() const {
  return fakes::Eventually([&] { return executor_.left() == 0; });
}

grpc::Status ServedEdge::AdvanceUntil(std::future<grpc::Status> end, size_t timers, absl::Duration step) {
  while (end.wait_for(kBetweenSteps) != std::future_status::ready) {
    if (executor_.timers() == timers) Advance(step);
  }
  return end.get();
}

void ServedEdge::Shutdown() {
  client_.reset();
  server_.reset();
  sequencer_.WaitUntilIdle();
}

}  // namespace caresync::rpc

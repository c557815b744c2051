// What the tests of commit/ stand on: a store that can fail, a clock and an executor that obey, and a sequencer on top.
#ifndef CARESYNC_TESTS_COMMIT_COMMIT_BENCH_H_
#define CARESYNC_TESTS_COMMIT_COMMIT_BENCH_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/commit/sequencer.h"
#include "server/commit/subscriptions.h"
#include "server/commit/transaction.h"
#include "storage/memory_store.h"
#include "storage/store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::commit {

inline base::TenantId TenantNamed(std::string_view name) { return base::TenantId::Parse(name).value(); }

inline constexpr storage::Space kRecords = storage::Space::kRecords;

// One opening of a store by one process.
struct CommitBench {
  explicit CommitBench(storage::Store& inner, const std::string& timeline = "first")
      : store(inner),
        // Two processes must not make the same commit IDs.
        random(std::hash<std::string>()(timeline)),
        sequencer(store, clock, random, executor, subscriptions, timeline) {}

  // Submits and runs everything that is ready.
  absl::StatusOr<Committed> Run(Change change) {
    std::optional<absl::StatusOr<Committed>> outcome;
    sequencer.Submit(tenant, std::move(change), [&](absl::StatusOr<Committed> done) { outcome = std::move(done); });
    executor.RunAll();
    if (!outcome.has_value()) return absl::InternalError("the change is not done");
    return *std::move(outcome);
  }

  absl::StatusOr<Committed> RunPut(std::string key, std::string value) {
    return Run([key, value](Transaction& transaction) {
      transaction.Put(kRecords, key, value);
      return absl::OkStatus();
    });
  }

  std::optional<std::string> Read(std::string_view key) {
    return store.NewSnapshot().value()->Get(kRecords, key).value();
  }

  const base::TenantId tenant = TenantNamed("acme");
  fakes::FaultyStore store;
  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::SeededRandom random;
  Subscriptions subscriptions;
  Sequencer sequencer;
};

}  // namespace caresync::commit

#endif  // CARESYNC_TESTS_COMMIT_COMMIT_BENCH_H_

// A store that tells somebody of every commit that takes effect.
#ifndef CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_
#define CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "storage/store.h"

namespace caresync::simulation {

// Called when a commit has taken effect, before anybody else hears of it.
using OnApplied = std::function<void(const std::vector<storage::Write>& writes)>;

// Used by one thread. `inner` must outlive it.
class ObservedStore : public storage::Store {
 public:
  ObservedStore(storage::Store& inner, OnApplied on_applied) : inner_(inner), on_applied_(std::move(on_applied)) {}

  absl::StatusOr<std::unique_ptr<storage::Snapshot>> NewSnapshot() const override { return inner_.NewSnapshot(); }

  void Apply(storage::Commit commit, storage::CommitDone done) override {
    std::vector<storage::Write> writes = commit.writes;
    inner_.Apply(std::move(commit),
                 [this, writes = std::move(writes), done = std::move(done)](storage::CommitResult result) {
                   if (result.outcome == storage::CommitOutcome::kCommitted && on_applied_) on_applied_(writes);
                   done(std::move(result));
                 });
  }

  absl::Status Health() const override { return inner_.Health(); }

  // What takes effect from now on is nobody's business.
  void StopTelling() { on_applied_ = nullptr; }

 private:
  storage::Store& inner_;
  OnApplied on_applied_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_

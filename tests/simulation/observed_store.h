// A store that tells somebody of every commit: that it is tried, that it takes effect, how it is answered.
#ifndef CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_
#define CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "storage/store.h"

namespace caresync::simulation {

// Who is told of commits.
struct CommitWatch {
  // Called before one is tried: it may yet meet a conflict.
  std::function<void(const storage::Commit& commit)> before;
  // Called when one has taken effect, before anybody else hears of it.
  std::function<void(const std::vector<storage::Write>& writes)> applied;
  // Called when it is known what became of one.
  std::function<void(const std::vector<storage::Write>& writes, const storage::CommitResult& result)> answered;
  // Called where no snapshot can be had.
  std::function<void()> read_failed;
};

// Used by one thread. `inner` must outlive it.
class ObservedStore : public storage::Store {
 public:
  ObservedStore(storage::Store& inner, CommitWatch watch) : inner_(inner), watch_(std::move(watch)) {}

  absl::StatusOr<std::unique_ptr<storage::Snapshot>> NewSnapshot() const override {
    absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = inner_.NewSnapshot();
    if (!snapshot.ok() && watch_.read_failed) watch_.read_failed();
    return snapshot;
  }

  void Apply(storage::Commit commit, storage::CommitDone done) override {
    if (watch_.before) watch_.before(commit);
    std::vector<storage::Write> writes = commit.writes;
    inner_.Apply(std::move(commit),
                 [this, writes = std::move(writes), done = std::move(done)](storage::CommitResult result) {
                   if (result.outcome == storage::CommitOutcome::kCommitted && watch_.applied) watch_.applied(writes);
                   if (watch_.answered) watch_.answered(writes, result);
                   done(std::move(result));
                 });
  }

  absl::Status Health() const override { return inner_.Health(); }

  // What takes effect from now on is nobody's business.
  void StopTelling() { watch_ = {}; }

 private:
  storage::Store& inner_;
  CommitWatch watch_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_OBSERVED_STORE_H_

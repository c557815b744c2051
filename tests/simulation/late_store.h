// A store in which a commit that comes late may come later still: behind the one that is tried in its place.
#ifndef CARESYNC_TESTS_SIMULATION_LATE_STORE_H_
#define CARESYNC_TESTS_SIMULATION_LATE_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "storage/store.h"

namespace caresync::simulation {

// Used by one thread. `inner` must outlive it.
class LateStore : public storage::Store {
 public:
  // Whether the commit is to come behind the next one. Nobody may wait for such a one.
  using ComesBehind = std::function<bool(const storage::Commit& commit)>;

  LateStore(storage::Store& inner, ComesBehind comes_behind) : inner_(inner), comes_behind_(std::move(comes_behind)) {}

  absl::StatusOr<std::unique_ptr<storage::Snapshot>> NewSnapshot() const override { return inner_.NewSnapshot(); }

  void Apply(storage::Commit commit, storage::CommitDone done) override {
    if (!kept_.has_value() && comes_behind_ && comes_behind_(commit)) {
      kept_ = std::move(commit);
      return;
    }
    inner_.Apply(std::move(commit), std::move(done));
    if (!kept_.has_value()) return;
    inner_.Apply(*std::exchange(kept_, std::nullopt), [](const storage::CommitResult&) {});
  }

  absl::Status Health() const override { return inner_.Health(); }

  // From now on every commit comes at once; one that is kept never comes.
  void StopKeeping() {
    comes_behind_ = nullptr;
    kept_.reset();
  }

 private:
  storage::Store& inner_;
  ComesBehind comes_behind_;
  std::optional<storage::Commit> kept_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_LATE_STORE_H_

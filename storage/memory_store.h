// A Store in memory, for tests and simulation: the same contract as the engines on disk, nothing survives it.
#ifndef CARESYNC_STORAGE_MEMORY_STORE_H_
#define CARESYNC_STORAGE_MEMORY_STORE_H_

#include <memory>

#include "storage/store.h"

namespace caresync::storage {

// Commits take effect, and `done` is called, before Apply returns. A snapshot costs a copy of the tree's root, not of
// its rows.
class MemoryStore : public Store {
 public:
  MemoryStore();
  ~MemoryStore() override;

  absl::StatusOr<std::unique_ptr<Snapshot>> NewSnapshot() const override;
  void Apply(Commit commit, CommitDone done) override;
  absl::Status Health() const override;

  // A store with the same content that goes its own way from here: what a backup would hold.
  std::unique_ptr<MemoryStore> Copy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_MEMORY_STORE_H_

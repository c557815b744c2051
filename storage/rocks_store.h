// The Store on an embedded RocksDB: one directory, one process, fsynced commits that share a flush.
#ifndef CARESYNC_STORAGE_ROCKS_STORE_H_
#define CARESYNC_STORAGE_ROCKS_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "storage/store.h"

namespace caresync::storage {

// Free room on the disk that commits leave alone: for flushing all memtables, and for compacting when it is needed
// most.
inline constexpr uint64_t kReservedBytes = uint64_t{256} << 20;

// One committer thread drains a queue of commits: it checks the preconditions, writes what holds as one batch with one
// fsync, and calls each `done` on its own thread; `done` must not block. A failed flush is final: from then on Health()
// says so, every commit is answered kUnavailable, there are no new snapshots, and the process is expected to exit.
class RocksStore : public Store {
 public:
  // Opens or creates the store in `directory` (made if absent, its parent must exist).
  // Errors: kFailedPrecondition where another process holds it, or it has a newer format (nothing is changed then);
  // kDataLoss where it is damaged; kUnavailable for any other failure of the disk. Each message says what to do.
  //
  // While fewer than `reserved_bytes` are free on its disk, commits are answered kFull and Health() says so; reads go
  // on.
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& directory,
                                                          uint64_t reserved_bytes = kReservedBytes);

  // Waits for the commits that were taken.
  ~RocksStore() override;

  absl::StatusOr<std::unique_ptr<Snapshot>> NewSnapshot() const override;
  void Apply(Commit commit, CommitDone done) override;
  absl::Status Health() const override;
  // Not OK once the store has failed for good: it takes no commits until the process is started again. A full disk is
  // no such failure: Health() tells that, and it passes.
  absl::Status Failure() const;

 private:
  class Engine;
  explicit RocksStore(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine_;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_STORE_H_

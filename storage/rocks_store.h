// The Store on an embedded RocksDB: one directory, one process, fsynced commits that share a flush.
#ifndef CARESYNC_STORAGE_ROCKS_STORE_H_
#define CARESYNC_STORAGE_ROCKS_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "storage/store.h"

namespace rocksdb {
class Env;
class EventListener;
}  // namespace rocksdb

namespace caresync::storage {

// Free room on the disk that commits leave alone: for flushing all memtables, and for compacting when it is needed
// most.
inline constexpr uint64_t kReservedBytes = uint64_t{256} << 20;

// What a server takes as it is. Tests have less room, other disks, and files that are full sooner.
struct RocksSetup {
  // While fewer are free on the store's disk, commits are answered kFull and Health() says so; reads go on.
  uint64_t reserved_bytes = kReservedBytes;
  // What the database's files go through; must outlive the store. Null: the system itself.
  rocksdb::Env* env = nullptr;
  // Hears what the store hears of the database, after it. Null: nobody does.
  std::shared_ptr<rocksdb::EventListener> listener = nullptr;
  // What a space may hold in memory before it goes to a file. 0: as it is tuned.
  size_t memtable_bytes = 0;
};

// One committer thread drains a queue of commits: it checks the preconditions, writes what holds as one batch with one
// fsync, and calls each `done` on its own thread; `done` must not block. A failed flush is final: from then on Health()
// says so, every commit is answered kUnavailable, there are no new snapshots, and the process is expected to exit.
class RocksStore : public Store {
 public:
  // Opens or creates the store in `directory` (made if absent, its parent must exist).
  // Errors: kFailedPrecondition where another process holds it, or it has a newer format (nothing is changed then);
  // kDataLoss where it is damaged; kUnavailable for any other failure of the disk. Each message says what to do.
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& directory, const RocksSetup& setup = {});

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

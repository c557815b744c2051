// What RocksDB tells of its work in the background, and what that says of a write which it does not take.
//
// After a flush or a compaction that failed RocksDB takes no writes until it is resumed. It tells of the failure a
// moment before: resuming then finds nothing to do, commits still go through, and the write that is refused comes
// later. That write reached no log, so the store can go on once its tables can be written; after a failed write to the
// log it cannot.
//
// Thread-safe.
#ifndef CARESYNC_STORAGE_ROCKS_ERRORS_H_
#define CARESYNC_STORAGE_ROCKS_ERRORS_H_

#include <rocksdb/listener.h>
#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "storage/mutex.h"

namespace caresync::storage {

class RocksErrors : public rocksdb::EventListener {
 public:
  // UNAVAILABLE while RocksDB has to be resumed before it takes writes.
  absl::Status Stopped() const ABSL_LOCKS_EXCLUDED(mutex_);

  // RocksDB was resumed.
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);

  // UNAVAILABLE where a write that failed with `status` was refused for an earlier failure of tables, and nothing of it
  // was written; Stopped() then says so, too. OK where the log may hold some of it.
  absl::Status Refused(const rocksdb::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override;

 private:
  mutable Mutex mutex_;
  rocksdb::Status stopped_ ABSL_GUARDED_BY(mutex_);
  // Whether there ever was one of these. RocksDB tells of a write that failed, too, before it returns from it.
  bool tables_failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_failed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_ERRORS_H_

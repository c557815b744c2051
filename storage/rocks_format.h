// The directory of a RocksStore: who holds it, of which format it is, and how much of it must still be there.
//
//   LOCK          held (flock) by the process that has the store open; its text is that process's ID
//   FORMAT        the format of all that follows; written before anything else
//   ACKNOWLEDGED  up to where the store has told anyone that a commit is durable
//   RECOVERED     the last log that went into the database's tables when the store was opened
//   rocksdb/      the database
//   opening/      while the store opens: the database's logs as they were before
//   recovery/     what was in opening/ when an opening found damage; an operator's to take away, never the store's
#ifndef CARESYNC_STORAGE_ROCKS_FORMAT_H_
#define CARESYNC_STORAGE_ROCKS_FORMAT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace caresync::storage {

// Grows when a store written by this code cannot be read by the code before it.
inline constexpr uint32_t kRocksFormat = 1;

// Holds the directory from Open to its destruction. Used by one thread at a time.
class RocksDirectory {
 public:
  // Makes the directory, and writes its format, where it is new; its parent must exist.
  // Errors: kFailedPrecondition where another process holds it or its format is newer; kDataLoss where the format is
  // missing beside data, or unreadable; kUnavailable for any other failure of the disk. In the first two nothing has
  // been changed.
  static absl::StatusOr<std::unique_ptr<RocksDirectory>> Open(const std::string& directory);

  ~RocksDirectory();
  RocksDirectory(const RocksDirectory&) = delete;
  RocksDirectory& operator=(const RocksDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string database_path() const;
  std::string recovery_path() const;

  // Makes the database's directory where it is not there; a power cut does not take it away again. RocksDB flushes what
  // is in it, and leaves to others where it is.
  // Errors: kUnavailable.
  absl::Status MakeDatabase() const;

  // The sequence number of the last commit that was acknowledged as durable; nullopt in a new store, and where an
  // operator has deleted the mark to go on without what is missing. A database that recovers to less has lost
  // acknowledged commits.
  //
  // Each mark is written after the commits it covers are on the disk and is itself not flushed at once, so it may lag
  // after a power cut (by what the kernel holds back, some 30 seconds) but never runs ahead: no false alarm.
  std::optional<uint64_t> acknowledged() const { return acknowledged_; }
  // Errors: kUnavailable; the mark is as it was or as it should be.
  absl::Status Acknowledge(uint64_t sequence);
  // Writes the mark through to the disk.
  absl::Status FlushMark();

  // The number of the last of the database's logs that an opening took into its tables; 0 where none is known. The
  // database needs none up to it again: one that does has lost what its manifest said of those tables.
  uint64_t recovered_log() const { return recovered_log_; }
  // Durable when it returns. Errors: kUnavailable.
  absl::Status SetRecoveredLog(uint64_t log);

  // Opening the database reads its logs and deletes them, also where what it could read is less than what was
  // acknowledged. So they are kept aside (as hard links, where the file system has those) until that has been compared;
  // then they are dropped, or kept for the operator, beside what was kept for them before.
  void KeepLogsAside() const;
  void DropLogsAside() const;
  void KeepLogsForRecovery() const;

 private:
  RocksDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string opening_path() const;
  absl::Status CheckFormat() const;
  absl::Status OpenMark();
  absl::Status ReadRecoveredLog();

  const std::string path_;
  const int lock_;
  int mark_ = -1;
  std::optional<uint64_t> acknowledged_;
  uint64_t recovered_log_ = 0;
};

// Bytes that may still be written in `directory`. Errors: kUnavailable.
absl::StatusOr<uint64_t> FreeBytes(const std::string& directory);

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_FORMAT_H_

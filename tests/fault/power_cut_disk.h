// A disk that knows what a power cut would leave of it: of each file the bytes that were flushed, of the directory the
// names that were. RocksDB writes to it as to any other.
#ifndef CARESYNC_TESTS_FAULT_POWER_CUT_DISK_H_
#define CARESYNC_TESTS_FAULT_POWER_CUT_DISK_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/mutex.h"

namespace caresync::fault {

// What there is in a directory: bytes by name.
using Files = std::map<std::string, std::string>;

// What of the rest a power cut leaves: what was flushed it leaves always.
enum class Leaves {
  kNothing,  // A disk that wrote nothing it did not have to.
  kNames,    // What was made, renamed and deleted; of the bytes nothing. As a journal of the file system does it.
  // Names up to some point in their order, and of each file's bytes as many as it happens; of a log's last write
  // perhaps all but a page.
  kSome,
};

// The files of one directory, as they are and as they would be. For one thread at a time.
class DiskState {
 public:
  // A disk that holds these, flushed.
  explicit DiskState(const Files& files);

  // As the system does it. Names are those of files in the directory.
  void Make(const std::string& name);
  void Append(const std::string& name, std::string_view bytes);
  void Truncate(const std::string& name, size_t size);
  void Rename(const std::string& from, const std::string& to);
  void Delete(const std::string& name);
  void FlushBytes(const std::string& name);
  void FlushNames();

  Files Cut(Leaves leaves, std::mt19937_64& random) const;

 private:
  struct File {
    std::string bytes;
    size_t flushed = 0;
    // Where the last write began.
    size_t last_write = 0;
  };
  static std::string LeftOf(const File& file, bool last_log, std::mt19937_64& random);
  using Names = std::map<std::string, std::shared_ptr<File>>;
  // One step: `name` stands for `file` (null: for none), and `also_gone` for none.
  struct NameChange {
    std::string name;
    std::shared_ptr<File> file;
    std::string also_gone;
  };

  static void Take(const NameChange& change, Names& names);
  void Change(NameChange change);

  Names now_;
  Names flushed_;
  // What made `now_` of `flushed_`, in order.
  std::vector<NameChange> not_flushed_;
};

// What a fault may take the flush of away from.
enum class Flush { kLogs, kManifest, kTables, kNames };

// Called after each step that changes the disk, on the thread that did it; it must not use the disk otherwise.
using OnStep = std::function<void(const DiskState& disk)>;

// The files lie in a real directory, where other code may read them; flushes of the real disk are left out, since the
// power of this one is cut in DiskState alone. Thread-safe.
class PowerCutDisk : public rocksdb::FileSystemWrapper {
 public:
  // What lies in `directory` survived. `swallowed`: flushes that are answered and not done.
  PowerCutDisk(const std::string& directory, OnStep on_step, std::set<Flush> swallowed = {});

  const char* Name() const override { return "PowerCutDisk"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override ABSL_LOCKS_EXCLUDED(mutex_);
  rocksdb::IOStatus Truncate(const std::string& path, size_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override ABSL_LOCKS_EXCLUDED(mutex_);

  // One step, told of afterwards. False where the flush was swallowed.
  void Step(const std::function<void(DiskState&)>& change) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Does(Flush flush) const { return !swallowed_.contains(flush); }

 private:
  const OnStep on_step_;
  const std::set<Flush> swallowed_;
  storage::Mutex mutex_;
  DiskState state_ ABSL_GUARDED_BY(mutex_);
};

// The files of a directory, and a directory of these files, which is made.
Files ReadFiles(const std::string& directory);
void WriteFiles(const std::string& directory, const Files& files);

}  // namespace caresync::fault

#endif  // CARESYNC_TESTS_FAULT_POWER_CUT_DISK_H_

// How RocksDB is set up, each choice with its reason. The numbers are bounds on memory, disk and time of recovery.
#ifndef CARESYNC_STORAGE_ROCKS_OPTIONS_H_
#define CARESYNC_STORAGE_ROCKS_OPTIONS_H_

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <chrono>
#include <cstddef>
#include <vector>

#include "storage/store.h"

namespace caresync::storage {

// Commits and bytes that share one flush: more would not make a flush cheaper, but would make the first one wait for
// the last.
inline constexpr size_t kGroupCommits = 1'024;
inline constexpr size_t kGroupBytes = size_t{4} << 20;
// Commits that wait while the disk is slow. Past it they are answered kFull: the memory of the process is not a queue.
inline constexpr size_t kQueuedBytes = size_t{256} << 20;
// How often an idle store looks whether it could still write, and a stopped one whether it can again.
inline constexpr std::chrono::seconds kProbeEvery{1};

rocksdb::DBOptions DatabaseOptions();

// All column families: RocksDB's own "default", which stays empty, then one for each Space in the order of the enum.
std::vector<rocksdb::ColumnFamilyDescriptor> SpaceFamilies();

// For reads: every block that comes from the disk is checked.
rocksdb::ReadOptions CheckedReads();

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_OPTIONS_H_

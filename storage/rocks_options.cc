#include "storage/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <memory>

#include "storage/rocks_log.h"

namespace caresync::storage {
namespace {

constexpr size_t kMebi = size_t{1} << 20;

// The hot rows of a fleet (feed heads, device rows, the day's visits); indexes and filters count against it, so that
// memory does not grow with the store.
constexpr size_t kBlockCacheBytes = 256 * kMebi;
// All memtables together.
constexpr size_t kMemtableBytes = 128 * kMebi;
constexpr size_t kMemtableBytesOfSpace = 32 * kMebi;
// What a start has to replay at most: a few seconds.
constexpr uint64_t kWalBytes = 256 * kMebi;
// Descriptors that RocksDB may hold; the others of the process are for connections.
constexpr int kOpenFiles = 512;
// About 1 % of the reads of an absent key go to the disk.
constexpr double kBloomBitsPerKey = 10;
// An entry that moves to the end leaves a deletion behind. A feed whose entries move all day becomes a long stretch of
// them that each new copy steps over. Deletions weigh more than their bytes where RocksDB chooses what to merge, and
// after this time tables are merged as soon as there is nothing else to merge. docs/adr/0013 says why they are not
// merged as soon as they hold many deletions.
constexpr uint64_t kWrittenStaysSeconds = uint64_t{24} * 60 * 60;

rocksdb::ColumnFamilyOptions FamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  // The newest files are asked first by every read.
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // Absent keys are asked for all the time: is there a place in this feed, an event of this ID, a grant.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.optimize_filters_for_memory = true;
  // In parts of 4 KiB: a large file's filter as one block takes megabytes, more than a shard of the cache keeps, and
  // would be read and checked anew by every read of an absent key.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = kMemtableBytesOfSpace;
  // One is written while another is flushed; a third absorbs a burst.
  options.max_write_buffer_number = 3;
  // Reads of what is not among the newest rows, which are most, need not search them: a search misses the processor's
  // caches at each of its steps once a memtable is full of what a large fan-out wrote.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  // Room for garbage is a tenth of the data and not as much again.
  options.level_compaction_dynamic_level_bytes = true;
  // Cheap where data is young and rewritten soon, small where most of it rests. Both are in Debian's build.
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  // Damage made by a compaction is found there and not a year later.
  options.force_consistency_checks = true;
  return options;
}

rocksdb::ColumnFamilyOptions OptionsOf(Space space, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = FamilyOptions(cache);
  if (space != Space::kFeeds) return options;
  // Mostly IDs and fingerprints, which nothing makes smaller, and rewritten by every large fan-out.
  options.bottommost_compression = rocksdb::kLZ4Compression;
  // A table of what was written lately spans nearly all feeds, be it for a few entries of most of them, and is merged
  // with the whole of the first level. So that level is no larger than the tables that come to it together; below it
  // smaller files keep what is not concerned out of it.
  options.max_bytes_for_level_base = 64 * kMebi;
  options.target_file_size_base = 16 * kMebi;
  options.target_file_size_multiplier = 2;
  // A few entries far from the others must not make one wide table of them all: it would be merged with whatever lies
  // between. Tables are cut so that each meets no more than this of the next level, and none that meets more is moved
  // down as it is.
  options.max_compaction_bytes = 64 * kMebi;
  options.ttl = kWrittenStaysSeconds;
  return options;
}

}  // namespace

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_missing_column_families = true;
  // Any doubt about what is on the disk stops writing rather than building on it.
  options.paranoid_checks = true;

  // After a power cut the log may end in the middle of a commit that nobody was told of, so a log cut short must open:
  // kAbsoluteConsistency is out. RocksDB's default, kPointInTimeRecovery, would also open a log that is damaged in its
  // middle: it drops everything from there on, acknowledged commits among them, says nothing, and deletes the log. This
  // mode refuses a record whose checksum is wrong and leaves the files as they are (rocks_survey.h then looks whether
  // it is only a torn end); it forgives an incomplete last record of a log, which in the last 32 KiB includes a record
  // whose length was damaged.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // What that forgives too much, three checks find: a log that is not the last one and is missing or short (this
  // option; RocksDB notes the size of each log that is closed and flushed); commits that are missing between others
  // (the order of what is replayed, rocks_survey.h); and a last log that is missing or ends before what was
  // acknowledged (RocksDirectory's mark, compared before anything is changed).
  options.track_and_verify_wals_in_manifest = true;
  // A reused file would hold old records behind the end of the new ones; it also rules out the mode above.
  options.recycle_log_file_num = 0;
  options.max_total_wal_size = kWalBytes;

  options.db_write_buffer_size = kMemtableBytes;
  options.max_open_files = kOpenFiles;
  // Flushes and compactions; they share the machine with the server's own threads.
  options.max_background_jobs = 2;
  // What is compacted can wait, devices do not: it gets what they leave of the processors, and a core where it runs
  // counts as free for what wakes up. A flush is waited for.
  options.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kIdle);
  // Large files go to the disk bit by bit instead of in one burst that a commit's flush would wait behind.
  options.bytes_per_sync = kMebi;
  // A reader that lets go of the last old file does not delete it itself: reads stay free of such work.
  options.avoid_unnecessary_blocking_io = true;

  options.info_log = std::make_shared<RocksLog>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> SpaceFamilies() {
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  return {
      {rocksdb::kDefaultColumnFamilyName, FamilyOptions(cache)},
      {"records", OptionsOf(Space::kRecords, cache)},
      {"feeds", OptionsOf(Space::kFeeds, cache)},
      {"devices", OptionsOf(Space::kDevices, cache)},
  };
}

rocksdb::ReadOptions CheckedReads() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

}  // namespace caresync::storage

// What a database will come to when it is opened, found out before anything of it is changed.
//
// RocksDB checks each record of a log by itself. A record whose type or length was damaged can pass for the end of its
// log, and the next log is read all the same: commits in the middle would be missing, and nobody told. The same befalls
// the manifest, with tables that are no longer known. So their order is looked at as well: each commit begins with the
// sequence number behind the last one's, and the first in the logs no later than behind the tables. A manifest that
// ends sooner may name the tables of one space and not those of another: then it also needs logs that went into tables
// before.
#ifndef CARESYNC_STORAGE_ROCKS_SURVEY_H_
#define CARESYNC_STORAGE_ROCKS_SURVEY_H_

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/wal_filter.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace caresync::storage {

// Lets a replay take the commits of the logs up to the first that does not follow, and none from there on. For one
// opening; it must outlive the database.
class UnbrokenLogs : public rocksdb::WalFilter {
 public:
  // `tables_end`: the last sequence number that the tables know of.
  explicit UnbrokenLogs(uint64_t tables_end) : tables_end_(tables_end) {}

  const char* Name() const override { return "UnbrokenLogs"; }
  WalProcessingOption LogRecordFound(unsigned long long log, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* other, bool* changed) override;

 private:
  const uint64_t tables_end_;
  // Behind the last commit taken; nullopt: none was yet.
  std::optional<uint64_t> next_;
};

struct Survey {
  // The last sequence number that the tables know of, and the last that can be recovered.
  uint64_t tables_end = 0;
  uint64_t end = 0;
  // The number of the first log of which not all spaces are known to be in tables; nullopt: there are no logs.
  std::optional<uint64_t> needed_log;
  // The number of the last log that holds a commit; 0: none does.
  uint64_t last_log = 0;
  // What lies behind cannot be read, and nothing that can lies behind that: as a write does that a power cut has torn,
  // and damage where the logs end. The mark tells which. kPointInTimeRecovery opens it, up to there.
  bool torn = false;
};

// Reads the manifest and the logs of the database in `path`. Its errors are those of opening it, but where that is
// torn; nothing is changed.
rocksdb::Status LookThrough(const rocksdb::DBOptions& options, const std::string& path,
                            const std::vector<rocksdb::ColumnFamilyDescriptor>& families, Survey* survey);

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_SURVEY_H_

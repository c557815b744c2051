// What a caresyncd that was stopped has written, as it wrote it: the batches of rows that RocksDB's log holds, each
// made durable at once.
#ifndef CARESYNC_LOADTEST_KEPT_COMMITS_H_
#define CARESYNC_LOADTEST_KEPT_COMMITS_H_

#include <rocksdb/db.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace caresync::loadtest {

// Used by one thread at a time.
class KeptCommits {
 public:
  // Of a server that ran on the new directory `data_dir` and is stopped. Its log is copied to `copy`, where there may
  // be nothing yet, and read there: what RocksDB opens it changes. Errors: kNotFound where no server was; kUnavailable
  // where the log cannot be copied or read; kOutOfRange where its beginning is gone, as after some hundred megabytes.
  static absl::StatusOr<std::unique_ptr<KeptCommits>> Open(const std::string& data_dir, const std::string& copy);
  ~KeptCommits();
  KeptCommits(const KeptCommits&) = delete;
  KeptCommits& operator=(const KeptCommits&) = delete;

  // The next ones in their order, at most `most`; none at the end. Errors: kUnavailable.
  absl::StatusOr<std::vector<rocksdb::WriteBatch>> Next(size_t most);

 private:
  KeptCommits() = default;
  // The next one, whatever it holds: the log gives each of them away once.
  void Read();

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  std::unique_ptr<rocksdb::TransactionLogIterator> log_;
  // Null at the end; else its first row's number in the log.
  std::unique_ptr<rocksdb::WriteBatch> next_;
  rocksdb::SequenceNumber sequence_ = 0;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_KEPT_COMMITS_H_

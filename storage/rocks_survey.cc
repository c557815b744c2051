#include "storage/rocks_survey.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <memory>

namespace caresync::storage {
namespace {

using rocksdb::WriteBatch;
using Option = rocksdb::WalFilter::WalProcessingOption;

// A batch begins with its sequence number, little-endian.
uint64_t SequenceOf(const WriteBatch& batch) {
  const std::string& bytes = batch.Data();
  uint64_t sequence = 0;
  for (size_t i = 0; i < sizeof(sequence) && i < bytes.size(); ++i) {
    sequence |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  return sequence;
}

// Reads the logs and takes none of it.
class LogReader : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "LogReader"; }
  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& logs,
                                const std::map<std::string, uint32_t>&) override {
    for (const auto& [family, log] : logs) needed_log_ = std::min(log, needed_log_.value_or(log));
  }
  Option LogRecordFound(unsigned long long log, const std::string&, const WriteBatch& batch, WriteBatch*,
                        bool*) override {
    if (batch.Count() == 0) return Option::kIgnoreCurrentRecord;
    last_log_ = log;
    const uint64_t sequence = SequenceOf(batch);
    if (!first_.has_value()) first_ = next_ = sequence;
    broken_ = sequence != next_;
    if (broken_) return Option::kStopReplay;
    next_ = sequence + batch.Count();
    return Option::kIgnoreCurrentRecord;
  }

  // Whether a commit came that does not follow on the ones before.
  bool broken() const { return broken_; }

  Survey WithTables(uint64_t tables_end) const {
    Survey survey{.tables_end = tables_end, .end = tables_end, .needed_log = needed_log_, .last_log = last_log_};
    if (first_.has_value() && *first_ <= tables_end + 1) survey.end = std::max(tables_end, next_ - 1);
    return survey;
  }

 private:
  std::optional<uint64_t> first_;
  uint64_t next_ = 0;
  bool broken_ = false;
  std::optional<uint64_t> needed_log_;
  uint64_t last_log_ = 0;
};

rocksdb::Status Read(const rocksdb::DBOptions& options, const std::string& path,
                     const std::vector<rocksdb::ColumnFamilyDescriptor>& families, LogReader* reader, Survey* survey) {
  rocksdb::DBOptions looking = options;
  looking.wal_filter = reader;
  looking.listeners.clear();
  looking.create_if_missing = false;
  looking.create_missing_column_families = false;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(looking, path, families, &handles, &opened);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::DB> db(opened);
  // Nothing of the logs was taken.
  *survey = reader->WithTables(db->GetLatestSequenceNumber());
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return status;
}

}  // namespace

Option UnbrokenLogs::LogRecordFound(unsigned long long, const std::string&, const WriteBatch& batch, WriteBatch*,
                                    bool*) {
  if (batch.Count() == 0) return Option::kContinueProcessing;
  const uint64_t sequence = SequenceOf(batch);
  const bool follows = next_.has_value() ? sequence == *next_ : sequence <= tables_end_ + 1;
  if (!follows) return Option::kStopReplay;
  next_ = sequence + batch.Count();
  return Option::kContinueProcessing;
}

rocksdb::Status LookThrough(const rocksdb::DBOptions& options, const std::string& path,
                            const std::vector<rocksdb::ColumnFamilyDescriptor>& families, Survey* survey) {
  LogReader reader;
  rocksdb::Status status = Read(options, path, families, &reader, survey);
  if (!status.IsCorruption()) return status;

  // A page of the last write that never came to the disk is no end that RocksDB forgives.
  LogReader behind;
  rocksdb::DBOptions skipping = options;
  skipping.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  if (!Read(skipping, path, families, &behind, survey).ok() || behind.broken()) return status;
  survey->torn = true;
  return rocksdb::Status::OK();
}

}  // namespace caresync::storage

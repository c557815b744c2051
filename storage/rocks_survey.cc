#include "storage/rocks_survey.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace caresync::storage {
namespace {

using rocksdb::WriteBatch;
using Option = rocksdb::WalFilter::WalProcessingOption;

constexpr absl::string_view kLogEnding = ".log";

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
    if (!first_log_.has_value()) first_log_ = log;
    if (batch.Count() == 0) return Option::kIgnoreCurrentRecord;
    last_log_ = log;
    const uint64_t sequence = SequenceOf(batch);
    if (!first_.has_value()) first_ = next_ = sequence;
    broken_ = sequence != next_;
    if (broken_) return Option::kStopReplay;
    next_ = sequence + batch.Count();
    return Option::kIgnoreCurrentRecord;
  }

  // Logs before `log` are of no use: they wait to be deleted.
  void KeptFrom(uint64_t log) { kept_from_ = log; }
  // Whether a commit came that does not follow on the ones before.
  bool broken() const { return broken_; }
  // Whether the log is needed, and comes before the first of which anything could be read.
  bool IsPassedOver(uint64_t log) const {
    return needed_log_.has_value() && first_log_.has_value() && std::max(*needed_log_, kept_from_) <= log &&
           log < *first_log_;
  }

  // Whether the logs begin no later than behind what the tables know of.
  bool FollowsOn(uint64_t tables_end) const { return first_.has_value() && *first_ <= tables_end + 1; }

  // Whether they begin later than that: what came before cannot be read.
  bool Misses(uint64_t tables_end) const { return first_.has_value() && !FollowsOn(tables_end); }

  Survey WithTables(uint64_t tables_end) const {
    Survey survey{.tables_end = tables_end, .end = tables_end, .needed_log = needed_log_, .last_log = last_log_};
    // Also where that is before `tables_end`: one space's tables may know of commits that another's still take from
    // the logs.
    if (FollowsOn(tables_end)) survey.end = next_ - 1;
    return survey;
  }

 private:
  std::optional<uint64_t> first_;
  uint64_t next_ = 0;
  bool broken_ = false;
  std::optional<uint64_t> needed_log_;
  uint64_t kept_from_ = 0;
  std::optional<uint64_t> first_log_;
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
  uint64_t kept_from = 0;
  if (db->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &kept_from)) reader->KeptFrom(kept_from);
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return status;
}

// A log that holds something of which nothing could be read, not even its first record, while a later log goes on: no
// sequence number tells that its commits are missing where the tables of another family know of later ones.
rocksdb::Status FindPassedOver(const rocksdb::DBOptions& options, const std::string& path, const LogReader& reader) {
  std::vector<rocksdb::Env::FileAttributes> files;
  rocksdb::Status listed = options.env->GetChildrenFileAttributes(path, &files);
  if (!listed.ok()) return listed;
  for (const rocksdb::Env::FileAttributes& file : files) {
    const std::string_view name = file.name;
    uint64_t log = 0;
    if (!absl::EndsWith(file.name, kLogEnding) ||
        !absl::SimpleAtoi(file.name.substr(0, name.size() - kLogEnding.size()), &log)) {
      continue;
    }
    if (file.size_bytes > 0 && reader.IsPassedOver(log)) {
      return rocksdb::Status::Corruption("nothing of a log can be read that is needed", file.name);
    }
  }
  return rocksdb::Status::OK();
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
  if (status.ok() && reader.FollowsOn(survey->tables_end)) return FindPassedOver(options, path, reader);
  if (!status.IsCorruption()) return status;

  // A page of the last write that never came to the disk is no end that RocksDB forgives.
  LogReader behind;
  rocksdb::DBOptions skipping = options;
  skipping.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  if (!Read(skipping, path, families, &behind, survey).ok()) return status;
  if (behind.broken() || behind.Misses(survey->tables_end)) return status;
  survey->torn = true;
  return rocksdb::Status::OK();
}

}  // namespace caresync::storage

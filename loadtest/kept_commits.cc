#include "loadtest/kept_commits.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "loadtest/bare_store.h"
#include "server/base/status_macros.h"
#include "storage/rocks_options.h"

namespace caresync::loadtest {
namespace {

// In the data directory of a server.
constexpr char kDatabase[] = "/store/rocksdb";
constexpr rocksdb::SequenceNumber kFirst = 1;
// The space of the feeds, after RocksDB's own and that of the records.
constexpr uint32_t kFeedsFamily = 2;
constexpr uint64_t kLogStaysSeconds = uint64_t{24} * 60 * 60;

// What a server does at its start with a log is left undone, so that the log stays: it is not put in tables, and where
// a part of it is all the same, that part is put aside.
rocksdb::DBOptions LeavingTheLog() {
  rocksdb::DBOptions options = storage::DatabaseOptions();
  options.avoid_flush_during_recovery = true;
  options.WAL_ttl_seconds = kLogStaysSeconds;
  return options;
}

absl::Status Copy(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!std::filesystem::exists(from, error)) {
    return absl::NotFoundError(absl::StrCat("there is no store of a caresyncd in ", from));
  }
  std::filesystem::create_directories(std::filesystem::path(to).parent_path(), error);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot copy ", from, " to ", to, ": ", error.message()));
}

class FeedRows : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice&, const rocksdb::Slice&) override { return Note(family); }
  rocksdb::Status DeleteCF(uint32_t family, const rocksdb::Slice&) override { return Note(family); }
  void LogData(const rocksdb::Slice&) override {}

  bool any() const { return any_; }

 private:
  rocksdb::Status Note(uint32_t family) {
    any_ = any_ || family == kFeedsFamily;
    return rocksdb::Status::OK();
  }

  bool any_ = false;
};

absl::StatusOr<bool> ChangesARota(const rocksdb::WriteBatch& batch) {
  FeedRows rows;
  RETURN_IF_ERROR(OfRocksDb(batch.Iterate(&rows)));
  return rows.any();
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeptCommits>> KeptCommits::Open(const std::string& data_dir, const std::string& copy) {
  const std::string database = absl::StrCat(data_dir, kDatabase);
  RETURN_IF_ERROR(Copy(database, copy));
  // Not make_unique: the constructor is private.
  std::unique_ptr<KeptCommits> kept(new KeptCommits);
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(OfRocksDb(rocksdb::DB::Open(LeavingTheLog(), copy, storage::SpaceFamilies(), &kept->families_, &db)));
  kept->db_.reset(db);
  RETURN_IF_ERROR(OfRocksDb(db->GetUpdatesSince(kFirst, &kept->log_)));
  kept->Read();
  if (kept->next_ != nullptr && kept->sequence_ == kFirst) return kept;
  return absl::OutOfRangeError(
      absl::StrCat("the log in ", database, " does not begin with the first commit; let the server run for less long"));
}

KeptCommits::~KeptCommits() {
  log_.reset();
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
}

void KeptCommits::Read() {
  next_.reset();
  if (!log_->Valid()) return;
  rocksdb::BatchResult batch = log_->GetBatch();
  sequence_ = batch.sequence;
  next_ = std::move(batch.writeBatchPtr);
  log_->Next();
}

absl::StatusOr<std::vector<rocksdb::WriteBatch>> KeptCommits::Next(size_t most) {
  std::vector<rocksdb::WriteBatch> batches;
  for (; batches.size() < most && next_ != nullptr; Read()) {
    ASSIGN_OR_RETURN(const bool wanted, ChangesARota(*next_));
    if (wanted) batches.push_back(std::move(*next_));
  }
  RETURN_IF_ERROR(OfRocksDb(log_->status()));
  return batches;
}

}  // namespace caresync::loadtest

#include "loadtest/bare_store.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/kept_commits.h"
#include "loadtest/rota_changer.h"
#include "loadtest/rota_plan.h"
#include "loadtest/server_process.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"
#include "storage/rocks_options.h"

namespace caresync::loadtest {
namespace {

constexpr int kVisitsOfPortion = 100;
// Made at once, while nothing is measured.
constexpr size_t kPortionsOfStretch = 64;
// The space of the records, after RocksDB's own.
constexpr size_t kRecordsFamily = 1;

// An open database with the server's spaces. Not thread-safe.
class BareStore {
 public:
  static absl::StatusOr<std::unique_ptr<BareStore>> Open(const std::string& directory) {
    rocksdb::DBOptions options = storage::DatabaseOptions();
    options.create_if_missing = true;
    // What an earlier run has left would be compacted while this one is measured.
    options.error_if_exists = true;
    auto store = std::make_unique<BareStore>();
    rocksdb::DB* db = nullptr;
    RETURN_IF_ERROR(OfRocksDb(rocksdb::DB::Open(options, directory, storage::SpaceFamilies(), &store->families_, &db)));
    store->db_.reset(db);
    return store;
  }

  ~BareStore() {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  }

  void Put(const v1::RosterChange& change, rocksdb::WriteBatch& batch) const {
    batch.Put(families_[kRecordsFamily], change.external_id(), change.SerializeAsString());
  }

  absl::Status Write(rocksdb::WriteBatch& batch) {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    return OfRocksDb(db_->Write(durable, &batch));
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

absl::Status WriteBatches(BareStore& store, std::vector<rocksdb::WriteBatch>& batches, Report& report, Phase& phase) {
  for (const rocksdb::WriteBatch& batch : batches) {
    phase.sums["rows"] += static_cast<uint64_t>(batch.Count());
    phase.sums["bytes of rows"] += batch.GetDataSize();
  }
  Histogram& latencies = phase.others["write"];
  absl::Status status;
  report.Measure(phase, [&] {
    for (rocksdb::WriteBatch& batch : batches) {
      const Instant began = Now();
      status.Update(store.Write(batch));
      latencies.Add(Since(began));
    }
  });
  return status;
}

std::vector<rocksdb::WriteBatch> NextVisits(const BareStore& store, ComingDays& days, Phase& phase) {
  std::vector<rocksdb::WriteBatch> batches(kPortionsOfStretch);
  for (rocksdb::WriteBatch& batch : batches) {
    const v1::ApplyChangesRequest request = days.Next(kVisitsOfPortion);
    for (const v1::RosterChange& change : request.changes()) store.Put(change, batch);
    phase.sums["changes"] += static_cast<uint64_t>(request.changes_size());
    phase.sums["bytes of changes"] += request.ByteSizeLong();
  }
  return batches;
}

absl::Status WriteVisits(const Options& options, BareStore& store, Report& report) {
  ASSIGN_OR_RETURN(const std::vector<v1::ApplyChangesRequest> rota, PlanRotas(options, SourceName(0)));
  ComingDays days(rota);
  Phase& phase = report.AddPhase("store");
  while (phase.wall < options.duration && !StopWished()) {
    std::vector<rocksdb::WriteBatch> batches = NextVisits(store, days, phase);
    RETURN_IF_ERROR(WriteBatches(store, batches, report, phase));
  }
  return absl::OkStatus();
}

absl::Status WriteKept(KeptCommits& kept, BareStore& store, Report& report) {
  Phase& phase = report.AddPhase("store");
  while (!StopWished()) {
    ASSIGN_OR_RETURN(std::vector<rocksdb::WriteBatch> batches, kept.Next(kPortionsOfStretch));
    if (batches.empty()) break;
    RETURN_IF_ERROR(WriteBatches(store, batches, report, phase));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status OfRocksDb(const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("RocksDB: ", status.ToString()));
}

std::string BareStoreDirectory(const std::string& data_dir) { return absl::StrCat(data_dir, "/bare_store"); }

absl::Status RunBareStore(const Options& options, const std::string& directory, Report& report) {
  if (options.server_core.has_value()) RETURN_IF_ERROR(StayOnCore(*options.server_core));
  if (options.commits_of.empty()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<BareStore> store, BareStore::Open(directory));
    return WriteVisits(options, *store, report);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<KeptCommits> kept,
                   KeptCommits::Open(options.commits_of, absl::StrCat(directory, "_of")));
  ASSIGN_OR_RETURN(const std::unique_ptr<BareStore> store, BareStore::Open(directory));
  return WriteKept(*kept, *store, report);
}

}  // namespace caresync::loadtest

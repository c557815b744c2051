#include "tests/records/fan_out_bench.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "absl/base/internal/raw_logging.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/fan_out.h"
#include "tests/fakes/commits.h"
#include "tests/records/sample_records.h"

namespace caresync::records {

using storage::Space;

void FanOutBench::Commit(const std::function<absl::Status(commit::Transaction&)>& write) {
  const std::unique_ptr<storage::Snapshot> snapshot = Snapshot();
  now_ += absl::Seconds(1);
  commit::Transaction transaction(*snapshot, tenant_, head_ + 1, now_, room_);
  const absl::Status written = write(transaction);
  ABSL_RAW_CHECK(written.ok(), std::string(written.message()).c_str());
  if (!transaction.wrote()) return;
  ++head_;
  storage::Commit commit;
  commit.writes = transaction.TakeWrites();
  size_t moved = 0;
  for (const storage::Write& row : commit.writes) {
    base::Revision revision = 0;
    base::RecordKey record;
    const bool entry = row.space == Space::kFeeds && base::keys::ParseFeedEntry(row.key, &revision, &record);
    if (entry && row.value.has_value()) ++moved;
  }
  most_moved_ = std::max(most_moved_, moved);
  most_rows_ = std::max(most_rows_, commit.writes.size());
  const storage::CommitResult result = fakes::CommitAndWait(store_, std::move(commit));
  ABSL_RAW_CHECK(result.outcome == storage::CommitOutcome::kCommitted, "a test's commit failed");
}

void FanOutBench::Change(const std::function<absl::Status(RecordStore&)>& use) {
  ++changes_;
  Commit([&](commit::Transaction& transaction) {
    RecordStore records(transaction);
    return use(records);
  });
}

std::vector<std::string> FanOutBench::FanOuts() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : fakes::RowsOf(*Snapshot(), Space::kRecords, base::keys::AllTasks(tenant_))) {
    const absl::StatusOr<store::Task> task = base::ParseStored<store::Task>(value);
    ABSL_RAW_CHECK(task.ok(), "a task cannot be read");
    if (task->kind() == kFanOutTask) keys.push_back(key);
  }
  return keys;
}

void FanOutBench::RunStep(const std::string& key) {
  ++steps_;
  Commit([&](commit::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<store::Task> task,
                     base::GetStored<store::Task>(transaction, Space::kRecords, key));
    ABSL_RAW_CHECK(task.has_value(), "there is no such task");
    transaction.Delete(Space::kRecords, key);
    return FanOutStep(transaction, task->payload());
  });
}

void FanOutBench::RunAll() {
  for (std::vector<std::string> keys = FanOuts(); !keys.empty(); keys = FanOuts()) RunStep(keys.front());
}

std::unique_ptr<storage::Snapshot> FanOutBench::Snapshot() const {
  absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store_.NewSnapshot();
  ABSL_RAW_CHECK(snapshot.ok(), "the store cannot be read");
  return *std::move(snapshot);
}

bool FanOutBench::MustWait(int carer) const {
  const absl::StatusOr<bool> waits = records::MustWait(*Snapshot(), tenant_, CarerFeed(carer), now_);
  ABSL_RAW_CHECK(waits.ok(), "who waits cannot be read");
  return *waits;
}

}  // namespace caresync::records

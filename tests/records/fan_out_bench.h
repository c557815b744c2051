// What tests of fan-outs stand on: a store whose revisions a test counts itself, and fan-outs that run when it says so.
#ifndef CARESYNC_TESTS_RECORDS_FAN_OUT_BENCH_H_
#define CARESYNC_TESTS_RECORDS_FAN_OUT_BENCH_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "storage/store.h"
#include "tests/fakes/engine.h"

namespace caresync::records {

// Used by one thread. Dies where the store or a step fails.
class FanOutBench {
 public:
  explicit FanOutBench(storage::Store& store, const commit::CommitRoom& room = {}) : store_(store), room_(room) {}

  // Commits what `use` writes as the next revision; nothing where it writes nothing.
  void Change(const std::function<absl::Status(RecordStore&)>& use);

  // The keys of the fan-outs that are not through, in the order in which they would run.
  std::vector<std::string> FanOuts() const;
  // One step of one of them.
  void RunStep(const std::string& key);
  // All to their end.
  void RunAll();

  std::unique_ptr<storage::Snapshot> Snapshot() const;
  bool MustWait(int carer) const;
  base::Revision head() const { return head_; }
  const base::TenantId& tenant() const { return tenant_; }
  // Of all commits: the most entries moved and the most rows written in one.
  size_t most_moved() const { return most_moved_; }
  size_t most_rows() const { return most_rows_; }
  // How many changes were committed, and how many steps.
  size_t changes() const { return changes_; }
  size_t steps() const { return steps_; }

 private:
  void Commit(const std::function<absl::Status(commit::Transaction&)>& write);

  storage::Store& store_;
  const commit::CommitRoom room_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  base::Revision head_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  size_t most_moved_ = 0;
  size_t most_rows_ = 0;
  size_t changes_ = 0;
  size_t steps_ = 0;
};

}  // namespace caresync::records

#endif  // CARESYNC_TESTS_RECORDS_FAN_OUT_BENCH_H_

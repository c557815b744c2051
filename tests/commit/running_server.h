// A server's tasks on a store, run by a test's hand.
#ifndef CARESYNC_TESTS_COMMIT_RUNNING_SERVER_H_
#define CARESYNC_TESTS_COMMIT_RUNNING_SERVER_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/commit/tasks.h"
#include "tests/commit/commit_bench.h"

namespace caresync::commit {

// A server's run on a store: its steps write down what they did.
struct RunningServer {
  RunningServer(storage::Store& store, std::vector<std::string>& ran)
      : bench(store), runner(bench.store, bench.sequencer, bench.clock, bench.executor) {
    runner.Register("note", [&ran](Transaction&, const std::string& payload) {
      ran.push_back(payload);
      return absl::OkStatus();
    });
    runner.Register("fail", [&ran](Transaction& transaction, const std::string& payload) {
      ran.push_back("failed " + payload);
      transaction.Put(kRecords, "half done", "");
      return base::errors::CarerUnknown("c");
    });
  }

  void Schedule(absl::Duration in, const std::string& id, const std::string& kind = "note") {
    ASSERT_TRUE(bench
                    .Run([&](Transaction& transaction) {
                      transaction.Put(kRecords, base::keys::TenantListing(bench.tenant), "");
                      ScheduleTask(transaction, bench.clock.Now() + in, id, kind, id);
                      return absl::OkStatus();
                    })
                    .ok());
  }

  std::vector<store::Task> Rows() {
    std::vector<store::Task> rows;
    EXPECT_TRUE(bench.store.NewSnapshot()
                    .value()
                    ->Scan(kRecords, base::keys::AllTasks(bench.tenant), 10'000,
                           [&](std::string_view, std::string_view value) {
                             EXPECT_TRUE(rows.emplace_back().ParseFromString(std::string(value)));
                             return true;
                           })
                    .ok());
    return rows;
  }

  CommitBench bench;
  TaskRunner runner;
};

// What a step or its commit meets that has nothing to do with the task.
inline std::vector<absl::Status> PassingTroubles() {
  return {base::errors::Overloaded(absl::Seconds(1)), base::errors::StoreFull(), base::errors::StoreUnavailable("x"),
          base::errors::CommitConflict(), absl::UnavailableError("of the store itself")};
}

}  // namespace caresync::commit

#endif  // CARESYNC_TESTS_COMMIT_RUNNING_SERVER_H_

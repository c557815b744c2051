#include "server/commit/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/commit/commit_bench.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

class TasksTest : public ::testing::Test {
 protected:
  storage::MemoryStore store_;
  std::vector<std::string> ran_;
};

TEST_F(TasksTest, RunInDueOrderWhateverTheOrderTheyWereMadeIn) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(30), "third");
  server.Schedule(absl::Seconds(10), "first");
  server.Schedule(absl::Seconds(20), "second");
  server.bench.executor.Advance(absl::Seconds(9));
  EXPECT_THAT(ran_, IsEmpty());
  server.bench.executor.Advance(absl::Seconds(2));
  EXPECT_THAT(ran_, ElementsAre("first"));
  server.bench.executor.Advance(absl::Minutes(1));
  EXPECT_THAT(ran_, ElementsAre("first", "second", "third"));
  EXPECT_THAT(server.Rows(), IsEmpty());
  EXPECT_EQ(server.bench.executor.timers(), 0u);
}

TEST_F(TasksTest, RunAtOnceWhereTheyAreDueAlready) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(-absl::Hours(1), "late");
  EXPECT_THAT(ran_, ElementsAre("late"));
}

TEST_F(TasksTest, OneNameAtOneTimeIsOneTask) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(10), "once");
  server.Schedule(absl::Seconds(10), "once");
  server.bench.executor.Advance(absl::Minutes(1));
  EXPECT_THAT(ran_, ElementsAre("once"));
}

TEST_F(TasksTest, MoreThanOneReadHoldsRunAllTheSame) {
  RunningServer server(store_, ran_);
  const size_t tasks = 2 * base::limits::kDueTasks + 1;
  for (size_t i = 0; i < tasks; ++i) server.Schedule(absl::Seconds(static_cast<int64_t>(i)), std::to_string(i));
  server.bench.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  ASSERT_EQ(ran_.size(), tasks);
  for (size_t i = 0; i < tasks; ++i) EXPECT_EQ(ran_[i], std::to_string(i));
}

TEST_F(TasksTest, ATaskIsDeletedInTheCommitThatDoesItsWork) {
  RunningServer server(store_, ran_);
  server.runner.Register("write", [](Transaction& transaction, const std::string&) {
    transaction.Put(kRecords, "done", "yes");
    return absl::OkStatus();
  });
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "work", "write");
  EXPECT_EQ(server.bench.Read("done"), "yes");
  EXPECT_THAT(server.Rows(), IsEmpty());
}

TEST_F(TasksTest, AStepThatLeavesWorkGoesOnByItself) {
  RunningServer server(store_, ran_);
  server.runner.Register("count", [&](Transaction& transaction, const std::string& payload) {
    ran_.push_back(payload);
    if (payload != "3") {
      ScheduleTask(transaction, transaction.now(), "count", "count", std::to_string(std::stoi(payload) + 1));
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "1", "count");
  EXPECT_THAT(ran_, ElementsAre("1", "2", "3"));
  EXPECT_THAT(server.Rows(), IsEmpty());
}

TEST_F(TasksTest, SurviveARestart) {
  {
    RunningServer server(store_, ran_);
    server.Schedule(absl::Minutes(5), "kept");
  }
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.Advance(absl::Minutes(4));
  EXPECT_THAT(ran_, IsEmpty());
  server.bench.executor.Advance(absl::Minutes(1));
  EXPECT_THAT(ran_, ElementsAre("kept"));
}

TEST_F(TasksTest, AFailingTaskBacksOffAndOthersRun) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(1), "bad", "fail");
  server.Schedule(absl::Seconds(1), "good");
  server.bench.executor.Advance(absl::Seconds(1));
  EXPECT_THAT(ran_, ElementsAre("failed bad", "good"));
  ASSERT_EQ(server.Rows().size(), 1u);
  EXPECT_EQ(server.Rows()[0].failures(), 1u);
  EXPECT_EQ(server.bench.Read("half done"), std::nullopt);
  server.bench.executor.Advance(base::limits::kTaskPause);
  EXPECT_EQ(ran_.size(), 3u);
  server.bench.executor.Advance(base::limits::kTaskPause);
  EXPECT_EQ(ran_.size(), 3u);
  server.bench.executor.Advance(base::limits::kTaskPause);
  EXPECT_EQ(ran_.size(), 4u);
}

TEST_F(TasksTest, ATaskThatFailsTooOftenIsKeptOutOfTheWay) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "bad", "fail");
  server.bench.executor.Advance(absl::Hours(24));
  EXPECT_EQ(ran_.size(), base::limits::kTaskFailures);
  ASSERT_EQ(server.Rows().size(), 1u);
  EXPECT_EQ(server.Rows()[0].failures(), base::limits::kTaskFailures);
}

TEST_F(TasksTest, ATaskOfAnUnknownKindIsKept) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "strange", "kind of a newer server");
  server.Schedule(absl::ZeroDuration(), "good");
  EXPECT_THAT(ran_, ElementsAre("good"));
  EXPECT_EQ(server.Rows().size(), 1u);
}

TEST_F(TasksTest, ADamagedRowHoldsNothingUp) {
  RunningServer server(store_, ran_);
  const std::string key = base::keys::Task(server.bench.tenant, 1, "damaged");
  ASSERT_TRUE(server.bench.RunPut(key, "\xff\xff").ok());
  server.Schedule(absl::ZeroDuration(), "good");
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  EXPECT_THAT(ran_, ElementsAre("good"));
  EXPECT_EQ(server.bench.Read(key), std::nullopt);
}

TEST_F(TasksTest, AreTriedAgainOnceTheStoreTakesCommitsAgain) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(1), "patient");
  server.bench.store.FailNext(fakes::Fault::kUnavailable, 2);
  server.bench.executor.Advance(absl::Seconds(1));
  EXPECT_EQ(server.Rows().size(), 1u);
  server.bench.executor.Advance(base::limits::kTaskPause);
  EXPECT_THAT(server.Rows(), IsEmpty());
}

TEST_F(TasksTest, AreTriedAgainOnceTheStoreCanBeReadAgain) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(1), "patient");
  server.bench.store.FailReads(true);
  server.bench.executor.Advance(absl::Seconds(5));
  server.bench.store.FailReads(false);
  EXPECT_THAT(ran_, IsEmpty());
  server.bench.executor.Advance(base::limits::kTaskPause);
  EXPECT_THAT(ran_, ElementsAre("patient"));
}

TEST_F(TasksTest, AClockThatIsSetForwardIsNoticed) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Hours(10), "tonight");
  server.bench.clock.SetNow(server.bench.clock.Now() + absl::Hours(11));
  server.bench.executor.Advance(base::limits::kTaskSleep);
  EXPECT_THAT(ran_, ElementsAre("tonight"));
}

TEST_F(TasksTest, AClockThatIsSetBackHoldsTasksUpUntilTheyAreDue) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Minutes(10), "later");
  server.bench.clock.SetNow(server.bench.clock.Now() - absl::Hours(1));
  server.bench.executor.Advance(absl::Minutes(60));
  EXPECT_THAT(ran_, IsEmpty());
  server.bench.executor.Advance(absl::Minutes(10));
  EXPECT_THAT(ran_, ElementsAre("later"));
}

TEST_F(TasksTest, NothingRunsAfterStop) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(10), "never");
  server.runner.Stop();
  server.Schedule(absl::ZeroDuration(), "neither");
  EXPECT_EQ(server.bench.executor.timers(), 0u);
  server.bench.executor.Advance(absl::Hours(1));
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_EQ(server.Rows().size(), 2u);
}

TEST_F(TasksTest, StoppedAmidARoundTheRestIsLeft) {
  RunningServer server(store_, ran_);
  server.runner.Register("stop", [&](Transaction&, const std::string& payload) {
    ran_.push_back(payload);
    server.runner.Stop();
    return absl::OkStatus();
  });
  server.Schedule(absl::Seconds(1), "stops", "stop");
  server.Schedule(absl::Seconds(2), "left");
  server.bench.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.Advance(absl::Hours(1));
  EXPECT_THAT(ran_, ElementsAre("stops"));
  EXPECT_EQ(server.Rows().size(), 1u);
}

}  // namespace
}  // namespace caresync::commit

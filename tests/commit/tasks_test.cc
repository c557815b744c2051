#include "server/commit/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

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

TEST_F(TasksTest, RestAfterAStepForTwiceAsLongAsItTook) {
  RunningServer server(store_, ran_);
  constexpr absl::Duration kStep = absl::Milliseconds(20);
  server.runner.Register("slow", [&](Transaction& transaction, const std::string& payload) {
    ran_.push_back(payload);
    server.bench.clock.Advance(kStep);
    ScheduleTask(transaction, transaction.now(), "slow", "slow", payload + "+");
    return absl::OkStatus();
  });
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "1", "slow");
  EXPECT_THAT(ran_, ElementsAre("1"));
  server.bench.executor.Advance(2 * kStep - absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1"));
  server.bench.executor.Advance(absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1", "1+"));
  server.runner.Stop();
  EXPECT_EQ(server.bench.executor.timers(), 0u);
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

// What a step or its commit meets that has nothing to do with the task.
std::vector<absl::Status> PassingTroubles() {
  return {base::errors::Overloaded(absl::Seconds(1)), base::errors::StoreFull(), base::errors::StoreUnavailable("x"),
          base::errors::CommitConflict(), absl::UnavailableError("of the store itself")};
}

TEST_F(TasksTest, TroublesThatPassNeverParkATask) {
  for (const absl::Status& trouble : PassingTroubles()) {
    storage::MemoryStore store;
    std::vector<std::string> ran;
    RunningServer server(store, ran);
    bool passed = false;
    int tries = 0;
    server.runner.Register("troubled", [&](Transaction&, const std::string&) {
      ++tries;
      return passed ? absl::OkStatus() : trouble;
    });
    ASSERT_TRUE(server.runner.Start().ok());
    server.Schedule(absl::ZeroDuration(), "patient", "troubled");
    server.Schedule(absl::ZeroDuration(), "other");
    EXPECT_THAT(ran, ElementsAre("other")) << trouble;
    server.bench.executor.Advance(absl::Hours(24));
    ASSERT_EQ(server.Rows().size(), 1u) << trouble;
    EXPECT_EQ(server.Rows()[0].failures(), 0u) << trouble;
    // The pauses grow, up to their bound.
    const int at_bound = static_cast<int>(absl::Hours(24) / base::limits::kTaskPauseMost);
    EXPECT_GE(tries, at_bound) << trouble;
    EXPECT_LE(tries, at_bound + static_cast<int>(base::limits::kTaskFailures)) << trouble;
    passed = true;
    server.bench.executor.Advance(base::limits::kTaskPauseMost);
    EXPECT_THAT(server.Rows(), IsEmpty()) << trouble;
  }
}

TEST_F(TasksTest, PausesGrowWhileNothingCanBeWritten) {
  for (const fakes::Fault fault : {fakes::Fault::kFull, fakes::Fault::kUnavailable, fakes::Fault::kConflict}) {
    storage::MemoryStore store;
    std::vector<std::string> ran;
    RunningServer server(store, ran);
    ASSERT_TRUE(server.runner.Start().ok());
    server.Schedule(absl::Seconds(1), "patient");
    const int many = 1'000'000;
    server.bench.store.FailNext(fault, many);
    server.bench.executor.Advance(absl::Hours(24));
    const int at_bound = static_cast<int>(absl::Hours(24) / base::limits::kTaskSleep);
    const int commits = many - static_cast<int>(server.bench.store.faults_left());
    // A step's and its putting off, each with its tries.
    EXPECT_LE(commits, 2 * base::limits::kConflictTries * (at_bound + 10));
    EXPECT_GE(commits, at_bound);
    while (server.bench.store.faults_left() > 0) {
      server.bench.store.Apply({}, [](const storage::CommitResult&) {});
    }
    server.bench.executor.Advance(base::limits::kTaskPauseMost);
    EXPECT_THAT(server.Rows(), IsEmpty());
    // What comes later is not made to wait for what was.
    server.Schedule(absl::Seconds(1), "later");
    server.bench.store.FailNext(fakes::Fault::kFull, 2);
    server.bench.executor.Advance(absl::Seconds(1) + base::limits::kTaskPause);
    EXPECT_THAT(server.Rows(), IsEmpty());
  }
}

TEST_F(TasksTest, ParkedTasksAreNamedWhenTheServerStarts) {
  const size_t parked = base::limits::kParkedTasksNamed + 3;
  {
    RunningServer server(store_, ran_);
    ASSERT_TRUE(server.runner.Start().ok());
    for (size_t i = 0; i < parked; ++i) {
      server.Schedule(absl::ZeroDuration(), "bad/" + std::to_string(1'000 + i), "fail");
    }
    const std::string key = base::keys::Task(server.bench.tenant, 1, "damaged");
    ASSERT_TRUE(server.bench.RunPut(key, "\xff\xff").ok());
    server.Schedule(absl::Hours(24 * 30), "next month");
    server.bench.executor.Advance(absl::Hours(1));
  }
  RunningServer server(store_, ran_);
  server.bench.clock.Advance(absl::Hours(2));
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(server.runner.Start().ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, ::testing::HasSubstr("error tasks_parked tasks=" + std::to_string(parked + 1)));
  EXPECT_THAT(log, ::testing::HasSubstr("error task_parked tenant=acme kind=fail task=bad/1000"));
  EXPECT_THAT(log, ::testing::Not(::testing::HasSubstr("next month")));
  const auto lines = std::count(log.begin(), log.end(), '\n');
  EXPECT_EQ(static_cast<size_t>(lines), base::limits::kParkedTasksNamed + 1);
}

TEST_F(TasksTest, AServerWithoutParkedTasksSaysNothingOfThem) {
  RunningServer server(store_, ran_);
  server.Schedule(absl::Hours(1), "later");
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(server.runner.Start().ok());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_F(TasksTest, ATaskThatSomebodyWaitsForIsNeverParked) {
  RunningServer server(store_, ran_);
  bool heals = false;
  server.runner.Register(
      "awaited",
      [&](Transaction&, const std::string&) -> absl::Status {
        ran_.push_back(heals ? "done" : "failed");
        return heals ? absl::OkStatus() : base::errors::CarerUnknown("c");
      },
      TaskWaiters::kSome);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::ZeroDuration(), "bad", "awaited");
  server.bench.executor.Advance(absl::Hours(2));
  EXPECT_GE(ran_.size(), 110u);
  heals = true;
  server.bench.executor.Advance(base::limits::kTaskRetryMost);
  EXPECT_EQ(ran_.back(), "done");
  EXPECT_THAT(server.Rows(), IsEmpty());
}

// Phones that may not sync meanwhile must not wait for longer because of why it failed.
TEST_F(TasksTest, ATaskThatSomebodyWaitsForIsTriedEachMinuteWhateverTroubleItMeets) {
  for (const absl::Status& trouble : PassingTroubles()) {
    storage::MemoryStore store;
    std::vector<std::string> ran;
    RunningServer server(store, ran);
    int tries = 0;
    server.runner.Register(
        "awaited",
        [&](Transaction&, const std::string&) {
          ++tries;
          return trouble;
        },
        TaskWaiters::kSome);
    ASSERT_TRUE(server.runner.Start().ok());
    server.Schedule(absl::ZeroDuration(), "bad", "awaited");
    server.bench.executor.Advance(absl::Hours(1));
    const int before = tries;
    server.bench.executor.Advance(base::limits::kTaskRetryMost);
    EXPECT_EQ(tries, before + 1) << trouble;
  }
}

// What comes again and again, and is due since ever, must not starve what has a time.
TEST_F(TasksTest, TasksThatAreDueSinceEverLeaveHalfOfEachRoundToOthers) {
  RunningServer server(store_, ran_);
  int rounds = 0;
  server.runner.Register("again", [&](Transaction& transaction, const std::string& payload) {
    ran_.push_back("again");
    if (++rounds < 10'000) ScheduleTask(transaction, absl::InfinitePast(), payload, "again", payload);
    return absl::OkStatus();
  });
  ASSERT_TRUE(server.bench
                  .Run([&](Transaction& transaction) {
                    transaction.Put(kRecords, base::keys::TenantListing(server.bench.tenant), "");
                    for (size_t i = 0; i < 2 * base::limits::kDueTasks; ++i) {
                      ScheduleTask(transaction, absl::InfinitePast(), std::to_string(i), "again", std::to_string(i));
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  server.Schedule(absl::ZeroDuration(), "other");
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  const auto other = std::find(ran_.begin(), ran_.end(), "other");
  ASSERT_NE(other, ran_.end());
  EXPECT_EQ(static_cast<size_t>(other - ran_.begin()), base::limits::kDueTasks / 2);
}

// Registers "awaited", whose tasks go on for `steps` steps, each since ever, and note each.
void RegisterAwaited(RunningServer& server, std::vector<std::string>& ran, int& steps) {
  server.runner.Register(
      "awaited",
      [&ran, &steps](Transaction& transaction, const std::string& payload) {
        ran.push_back("awaited");
        if (--steps > 0) ScheduleTask(transaction, absl::InfinitePast(), payload, "awaited", payload);
        return absl::OkStatus();
      },
      TaskWaiters::kSome);
}

size_t PlaceOfLast(const std::vector<std::string>& ran, const std::string& what) {
  return static_cast<size_t>(std::find(ran.rbegin(), ran.rend(), what).base() - ran.begin());
}

// Phones wait for them, and for the others nobody does.
TEST_F(TasksTest, TasksThatSomebodyWaitsForGoFirstInEachOfTheirSteps) {
  RunningServer server(store_, ran_);
  int steps = 5;
  RegisterAwaited(server, ran_, steps);
  constexpr size_t kOthers = 100;
  for (size_t i = 0; i < kOthers; ++i) server.Schedule(-absl::InfiniteDuration(), "other/" + std::to_string(i));
  server.Schedule(-absl::InfiniteDuration(), "the last by its ID", "awaited");
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(ran_.size(), kOthers + 5);
  EXPECT_LE(PlaceOfLast(ran_, "awaited"), 10u);
}

TEST_F(TasksTest, ATaskThatSomebodyWaitsForGoesFirstWhereItFellDueAtATimeAsWell) {
  RunningServer server(store_, ran_);
  int steps = 1;
  RegisterAwaited(server, ran_, steps);
  for (int i = 0; i < 100; ++i) server.Schedule(-absl::Hours(1), "other/" + std::to_string(i));
  server.Schedule(absl::ZeroDuration(), "the last to fall due", "awaited");
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  EXPECT_EQ(ran_.size(), 101u);
  EXPECT_EQ(ran_.front(), "awaited");
}

TEST_F(TasksTest, ATaskThatSomebodyWaitsForIsNextAfterTheStepThatScheduledIt) {
  RunningServer server(store_, ran_);
  int steps = 2;
  RegisterAwaited(server, ran_, steps);
  server.runner.Register("cause", [&](Transaction& transaction, const std::string& payload) {
    ran_.push_back("cause");
    ScheduleTask(transaction, absl::InfinitePast(), payload, "awaited", payload);
    return absl::OkStatus();
  });
  for (int i = 0; i < 20; ++i) server.Schedule(-absl::InfiniteDuration(), "before/" + std::to_string(i));
  server.Schedule(-absl::InfiniteDuration(), "cause", "cause");
  for (int i = 0; i < 20; ++i) server.Schedule(-absl::InfiniteDuration(), "later/" + std::to_string(i));
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  ASSERT_EQ(ran_.size(), 43u);
  EXPECT_THAT(std::vector<std::string>(ran_.begin() + 20, ran_.begin() + 23),
              ElementsAre("cause", "awaited", "awaited"));
}

TEST_F(TasksTest, TasksThatSomebodyWaitsForWithoutEndLeaveStepsToOthers) {
  RunningServer server(store_, ran_);
  int steps = 1'000;
  RegisterAwaited(server, ran_, steps);
  constexpr size_t kOthers = 20;
  server.Schedule(-absl::InfiniteDuration(), "endless", "awaited");
  for (size_t i = 0; i < kOthers; ++i) server.Schedule(-absl::InfiniteDuration(), "other/" + std::to_string(i));
  server.Schedule(absl::ZeroDuration(), "with a time");
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  EXPECT_EQ(ran_.size(), 1'000 + kOthers + 1);
  size_t others = 0;
  size_t place = 0;
  for (; place < ran_.size() && others <= kOthers; ++place) others += ran_[place] == "awaited" ? 0 : 1;
  EXPECT_EQ(others, kOthers + 1);
  EXPECT_EQ(place, (kOthers + 1) * (kAwaitedInARow + 1));
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
  server.bench.executor.Advance(base::limits::kTaskSleep);
  EXPECT_THAT(ran_, ElementsAre("patient"));
}

TEST_F(TasksTest, ThatACommitLeftWhoseOutcomeWasGivenUpRunAllTheSame) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  CommitBench& bench = server.bench;
  bench.store.FailNext(fakes::Fault::kUnknownApplied);
  bench.store.HoldBackDone(true);
  bool given_up = false;
  bench.sequencer.Submit(
      bench.tenant,
      [](Transaction& transaction) {
        ScheduleTask(transaction, transaction.now(), "left", "note", "left");
        return absl::OkStatus();
      },
      [&](const absl::StatusOr<Committed>& done) { given_up = !done.ok(); });
  bench.executor.RunAll();
  bench.store.FailReads(true);
  ASSERT_TRUE(bench.store.ReleaseOne());
  bench.executor.Advance(base::limits::kSettlePause * base::limits::kSettleReads);
  ASSERT_TRUE(given_up);
  bench.store.FailReads(false);
  bench.store.HoldBackDone(false);
  bench.executor.Advance(base::limits::kTaskSleep);
  EXPECT_THAT(ran_, ElementsAre("left"));
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

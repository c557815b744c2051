#include "server/commit/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/commit/running_server.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

TEST_F(TasksTest, RestAfterAStepForThreeTimesAsLongAsItTook) {
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
  server.bench.executor.Advance(3 * kStep - absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1"));
  server.bench.executor.Advance(absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1", "1+"));
  server.runner.Stop();
  EXPECT_EQ(server.bench.executor.timers(), 0u);
}

TEST_F(TasksTest, RestForLongerWhileOtherWorkWaitsButNotForEver) {
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
  server.bench.executor.SetDelay(absl::Milliseconds(1));
  server.bench.executor.Advance(3 * kStep);
  EXPECT_THAT(ran_, ElementsAre("1"));
  server.bench.executor.SetDelay(absl::ZeroDuration());
  server.bench.executor.Advance(kStep);
  EXPECT_THAT(ran_, ElementsAre("1", "1+"));
  server.bench.executor.SetDelay(absl::Milliseconds(1));
  server.bench.executor.Advance(11 * kStep - absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1", "1+"));
  server.bench.executor.Advance(absl::Milliseconds(1));
  EXPECT_THAT(ran_, ElementsAre("1", "1+", "1++"));
}

TEST_F(TasksTest, DoNotRestForAsLongAsTheStoreHeldAStepUp) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.Schedule(absl::Seconds(10), "held up");
  server.Schedule(absl::Seconds(20), "next");
  server.bench.store.HoldBackDone(true);
  server.bench.executor.Advance(absl::Hours(2));
  ASSERT_THAT(ran_, ElementsAre("held up"));
  server.bench.store.HoldBackDone(false);
  server.bench.store.ReleaseAll();
  server.bench.executor.Advance(absl::Seconds(10));
  EXPECT_THAT(ran_, ElementsAre("held up", "next"));
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
    server.bench.executor.Advance(absl::Hours(1));
  }
  RunningServer server(store_, ran_);
  server.bench.clock.Advance(absl::Hours(2));
  server.Schedule(absl::Hours(1), "in an hour");
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(server.runner.Start().ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, ::testing::HasSubstr("error tasks_parked tasks=" + std::to_string(parked + 1)));
  EXPECT_THAT(log, ::testing::HasSubstr("error task_parked tenant=acme kind=fail task=bad/1000"));
  EXPECT_THAT(log, ::testing::Not(::testing::HasSubstr("in an hour")));
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

TEST_F(TasksTest, WhatAClockThatWasAheadPutOffRunsOnceItIsRightAgain) {
  RunningServer server(store_, ran_);
  bool in_trouble = true;
  server.runner.Register("troubled", [&](Transaction&, const std::string& payload) {
    ran_.push_back(payload);
    return in_trouble ? base::errors::StoreFull() : absl::OkStatus();
  });
  ASSERT_TRUE(server.runner.Start().ok());
  const absl::Time right = server.bench.clock.Now();
  server.bench.clock.SetNow(right + absl::Hours(24 * 3'650));
  server.Schedule(absl::ZeroDuration(), "put off", "troubled");
  server.Schedule(absl::Hours(1), "later");
  EXPECT_THAT(ran_, ElementsAre("put off"));
  ran_.clear();
  in_trouble = false;
  server.bench.clock.SetNow(right);
  server.bench.executor.Advance(base::limits::kTaskSleep);
  EXPECT_THAT(ran_, ElementsAre("put off", "later"));
  EXPECT_THAT(server.Rows(), IsEmpty());
}

TEST_F(TasksTest, WhatAClockThatWasAheadPutOffRunsAfterARestartWithTheRightOne) {
  {
    RunningServer ahead(store_, ran_);
    ahead.bench.clock.SetNow(ahead.bench.clock.Now() + absl::Hours(24 * 3'650));
    ahead.Schedule(absl::Minutes(5), "kept");
  }
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  server.bench.executor.RunAll();
  EXPECT_THAT(ran_, ElementsAre("kept"));
}

TEST_F(TasksTest, WhatIsParkedIsNotTakenForPutOffByAWrongClock) {
  RunningServer server(store_, ran_);
  ASSERT_TRUE(server.runner.Start().ok());
  const std::string damaged = base::keys::Task(server.bench.tenant, 1, "damaged");
  ASSERT_TRUE(server.bench.RunPut(damaged, "\xff\xff").ok());
  server.Schedule(absl::ZeroDuration(), "bad", "fail");
  server.bench.executor.Advance(absl::Hours(1));
  ASSERT_EQ(ran_.size(), base::limits::kTaskFailures);
  // Each of these looks for what is due.
  for (int i = 0; i < 3; ++i) server.Schedule(absl::ZeroDuration(), "good");
  server.bench.executor.Advance(absl::Hours(1));
  EXPECT_EQ(ran_.size(), base::limits::kTaskFailures + 3);
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

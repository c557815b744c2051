// Tasks that somebody waits for: before others, and never given up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/limits.h"
#include "server/commit/tasks.h"
#include "tests/commit/running_server.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AwaitedTasksTest : public ::testing::Test {
 protected:
  storage::MemoryStore store_;
  std::vector<std::string> ran_;
};

TEST_F(AwaitedTasksTest, ATaskThatSomebodyWaitsForIsNeverParked) {
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
TEST_F(AwaitedTasksTest, ATaskThatSomebodyWaitsForIsTriedEachMinuteWhateverTroubleItMeets) {
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
TEST_F(AwaitedTasksTest, TasksThatSomebodyWaitsForGoFirstInEachOfTheirSteps) {
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

TEST_F(AwaitedTasksTest, ATaskThatSomebodyWaitsForGoesFirstWhereItFellDueAtATimeAsWell) {
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

TEST_F(AwaitedTasksTest, ATaskThatSomebodyWaitsForIsNextAfterTheStepThatScheduledIt) {
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

TEST_F(AwaitedTasksTest, TasksThatSomebodyWaitsForWithoutEndLeaveStepsToOthers) {
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

}  // namespace
}  // namespace caresync::commit

#include "server/base/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace caresync::base {
namespace {

using ::testing::ElementsAre;

// What work looks at is declared before the executor, whose end waits for the work.

TEST(ThreadExecutor, OneThreadRunsWorkInTheOrderItWasPosted) {
  std::vector<int> ran;
  {
    ThreadExecutor executor(1);
    for (int i = 0; i < 4; ++i) executor.Post([&ran, i] { ran.push_back(i); });
  }
  EXPECT_THAT(ran, ElementsAre(0, 1, 2, 3));
}

TEST(ThreadExecutor, ItsThreadsRunWorkAtTheSameTime) {
  std::promise<void> first, second;
  std::promise<bool> met;
  ThreadExecutor executor(2);
  executor.Post([&] {
    first.set_value();
    met.set_value(second.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  });
  executor.Post([&] {
    first.get_future().wait();
    second.set_value();
  });
  EXPECT_TRUE(met.get_future().get());
}

TEST(ThreadExecutor, ItsDelayIsHowLongTheNextWorkHasWaited) {
  std::promise<void> busy, go_on, empty;
  ThreadExecutor executor(1);
  EXPECT_EQ(executor.Delay(0), absl::ZeroDuration());
  executor.Post([&] {
    busy.set_value();
    go_on.get_future().wait();
  });
  busy.get_future().wait();
  // At work is not waiting.
  EXPECT_EQ(executor.Delay(0), absl::ZeroDuration());
  const auto posted = std::chrono::steady_clock::now();
  executor.Post([] {});
  executor.Post([&] { empty.set_value(); });
  while (executor.Delay(0) < absl::Milliseconds(20)) std::this_thread::yield();
  EXPECT_GE(std::chrono::steady_clock::now() - posted, std::chrono::milliseconds(20));
  go_on.set_value();
  empty.get_future().wait();
  EXPECT_EQ(executor.Delay(0), absl::ZeroDuration());
}

TEST(ThreadExecutor, ItsDelayIsWhatAllThatWaitsWillTakeWhereThatIsMore) {
  std::promise<void> waits, begin, busy, go_on;
  ThreadExecutor executor(1);
  executor.Post([&] {
    waits.set_value();
    begin.get_future().wait();
  });
  // Nothing waits behind it yet: how long it takes says nothing.
  waits.get_future().wait();
  for (int i = 0; i < 4; ++i) {
    executor.Post([] {
      const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
      while (std::chrono::steady_clock::now() < until) {
      }
    });
  }
  executor.Post([&] {
    busy.set_value();
    go_on.get_future().wait();
  });
  for (int i = 0; i < 1'000; ++i) executor.Post([] {});
  const auto posted = std::chrono::steady_clock::now();
  begin.set_value();
  busy.get_future().wait();
  const absl::Duration delay = executor.Delay(0);
  // A thousand, 10 ms apart.
  EXPECT_GE(delay, absl::Seconds(9));
  EXPECT_GT(delay, absl::FromChrono(std::chrono::steady_clock::now() - posted));
  go_on.set_value();
}

TEST(ThreadExecutor, OfItsPaceNothingStaysOfOneThatHeldItUp) {
  std::promise<void> busy, go_on, held_up, end_hold_up, last;
  ThreadExecutor executor(1);
  executor.Post([&] {
    busy.set_value();
    go_on.get_future().wait();
  });
  busy.get_future().wait();
  executor.Post([&] {
    held_up.set_value();
    end_hold_up.get_future().wait();
  });
  executor.Post([&] { last.set_value(); });
  go_on.set_value();
  held_up.get_future().wait();
  while (executor.Delay(0) < absl::Milliseconds(500)) std::this_thread::yield();
  end_hold_up.set_value();
  last.get_future().wait();
  // Ten calls that come at once are let in by an idle server.
  EXPECT_LE(executor.Delay(10), absl::Milliseconds(200));
}

TEST(ThreadExecutor, ItTellsForHowLongSomeWorkHasWaitedWithoutABreak) {
  std::promise<void> busy, go_on, second, go_on_again, empty;
  ThreadExecutor executor(1);
  EXPECT_EQ(executor.Standing(), absl::ZeroDuration());
  executor.Post([&] {
    busy.set_value();
    go_on.get_future().wait();
  });
  busy.get_future().wait();
  EXPECT_EQ(executor.Standing(), absl::ZeroDuration());
  executor.Post([&] {
    second.set_value();
    go_on_again.get_future().wait();
  });
  while (executor.Standing() < absl::Milliseconds(20)) std::this_thread::yield();
  executor.Post([&] { empty.set_value(); });
  go_on.set_value();
  second.get_future().wait();
  // What waits now came later than what waited first, and meanwhile there was always some.
  EXPECT_LT(executor.Delay(0), executor.Standing());
  EXPECT_GE(executor.Standing(), absl::Milliseconds(20));
  go_on_again.set_value();
  empty.get_future().wait();
  EXPECT_EQ(executor.Standing(), absl::ZeroDuration());
}

TEST(ThreadExecutor, TimersFireInTheOrderOfTheirTimes) {
  std::vector<int> ran;
  std::promise<void> finished;
  // All are set before the thread is free to fire any.
  std::promise<void> begin;
  ThreadExecutor executor(1);
  executor.Post([&] { begin.get_future().wait(); });
  executor.PostAfter(absl::Milliseconds(30), [&] {
    ran.push_back(3);
    finished.set_value();
  });
  executor.PostAfter(absl::Milliseconds(10), [&] { ran.push_back(1); });
  executor.PostAfter(absl::Milliseconds(20), [&] { ran.push_back(2); });
  executor.PostAfter(-absl::Seconds(1), [&] { ran.push_back(0); });
  begin.set_value();
  finished.get_future().wait();
  EXPECT_THAT(ran, ElementsAre(0, 1, 2, 3));
}

TEST(ThreadExecutor, ATimerFiresNoSoonerThanItsDelay) {
  std::promise<std::chrono::steady_clock::time_point> fired;
  ThreadExecutor executor(1);
  const auto set = std::chrono::steady_clock::now();
  executor.PostAfter(absl::Milliseconds(20), [&] { fired.set_value(std::chrono::steady_clock::now()); });
  EXPECT_GE(fired.get_future().get() - set, std::chrono::milliseconds(20));
}

TEST(ThreadExecutor, ATimerFiresWhileTheThreadThatWaitedForTheOneBeforeItIsAtWork) {
  ThreadExecutor executor(2);
  // Both threads wait when most rounds begin, one of them for no timer at all.
  for (int round = 0; round < 20; ++round) {
    // Of the work, which may end after the round.
    const auto go_on = std::make_shared<std::promise<void>>();
    const auto fired = std::make_shared<std::promise<void>>();
    executor.PostAfter(absl::Milliseconds(5), [go_on] { go_on->get_future().wait(); });
    executor.PostAfter(absl::Milliseconds(6), [fired] { fired->set_value(); });
    const bool in_time = fired->get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
    go_on->set_value();
    ASSERT_TRUE(in_time) << "round " << round;
  }
}

TEST(ThreadExecutor, ACancelledTimerDoesNotFire) {
  std::atomic<bool> fired = false;
  std::promise<void> later;
  ThreadExecutor executor(1);
  const TimerId timer = executor.PostAfter(absl::Milliseconds(5), [&] { fired = true; });
  const bool cancelled = executor.Cancel(timer);
  executor.PostAfter(absl::Milliseconds(20), [&] { later.set_value(); });
  later.get_future().wait();
  // Where the machine was so slow that it fired first, Cancel said so.
  EXPECT_EQ(fired, !cancelled);
  EXPECT_FALSE(executor.Cancel(timer));
}

TEST(ThreadExecutor, CancellingWhatIsNoTimerSaysSo) {
  ThreadExecutor executor(1);
  EXPECT_FALSE(executor.Cancel(0));
  EXPECT_FALSE(executor.Cancel(17));
}

TEST(ThreadExecutor, CancellingReleasesWhatTheWorkHolds) {
  ThreadExecutor executor(1);
  auto held = std::make_shared<int>(1);
  const TimerId timer = executor.PostAfter(absl::InfiniteDuration(), [held] {});
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(executor.Cancel(timer));
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadExecutor, DestroyingItRunsWhatWasPostedAndDropsTimers) {
  std::atomic<int> ran = 0;
  bool fired = false;
  {
    ThreadExecutor executor(2);
    executor.PostAfter(absl::Hours(1), [&] { fired = true; });
    for (int i = 0; i < 500; ++i) {
      executor.Post([&] {
        ++ran;
        executor.Post([&] { ++ran; });
      });
    }
  }
  EXPECT_EQ(ran, 1'000);
  EXPECT_FALSE(fired);
}

}  // namespace
}  // namespace caresync::base

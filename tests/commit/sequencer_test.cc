#include "server/commit/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/stored.h"
#include "server/commit/timeline.h"
#include "tests/commit/commit_bench.h"
#include "tests/commit/sequencer_test.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Optional;

TEST_F(SequencerTest, EachChangeTakesTheNextRevision) {
  for (base::Revision expected = 1; expected <= 5; ++expected) {
    const Committed committed = bench_.RunPut("key", std::to_string(expected)).value();
    EXPECT_TRUE(committed.wrote);
    EXPECT_EQ(committed.head, (base::CommitPoint{"first", expected}));
  }
  EXPECT_THAT(bench_.Read("key"), Optional(Eq("5")));
}

TEST_F(SequencerTest, TheHeadCarriesACommitIdItsTimelineAndTheTime) {
  ASSERT_TRUE(bench_.RunPut("key", "1").ok());
  const store::TenantHead first = HeadRow();
  EXPECT_EQ(first.revision(), 1u);
  EXPECT_EQ(first.commit_id().size(), 16u);
  EXPECT_EQ(first.timeline(), "first");
  EXPECT_EQ(first.commit_time_us(), base::ToStoredTime(bench_.clock.Now()));
  ASSERT_TRUE(bench_.RunPut("key", "2").ok());
  EXPECT_NE(HeadRow().commit_id(), first.commit_id());
}

TEST_F(SequencerTest, ChangesOfATenantRunOneAfterTheOtherInTheOrderOfSubmission) {
  std::vector<std::string> seen;
  std::vector<base::Revision> done;
  for (int i = 0; i < 10; ++i) {
    bench_.sequencer.Submit(
        bench_.tenant,
        [&seen, i](Transaction& transaction) {
          seen.push_back(transaction.Get(kRecords, "last").value().value_or("none"));
          transaction.Put(kRecords, "last", std::to_string(i));
          return absl::OkStatus();
        },
        [&done](absl::StatusOr<Committed> committed) { done.push_back(committed.value().head.revision); });
  }
  bench_.executor.RunAll();
  EXPECT_THAT(seen, ElementsAre("none", "0", "1", "2", "3", "4", "5", "6", "7", "8"));
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(SequencerTest, TenantsDoNotWaitForEachOtherAndCountForThemselves) {
  bench_.store.HoldBackDone(true);
  bool acme_done = false;
  base::Revision other_head = 0;
  bench_.sequencer.Submit(bench_.tenant, Increment("acme"), [&](absl::StatusOr<Committed>) { acme_done = true; });
  bench_.executor.RunAll();
  bench_.store.HoldBackDone(false);
  bench_.sequencer.Submit(TenantNamed("other"), Increment("other"),
                          [&](absl::StatusOr<Committed> committed) { other_head = committed.value().head.revision; });
  bench_.executor.RunAll();
  EXPECT_FALSE(acme_done);
  EXPECT_EQ(other_head, 1u);
  bench_.store.ReleaseAll();
  bench_.executor.RunAll();
  EXPECT_TRUE(acme_done);
}

TEST_F(SequencerTest, AChangeThatWritesNothingTakesNoRevision) {
  ASSERT_TRUE(bench_.RunPut("key", "1").ok());
  const std::string head = HeadRow().SerializeAsString();
  const Committed committed = bench_.Run([](Transaction&) { return absl::OkStatus(); }).value();
  EXPECT_FALSE(committed.wrote);
  EXPECT_EQ(committed.head, (base::CommitPoint{"first", 1}));
  EXPECT_EQ(HeadRow().SerializeAsString(), head);
  EXPECT_EQ(bench_.RunPut("key", "2").value().head.revision, 2u);
}

TEST_F(SequencerTest, AnErrorForgetsAllThatTheChangeWrote) {
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  const absl::StatusOr<Committed> outcome = bench_.Run([](Transaction& transaction) {
    transaction.Put(kRecords, "key", "lost");
    transaction.Announce({"carer"});
    return base::errors::CarerUnknown("c");
  });
  EXPECT_EQ(outcome.status(), base::errors::CarerUnknown("c"));
  EXPECT_EQ(bench_.Read("key"), std::nullopt);
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_EQ(bench_.RunPut("key", "kept").value().head.revision, 1u);
}

TEST_F(SequencerTest, SubscribersHearOnlyWhatIsDurableInOrderAndBeforeTheCaller) {
  std::vector<std::string> heard;
  auto handle = bench_.subscriptions.Subscribe(
      bench_.tenant, {"carer"}, [&](base::Revision revision) { heard.push_back("moved " + std::to_string(revision)); });
  bench_.store.HoldBackDone(true);
  for (int i = 0; i < 2; ++i) {
    bench_.sequencer.Submit(bench_.tenant, Increment("n"), [&](absl::StatusOr<Committed> committed) {
      heard.push_back("done " + std::to_string(committed.value().head.revision));
    });
  }
  bench_.executor.RunAll();
  EXPECT_EQ(bench_.store.held_back(), 1u);
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.RunAll();
  EXPECT_THAT(heard, ElementsAre("moved 1", "done 1"));
  EXPECT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.RunAll();
  EXPECT_THAT(heard, ElementsAre("moved 1", "done 1", "moved 2", "done 2"));
}

TEST_F(SequencerTest, AConflictRunsTheChangeAgain) {
  bench_.store.FailNext(fakes::Fault::kConflict, 3);
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    ++runs;
    return Increment("n")(transaction);
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
  EXPECT_EQ(runs, 4);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
}

TEST_F(SequencerTest, AChangeThatMeetsAnotherProcessRunsOnItsHead) {
  CommitBench other(store_, "other");
  bool met = false;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    if (!std::exchange(met, true)) {
      EXPECT_TRUE(other.Run(Increment("n")).ok());
    }
    return Increment("n")(transaction);
  });
  EXPECT_EQ(outcome.value().head, (base::CommitPoint{"first", 2}));
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("2")));
}

TEST_F(SequencerTest, ConflictsWithoutEndAreGivenUp) {
  bench_.store.FailNext(fakes::Fault::kConflict, 1'000);
  const absl::StatusOr<Committed> outcome = bench_.Run(Increment("n"));
  EXPECT_EQ(ReasonOf(outcome), base::Reason(base::errors::CommitConflict()));
  EXPECT_EQ(bench_.store.faults_left(), 1'000u - base::limits::kConflictTries);
}

TEST_F(SequencerTest, AnUnknownOutcomeThatWasAppliedIsFoundByItsCommitId) {
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 2u);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("2")));
  EXPECT_THAT(heard, ElementsAre(1, 2));
}

TEST_F(SequencerTest, AnUnknownOutcomeThatWasNotAppliedRunsTheChangeAgain) {
  bench_.store.FailNext(fakes::Fault::kUnknownNotApplied, 2);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
}

TEST_F(SequencerTest, ACommitThatLandsAfterItWasLookedForTakesEffectOnce) {
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  ASSERT_TRUE(bench_.Run(Increment("n")).ok());
  bench_.store.LandLate(kRecords);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 2u);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("2")));
  EXPECT_THAT(heard, ElementsAre(1, 2));
}

TEST_F(SequencerTest, ACommitThatLandsAfterItWasGivenUpComesBeforeTheNextChange) {
  bench_.store.FailNext(fakes::Fault::kConflict, base::limits::kConflictTries - 1);
  int runs = 0;
  const absl::StatusOr<Committed> given_up = bench_.Run([&](Transaction& transaction) {
    if (++runs == base::limits::kConflictTries) bench_.store.LandLate(kRecords);
    return Increment("n")(transaction);
  });
  EXPECT_EQ(ReasonOf(given_up), base::Reason(base::errors::CommitConflict()));
  EXPECT_EQ(bench_.Read("n"), std::nullopt);
  // It lands while this one is on its way, which must see it then.
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 2u);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("2")));
}

TEST_F(SequencerTest, AnUnknownOutcomeOfTheLastTryIsStillLookedFor) {
  bench_.store.FailNext(fakes::Fault::kConflict, base::limits::kConflictTries - 1);
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
}

TEST_F(SequencerTest, AnUnknownOutcomeIsSettledOnceTheStoreCanBeReadAgain) {
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  bench_.store.HoldBackDone(true);
  std::optional<absl::StatusOr<Committed>> outcome;
  bench_.sequencer.Submit(bench_.tenant, Increment("n"),
                          [&](absl::StatusOr<Committed> done) { outcome = std::move(done); });
  bench_.executor.RunAll();
  bench_.store.FailReads(true);
  ASSERT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.Advance(base::limits::kSettlePause * 3);
  EXPECT_FALSE(outcome.has_value());
  bench_.store.FailReads(false);
  bench_.executor.Advance(base::limits::kSettlePause);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->value().head.revision, 1u);
}

TEST_F(SequencerTest, AnUnknownOutcomeOfAStoreThatCannotBeReadIsGivenUpInTheEnd) {
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  bench_.store.HoldBackDone(true);
  std::optional<absl::StatusOr<Committed>> outcome;
  bench_.sequencer.Submit(bench_.tenant, Increment("n"),
                          [&](absl::StatusOr<Committed> done) { outcome = std::move(done); });
  bench_.executor.RunAll();
  bench_.store.FailReads(true);
  ASSERT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.Advance(base::limits::kSettlePause * base::limits::kSettleReads);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(ReasonOf(*outcome), base::Reason(base::errors::StoreUnavailable("")));
  EXPECT_EQ(bench_.executor.timers(), 1u) << "whom it concerns is told later";
}

TEST_F(SequencerTest, AnUnknownOutcomeIsGivenUpAtOnceByAServerWhoseStoreHasFailed) {
  bench_.store.FailNext(fakes::Fault::kUnknownNotApplied);
  bench_.store.HoldBackDone(true);
  std::optional<absl::StatusOr<Committed>> outcome;
  bench_.sequencer.Submit(bench_.tenant, Increment("n"),
                          [&](absl::StatusOr<Committed> done) { outcome = std::move(done); });
  bench_.executor.RunAll();
  bench_.store.FailReads(true);
  ASSERT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.Advance(base::limits::kSettlePause * 2);
  EXPECT_FALSE(outcome.has_value());
  bench_.sequencer.GiveUpSettling();
  bench_.executor.Advance(base::limits::kSettlePause);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(ReasonOf(*outcome), base::Reason(base::errors::StoreUnavailable("")));
  EXPECT_EQ(bench_.executor.timers(), 0u);
}

TEST_F(SequencerTest, AnUnknownOutcomeBelowAnotherProcesssCommitIsNotRunAgain) {
  CommitBench other(store_, "other");
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  int runs = 0;
  std::optional<absl::StatusOr<Committed>> outcome;
  bench_.sequencer.Submit(
      bench_.tenant,
      [&](Transaction& transaction) {
        ++runs;
        return Increment("n")(transaction);
      },
      [&](absl::StatusOr<Committed> done) { outcome = std::move(done); });
  ASSERT_TRUE(bench_.executor.RunOne());  // The next change is taken and committed.
  ASSERT_TRUE(other.Run(Increment("n")).ok());
  bench_.executor.RunAll();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(ReasonOf(*outcome), base::Reason(base::errors::CommitConflict()));
  EXPECT_EQ(runs, 1);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("2")));
}

TEST_F(SequencerTest, AFullStoreIsSaidAndTheNextChangeGoesOn) {
  bench_.store.FailNext(fakes::Fault::kFull);
  EXPECT_EQ(ReasonOf(bench_.Run(Increment("n"))), base::Reason(base::errors::StoreFull()));
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
}

TEST_F(SequencerTest, AStoreThatTakesNoCommitsOrCannotBeReadIsSaid) {
  const std::string unavailable = base::Reason(base::errors::StoreUnavailable(""));
  bench_.store.FailNext(fakes::Fault::kUnavailable);
  EXPECT_EQ(ReasonOf(bench_.Run(Increment("n"))), unavailable);
  bench_.store.FailReads(true);
  EXPECT_EQ(ReasonOf(bench_.Run(Increment("n"))), unavailable);
  bench_.store.FailReads(false);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
}

TEST_F(SequencerTest, ACommitOfTooManyRowsOrBytesIsRefused) {
  const std::string too_large = base::Reason(base::errors::CommitTooLarge());
  EXPECT_EQ(ReasonOf(bench_.Run([](Transaction& transaction) {
              for (size_t i = 0; i <= base::limits::kCommitRows; ++i) {
                transaction.Put(kRecords, std::to_string(i), "");
              }
              return absl::OkStatus();
            })),
            too_large);
  EXPECT_EQ(ReasonOf(bench_.Run([](Transaction& transaction) {
              transaction.Put(kRecords, "key", std::string(base::limits::kCommitBytes, 'x'));
              return absl::OkStatus();
            })),
            too_large);
  EXPECT_EQ(HeadRow().revision(), 0u);
}

TEST_F(SequencerTest, AFullQueueAnswersAtOnceWhenToComeBack) {
  size_t done = 0;
  std::vector<absl::Status> refused;
  // One is at work, and the others wait.
  bench_.store.HoldBackDone(true);
  bench_.sequencer.Submit(bench_.tenant, Increment("n"), [&](absl::StatusOr<Committed>) { ++done; });
  bench_.executor.RunAll();
  for (size_t i = 0; i < base::limits::kQueuedChanges + 2; ++i) {
    bench_.sequencer.Submit(
        bench_.tenant, [](Transaction&) { return absl::OkStatus(); },
        [&](const absl::StatusOr<Committed>& outcome) {
          if (outcome.ok()) {
            ++done;
          } else {
            refused.push_back(outcome.status());
          }
        });
  }
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(base::Reason(refused[0]), base::Reason(base::errors::Overloaded(absl::Seconds(1))));
  EXPECT_THAT(base::RetryDelay(refused[0]), Optional(Ge(base::limits::kQueueRetryAfter)));
  // They do not come back together.
  EXPECT_NE(base::RetryDelay(refused[0]), base::RetryDelay(refused[1]));
  bench_.store.HoldBackDone(false);
  bench_.store.ReleaseAll();
  bench_.executor.RunAll();
  EXPECT_EQ(done, base::limits::kQueuedChanges + 1);
}

TEST_F(SequencerTest, ChangesOfAllTenantsTogetherHoldABoundedAmountOfMemory) {
  const size_t half = base::limits::kQueuedChangeBytes / 2 + 1;
  std::vector<absl::Status> outcomes;
  const auto submit = [&] {
    bench_.sequencer.Submit(
        bench_.tenant, [](Transaction&) { return absl::OkStatus(); },
        [&](const absl::StatusOr<Committed>& outcome) { outcomes.push_back(outcome.status()); }, half);
  };
  submit();
  submit();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(base::Reason(outcomes[0]), base::Reason(base::errors::Overloaded(absl::Seconds(1))));
  bench_.executor.RunAll();
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_TRUE(outcomes[1].ok());
  submit();
  bench_.executor.RunAll();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[2].ok()) << "what is done holds nothing any more";
}

TEST_F(SequencerTest, WhatAChangeHoldsIsReleasedBeforeItsCallerHears) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  bool released = false;
  bench_.sequencer.Submit(
      bench_.tenant, [held = std::move(held)](Transaction&) { return absl::OkStatus(); },
      [&](absl::StatusOr<Committed>) { released = watched.expired(); });
  bench_.executor.RunAll();
  EXPECT_TRUE(released);
}

TEST_F(SequencerTest, TellsWhenTheEarliestTaskOfACommitFallsDue) {
  std::vector<absl::Time> told;
  bench_.sequencer.SetOnTask([&](const base::TenantId& tenant, absl::Time due) {
    EXPECT_EQ(tenant, bench_.tenant);
    told.push_back(due);
  });
  const absl::Time due = bench_.clock.Now() + absl::Hours(1);
  ASSERT_TRUE(bench_.Run(Increment("n")).ok());
  ASSERT_TRUE(bench_
                  .Run([&](Transaction& transaction) {
                    transaction.Put(kRecords, "task", "");
                    transaction.AnnounceTask(due + absl::Hours(1));
                    transaction.AnnounceTask(due);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(told, ElementsAre(due));
}

// It took effect, and nobody else would look for what it left to be done.
TEST_F(SequencerTest, TasksOfACommitWhoseOutcomeIsGivenUpAreTold) {
  std::vector<absl::Time> told;
  bench_.sequencer.SetOnTask([&](const base::TenantId&, absl::Time due) { told.push_back(due); });
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  bench_.store.HoldBackDone(true);
  std::optional<absl::Time> given_up;
  bench_.sequencer.Submit(
      bench_.tenant,
      [&](Transaction& transaction) {
        transaction.Put(kRecords, "task", "");
        transaction.AnnounceTask(transaction.now());
        return absl::OkStatus();
      },
      [&](const absl::StatusOr<Committed>& done) {
        EXPECT_FALSE(done.ok());
        given_up = bench_.clock.Now();
      });
  bench_.executor.RunAll();
  bench_.store.FailReads(true);
  ASSERT_TRUE(bench_.store.ReleaseOne());
  bench_.executor.Advance(base::limits::kSettlePause * base::limits::kSettleReads);
  ASSERT_TRUE(given_up.has_value());
  EXPECT_THAT(told, ElementsAre(*given_up + base::limits::kTaskSleep));
}

// Whoever follows the feed would not hear of it before another commit concerns them.
TEST_F(SequencerTest, WhomACommitConcernsWhoseOutcomeIsGivenUpHearsOfItIfItTookEffect) {
  for (const fakes::Fault fault : {fakes::Fault::kUnknownNotApplied, fakes::Fault::kUnknownApplied}) {
    std::vector<base::Revision> heard;
    auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                                 [&](base::Revision revision) { heard.push_back(revision); });
    bench_.store.FailNext(fault);
    bench_.store.HoldBackDone(true);
    bool given_up = false;
    bench_.sequencer.Submit(bench_.tenant, Increment("n"),
                            [&](const absl::StatusOr<Committed>& done) { given_up = !done.ok(); });
    bench_.executor.RunAll();
    bench_.store.FailReads(true);
    ASSERT_TRUE(bench_.store.ReleaseOne());
    bench_.executor.Advance(base::limits::kSettlePause * base::limits::kSettleReads);
    ASSERT_TRUE(given_up);
    // While nobody can read it nobody is told.
    bench_.executor.Advance(base::limits::kTaskSleep);
    EXPECT_THAT(heard, ElementsAre());
    bench_.store.FailReads(false);
    bench_.store.HoldBackDone(false);
    bench_.executor.Advance(base::limits::kTaskSleep);
    if (fault == fakes::Fault::kUnknownApplied) {
      EXPECT_THAT(heard, ElementsAre(2));
    } else {
      EXPECT_THAT(heard, ElementsAre());
    }
    // Another commit has its place then: it cannot land any more.
    bench_.sequencer.Submit(bench_.tenant, Increment("n"), [](const absl::StatusOr<Committed>&) {});
    bench_.executor.Advance(base::limits::kTaskPauseMost);
    EXPECT_EQ(bench_.executor.timers(), 0u);
  }
}

// Its task would wait for the tenant's next one, and whoever follows the feed for the next change.
TEST_F(SequencerTest, ACommitThatLandsLongAfterItWasGivenUpIsHeardOfThen) {
  std::vector<absl::Time> told;
  bench_.sequencer.SetOnTask([&](const base::TenantId&, absl::Time due) { told.push_back(due); });
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  bench_.store.FailNext(fakes::Fault::kConflict, base::limits::kConflictTries - 1);
  const absl::Time due = bench_.clock.Now() + absl::Hours(1);
  int runs = 0;
  const absl::StatusOr<Committed> given_up = bench_.Run([&](Transaction& transaction) {
    if (++runs == base::limits::kConflictTries) bench_.store.LandLate(kRecords);
    transaction.AnnounceTask(due);
    return Increment("n")(transaction);
  });
  EXPECT_EQ(ReasonOf(given_up), base::Reason(base::errors::CommitConflict()));
  bench_.executor.Advance(absl::Minutes(100));
  EXPECT_THAT(heard, ElementsAre());
  told.clear();
  // Something else is about to be committed: what is late lands before it.
  bench_.store.Apply({.preconditions = {}, .writes = {}, .durability = storage::Durability::kBuffered},
                     [](const storage::CommitResult&) {});
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
  bench_.executor.Advance(base::limits::kTaskPauseMost);
  EXPECT_THAT(heard, ElementsAre(1));
  EXPECT_THAT(told, ElementsAre(due));
  EXPECT_EQ(bench_.executor.timers(), 0u);
}

TEST_F(SequencerTest, OfACommitThatWasNotWrittenNobodyIsToldLater) {
  for (const fakes::Fault fault : {fakes::Fault::kFull, fakes::Fault::kUnavailable}) {
    bench_.store.FailNext(fault);
    EXPECT_FALSE(bench_.Run(Increment("n")).ok());
    EXPECT_EQ(bench_.executor.timers(), 0u);
  }
}

TEST(SequencerThreads, ManyThreadsLoseNoChangeAndLeaveNoGap) {
  constexpr int kThreads = 4;
  constexpr int kChanges = 100;
  storage::MemoryStore store;
  base::SystemClock clock;
  fakes::SeededRandom random(1);
  Subscriptions subscriptions;
  std::atomic<int> done = 0;
  std::atomic<base::Revision> last_heard = 0;
  std::atomic<bool> in_order = true;
  const base::TenantId tenant = TenantNamed("acme");
  base::ThreadExecutor executor(3);
  {
    auto handle = subscriptions.Subscribe(tenant, {"carer"}, [&](base::Revision revision) {
      if (last_heard.exchange(revision) != revision - 1) in_order = false;
    });
    Sequencer sequencer(store, clock, random, executor, subscriptions, "first");
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < kChanges; ++j) {
          sequencer.Submit(
              tenant,
              [](Transaction& transaction) -> absl::Status {
                const std::string value = transaction.Get(kRecords, "n").value().value_or("0");
                transaction.Put(kRecords, "n", std::to_string(std::stoi(value) + 1));
                transaction.Announce({"carer"});
                return absl::OkStatus();
              },
              [&](const absl::StatusOr<Committed>& committed) {
                EXPECT_TRUE(committed.ok());
                ++done;
              });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (done < kThreads * kChanges) std::this_thread::yield();
  }
  EXPECT_TRUE(in_order);
  EXPECT_EQ(last_heard, base::Revision{kThreads * kChanges});
  EXPECT_EQ(ReadHead(*store.NewSnapshot().value(), tenant).value().revision, base::Revision{kThreads * kChanges});
  EXPECT_THAT(store.NewSnapshot().value()->Get(kRecords, "n").value(),
              Optional(Eq(std::to_string(kThreads * kChanges))));
}

}  // namespace
}  // namespace caresync::commit

// What commits together with a change: the rider's rows, and the conditions of both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/commit/sequencer.h"
#include "tests/commit/commit_bench.h"
#include "tests/commit/sequencer_test.h"
#include "tests/fakes/commits.h"

namespace caresync::commit {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr storage::Space kDevices = storage::Space::kDevices;
constexpr char kDevice[] = "device";

// ---- Riders

// Writes under "told" which rows "row/..." the change made of what: "row/a: 1 > 2, ".
absl::Status Tell(Transaction& transaction) {
  std::string told;
  transaction.VisitOwn(
      kRecords, storage::PrefixRange("row/"), [&](std::string_view key, const std::optional<std::string>& value) {
        const std::optional<std::string> before = transaction.base().Get(kRecords, key).value();
        absl::StrAppend(&told, std::string(key), ": ", before.value_or("-"), " > ", value.value_or("-"), ", ");
        return true;
      });
  transaction.Put(kRecords, "told", told);
  transaction.Announce({"told"});
  return absl::OkStatus();
}

TEST_F(SequencerTest, ARiderCommitsWithEveryChangeThatWrites) {
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"told"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  bench_.sequencer.SetRider(Tell);
  EXPECT_EQ(bench_.RunPut("row/a", "1").value().head.revision, 1u);
  EXPECT_THAT(bench_.Read("told"), Optional(Eq("row/a: - > 1, ")));
  const absl::StatusOr<Committed> second = bench_.Run([](Transaction& transaction) {
    transaction.Put(kRecords, "row/b", "1");
    transaction.Put(kRecords, "row/a", "2");
    return absl::OkStatus();
  });
  EXPECT_EQ(second.value().head.revision, 2u) << "both are one commit";
  EXPECT_THAT(bench_.Read("told"), Optional(Eq("row/a: 1 > 2, row/b: - > 1, ")));

  bench_.store.FailNext(fakes::Fault::kFull);
  EXPECT_FALSE(bench_.RunPut("row/a", "3").ok());
  EXPECT_THAT(bench_.Read("row/a"), Optional(Eq("2")));
  EXPECT_THAT(bench_.Read("told"), Optional(Eq("row/a: 1 > 2, row/b: - > 1, ")));

  ASSERT_TRUE(bench_
                  .Run([](Transaction& transaction) {
                    transaction.Delete(kRecords, "row/a");
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(bench_.Read("told"), Optional(Eq("row/a: 2 > -, ")));
  EXPECT_THAT(heard, ElementsAre(1, 2, 3));
}

TEST_F(SequencerTest, ARiderSeesWhatIsLeftAfterARollBack) {
  bench_.sequencer.SetRider(Tell);
  ASSERT_TRUE(bench_
                  .Run([](Transaction& transaction) {
                    transaction.Put(kRecords, "row/a", "kept");
                    const size_t mark = transaction.Mark();
                    transaction.Put(kRecords, "row/a", "forgotten");
                    transaction.Put(kRecords, "row/b", "forgotten as well");
                    transaction.RollBackTo(mark);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(bench_.Read("told"), Optional(Eq("row/a: - > kept, ")));
}

TEST_F(SequencerTest, AnErrorOfTheRiderForgetsTheChange) {
  std::vector<base::Revision> heard;
  auto handle = bench_.subscriptions.Subscribe(bench_.tenant, {"carer"},
                                               [&](base::Revision revision) { heard.push_back(revision); });
  bool fails = true;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    transaction.Put(kRecords, "told", "");
    return fails ? base::errors::CarerUnknown("c") : absl::OkStatus();
  });
  EXPECT_EQ(bench_.Run(Increment("n")).status(), base::errors::CarerUnknown("c"));
  EXPECT_EQ(bench_.Read("n"), std::nullopt);
  EXPECT_EQ(bench_.Read("told"), std::nullopt);
  EXPECT_THAT(heard, IsEmpty());
  fails = false;
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
}

TEST_F(SequencerTest, AChangeThatWritesNothingHasNoRider) {
  int runs = 0;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    ++runs;
    return Tell(transaction);
  });
  EXPECT_FALSE(bench_.Run([](Transaction&) { return absl::OkStatus(); }).value().wrote);
  const absl::StatusOr<Committed> rolled_back = bench_.Run([](Transaction& transaction) {
    transaction.Put(kRecords, "row/a", "forgotten");
    transaction.RollBackTo(0);
    return absl::OkStatus();
  });
  EXPECT_FALSE(rolled_back.value().wrote);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(bench_.Read("told"), std::nullopt);
  EXPECT_EQ(HeadRow().revision(), 0u);
}

TEST_F(SequencerTest, AChangeThatFailsOrIsTooLargeHasNoRider) {
  int runs = 0;
  bench_.sequencer.SetRider([&](Transaction&) {
    ++runs;
    return absl::OkStatus();
  });
  const absl::StatusOr<Committed> failed = bench_.Run([](Transaction& transaction) {
    transaction.Put(kRecords, "row/a", "forgotten");
    return base::errors::CarerUnknown("c");
  });
  EXPECT_EQ(failed.status(), base::errors::CarerUnknown("c"));
  const absl::StatusOr<Committed> too_large = bench_.RunPut("key", std::string(base::limits::kCommitBytes, 'x'));
  EXPECT_EQ(ReasonOf(too_large), base::Reason(base::errors::CommitTooLarge()));
  EXPECT_EQ(runs, 0);
}

TEST_F(SequencerTest, AChangeThatItsRiderMakesTooLargeIsRefused) {
  size_t rows = base::limits::kCommitRows + base::limits::kRiderRows;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    for (size_t i = 0; i < rows; ++i) transaction.Put(kRecords, absl::StrCat("told/", i), "");
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(bench_.Run(Increment("n"))), base::Reason(base::errors::CommitTooLarge()));
  EXPECT_EQ(bench_.Read("n"), std::nullopt);
  rows -= 1;
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
}

TEST_F(SequencerTest, ARiderRunsAgainWithItsChange) {
  int runs = 0;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    ++runs;
    return Increment("ridden")(transaction);
  });
  bench_.store.FailNext(fakes::Fault::kConflict, 2);
  bench_.store.FailNext(fakes::Fault::kUnknownNotApplied);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_EQ(runs, 4);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
  EXPECT_THAT(bench_.Read("ridden"), Optional(Eq("1")));
}

TEST_F(SequencerTest, ARiderDoesNotRunAgainForAnUnknownOutcomeThatWasApplied) {
  int runs = 0;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    ++runs;
    return Increment("ridden")(transaction);
  });
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_EQ(runs, 1);
  EXPECT_THAT(bench_.Read("ridden"), Optional(Eq("1")));
}

// ---- Who hears of the commit

// Writes, and counts in `heard` each commit of it.
Change Counted(int& heard) {
  return [&heard](Transaction& transaction) {
    transaction.OnCommitted([&heard] { ++heard; });
    transaction.Put(kRecords, "n", "1");
    return absl::OkStatus();
  };
}

TEST_F(SequencerTest, ACommitIsHeardOfOnceHoweverOftenItsChangeRuns) {
  int heard = 0;
  ASSERT_TRUE(bench_.Run(Counted(heard)).ok());
  EXPECT_EQ(heard, 1);
  bench_.store.FailNext(fakes::Fault::kConflict, 2);
  bench_.store.FailNext(fakes::Fault::kUnknownNotApplied);
  ASSERT_TRUE(bench_.Run(Counted(heard)).ok());
  EXPECT_EQ(heard, 2);
  bench_.store.FailNext(fakes::Fault::kUnknownApplied);
  ASSERT_TRUE(bench_.Run(Counted(heard)).ok());
  EXPECT_EQ(heard, 3) << "the commit ID in the head tells of it";
}

TEST_F(SequencerTest, ACommitOfTheRiderIsHeardOfBeforeTheCallerIs) {
  std::vector<std::string> order;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    transaction.OnCommitted([&order] { order.push_back("of the rider"); });
    return absl::OkStatus();
  });
  bench_.sequencer.Submit(bench_.tenant, Increment("n"),
                          [&order](const absl::StatusOr<Committed>&) { order.push_back("the caller"); });
  EXPECT_THAT(order, IsEmpty());
  bench_.executor.RunAll();
  EXPECT_THAT(order, ElementsAre("of the rider", "the caller"));
}

TEST_F(SequencerTest, NothingIsHeardOfWhatIsNotCommitted) {
  int heard = 0;
  bench_.store.FailNext(fakes::Fault::kFull);
  EXPECT_FALSE(bench_.Run(Counted(heard)).ok());
  EXPECT_TRUE(bench_
                  .Run([&heard](Transaction& transaction) {
                    transaction.OnCommitted([&heard] { ++heard; });
                    return absl::OkStatus();
                  })
                  .ok())
      << "it writes nothing";
  EXPECT_TRUE(bench_
                  .Run([&heard](Transaction& transaction) {
                    const size_t mark = transaction.Mark();
                    transaction.OnCommitted([&heard] { ++heard; });
                    transaction.RollBackTo(mark);
                    return Increment("n")(transaction);
                  })
                  .ok());
  EXPECT_EQ(heard, 0);
}

// ---- Conditions of the change's own

// As a device's session writes: without the sequencer, so the head stays.
void PutDevice(storage::Store& store, std::string_view value) {
  const storage::CommitResult result = fakes::CommitAndWait(store, fakes::PutOf(kDevices, kDevice, value));
  EXPECT_EQ(result.outcome, storage::CommitOutcome::kCommitted);
}

// Writes under "seen" what the device's row says, on condition that it still does.
absl::Status NoteDevice(Transaction& transaction) {
  const std::optional<std::string> device = transaction.Get(kDevices, kDevice).value();
  transaction.Require(kDevices, kDevice, device);
  transaction.Put(kRecords, "seen", device.value_or("none"));
  return absl::OkStatus();
}

TEST_F(SequencerTest, AConditionThatFailsRunsTheChangeAgain) {
  std::vector<std::string> before_commit = {"first", "second"};
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    const absl::Status noted = NoteDevice(transaction);
    // Between what it read and its commit.
    if (runs < 2) PutDevice(store_, before_commit[runs]);
    ++runs;
    return noted;
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
  EXPECT_EQ(runs, 3) << "the row was absent, then there, then another";
  EXPECT_THAT(bench_.Read("seen"), Optional(Eq("second")));
}

TEST_F(SequencerTest, AConditionThatHoldsLetsTheChangeCommitAtOnce) {
  int runs = 0;
  PutDevice(store_, "as it is");
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    ++runs;
    transaction.Require(kDevices, "another device", std::nullopt);
    return NoteDevice(transaction);
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
  EXPECT_EQ(runs, 1);
}

TEST_F(SequencerTest, AConditionThatNeverHoldsEndsByName) {
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    PutDevice(store_, absl::StrCat(++runs));
    transaction.Require(kDevices, kDevice, "0");
    return Increment("n")(transaction);
  });
  EXPECT_EQ(ReasonOf(outcome), base::Reason(base::errors::CommitConflict()));
  EXPECT_EQ(runs, base::limits::kConflictTries);
  EXPECT_EQ(bench_.Read("n"), std::nullopt);
  EXPECT_EQ(HeadRow().revision(), 0u);
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u) << "the next one goes on";
}

TEST_F(SequencerTest, AConditionOfTheRiderRunsItsChangeAgain) {
  int runs = 0;
  bench_.sequencer.SetRider([&](Transaction& transaction) {
    const absl::Status noted = NoteDevice(transaction);
    if (++runs == 1) PutDevice(store_, "new");
    return noted;
  });
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 1u);
  EXPECT_EQ(runs, 2);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
  EXPECT_THAT(bench_.Read("seen"), Optional(Eq("new")));
}

TEST_F(SequencerTest, AConditionThatWasRolledBackHoldsNothingUp) {
  const absl::StatusOr<Committed> outcome = bench_.Run([](Transaction& transaction) {
    const size_t mark = transaction.Mark();
    transaction.Require(kDevices, kDevice, "never so");
    transaction.RollBackTo(mark);
    return Increment("n")(transaction);
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
}

// The head stands all the while: what is open is still told by it, and the change takes effect once.
TEST_F(SequencerTest, AConditionThatFailsBehindAnUnknownOutcomeRunsTheChangeAgain) {
  PutDevice(store_, "0");
  bench_.store.FailNext(fakes::Fault::kUnknownNotApplied);
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    const absl::Status noted = NoteDevice(transaction);
    if (++runs == 2) PutDevice(store_, "1");
    return noted.ok() ? Increment("n")(transaction) : noted;
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
  EXPECT_EQ(runs, 3);
  EXPECT_THAT(bench_.Read("n"), Optional(Eq("1")));
  EXPECT_THAT(bench_.Read("seen"), Optional(Eq("1")));
}

TEST_F(SequencerTest, ALateCommitTakesNoEffectWhereItsConditionFailsByThen) {
  PutDevice(store_, "old");
  bench_.store.LandLate(kRecords);
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run([&](Transaction& transaction) {
    const absl::Status noted = NoteDevice(transaction);
    if (++runs == 1) PutDevice(store_, "new");
    return noted;
  });
  EXPECT_EQ(outcome.value().head.revision, 1u);
  EXPECT_EQ(runs, 2) << "the first one's commit landed before the second's, and met a conflict";
  EXPECT_THAT(bench_.Read("seen"), Optional(Eq("new")));
}

// The first try may still take effect, so it cannot be said that nothing was written.
TEST_F(SequencerTest, AChangeThatHasNothingLeftToWriteBehindAnUnknownOutcomeIsAConflict) {
  bench_.store.LandLate(kRecords);
  int runs = 0;
  const absl::StatusOr<Committed> outcome = bench_.Run(
      [&](Transaction& transaction) { return ++runs == 1 ? Increment("n")(transaction) : absl::OkStatus(); });
  EXPECT_EQ(ReasonOf(outcome), base::Reason(base::errors::CommitConflict()));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(bench_.Read("n"), std::nullopt);
  // It lands while this one is on its way.
  EXPECT_EQ(bench_.Run(Increment("n")).value().head.revision, 2u);
}

}  // namespace
}  // namespace caresync::commit

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::fakes {
namespace {

using storage::CommitOutcome;
using storage::Space;
using ::testing::ElementsAre;

class FaultyStoreTest : public ::testing::Test {
 protected:
  CommitOutcome Put(std::string_view key) { return CommitAndWait(store_, PutOf(Space::kRecords, key, "v")).outcome; }
  bool Has(std::string_view key) { return ValueOf(inner_, Space::kRecords, key).has_value(); }

  storage::MemoryStore inner_;
  FaultyStore store_{inner_};
};

TEST_F(FaultyStoreTest, FaultsAreMetInOrderThenGone) {
  store_.FailNext(Fault::kConflict);
  store_.FailNext(Fault::kFull, 2);
  store_.FailNext(Fault::kUnavailable);
  EXPECT_EQ(store_.faults_left(), 4u);
  EXPECT_EQ(Put("a"), CommitOutcome::kConflict);
  EXPECT_EQ(Put("a"), CommitOutcome::kFull);
  EXPECT_EQ(Put("a"), CommitOutcome::kFull);
  EXPECT_EQ(Put("a"), CommitOutcome::kUnavailable);
  EXPECT_FALSE(Has("a"));
  EXPECT_EQ(Put("a"), CommitOutcome::kCommitted);
  EXPECT_TRUE(Has("a"));
}

TEST_F(FaultyStoreTest, WhileItIsFullNoCommitIsTakenAndHealthSaysSo) {
  store_.SetFull(true);
  EXPECT_EQ(Put("a"), CommitOutcome::kFull);
  EXPECT_TRUE(absl::IsResourceExhausted(store_.Health()));
  store_.SetFull(false);
  EXPECT_FALSE(Has("a"));
  EXPECT_EQ(Put("a"), CommitOutcome::kCommitted);
  EXPECT_TRUE(store_.Health().ok());
}

TEST_F(FaultyStoreTest, AnUnknownOutcomeMayBeEither) {
  store_.FailNext(Fault::kUnknownApplied);
  store_.FailNext(Fault::kUnknownNotApplied);
  EXPECT_EQ(Put("applied"), CommitOutcome::kUnknown);
  EXPECT_EQ(Put("not applied"), CommitOutcome::kUnknown);
  EXPECT_TRUE(Has("applied"));
  EXPECT_FALSE(Has("not applied"));
}

TEST_F(FaultyStoreTest, ALateCommitTakesEffectJustBeforeTheNextOneWhereItStillCan) {
  const auto put_if_absent = [this](std::string_view key, std::string_view value) {
    storage::Commit commit = PutOf(Space::kRecords, key, value);
    commit.preconditions.push_back({Space::kRecords, std::string(key), std::nullopt});
    return CommitAndWait(store_, std::move(commit)).outcome;
  };
  store_.LandLate(Space::kDevices);
  EXPECT_EQ(put_if_absent("other", "v"), CommitOutcome::kCommitted);
  store_.LandLate(Space::kRecords);
  EXPECT_EQ(put_if_absent("late", "first"), CommitOutcome::kUnknown);
  EXPECT_FALSE(Has("late"));
  EXPECT_EQ(put_if_absent("late", "second"), CommitOutcome::kConflict);
  EXPECT_EQ(ValueOf(inner_, Space::kRecords, "late"), "first");
  EXPECT_EQ(put_if_absent("next", "v"), CommitOutcome::kCommitted);
}

TEST_F(FaultyStoreTest, HeldBackCommitsTakeEffectButNobodyIsTold) {
  std::vector<int> told;
  store_.HoldBackDone(true);
  for (int i = 0; i < 3; ++i) {
    store_.Apply(PutOf(Space::kRecords, std::to_string(i), "v"),
                 [&told, i](storage::CommitResult) { told.push_back(i); });
  }
  EXPECT_TRUE(Has("2"));
  EXPECT_THAT(told, ElementsAre());
  EXPECT_EQ(store_.held_back(), 3u);
  EXPECT_TRUE(store_.ReleaseOne());
  EXPECT_THAT(told, ElementsAre(0));
  store_.ReleaseAll();
  EXPECT_THAT(told, ElementsAre(0, 1, 2));
  EXPECT_FALSE(store_.ReleaseOne());
}

TEST_F(FaultyStoreTest, DroppedOnesAreNeverTold) {
  bool told = false;
  store_.HoldBackDone(true);
  store_.Apply(PutOf(Space::kRecords, "k", "v"), [&](storage::CommitResult) { told = true; });
  store_.DropHeldBack();
  store_.ReleaseAll();
  EXPECT_FALSE(told);
  EXPECT_TRUE(Has("k"));
}

TEST_F(FaultyStoreTest, FailingReadsConcernOldAndNewSnapshots) {
  Put("k");
  auto snapshot = store_.NewSnapshot();
  ASSERT_TRUE(snapshot.ok());
  store_.FailReads(true);
  EXPECT_TRUE(absl::IsUnavailable((*snapshot)->Get(Space::kRecords, "k").status()));
  EXPECT_TRUE(absl::IsUnavailable(store_.NewSnapshot().status()));
  EXPECT_TRUE(absl::IsUnavailable(store_.Health()));
  store_.FailReads(false);
  EXPECT_TRUE((*snapshot)->Get(Space::kRecords, "k").ok());
  EXPECT_TRUE(store_.Health().ok());
}

TEST(ManualClock, SettingTheWallClockLetsNoTimePass) {
  ManualClock clock;
  const absl::Time now = clock.Now();
  const absl::Duration monotonic = clock.Monotonic();
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now(), now + absl::Seconds(5));
  EXPECT_EQ(clock.Monotonic(), monotonic + absl::Seconds(5));
  clock.SetNow(now - absl::Hours(1));
  EXPECT_EQ(clock.Now(), now - absl::Hours(1));
  EXPECT_EQ(clock.Monotonic(), monotonic + absl::Seconds(5));
}

class ManualExecutorTest : public ::testing::Test {
 protected:
  base::Work Note(int number) {
    return [this, number] { ran_.push_back(number); };
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  std::vector<int> ran_;
};

TEST_F(ManualExecutorTest, RunsPostedWorkInOrderAndOnlyWhenTold) {
  executor_.Post(Note(1));
  executor_.Post([this] {
    ran_.push_back(2);
    executor_.Post(Note(4));
  });
  executor_.Post(Note(3));
  EXPECT_THAT(ran_, ElementsAre());
  EXPECT_EQ(executor_.ready(), 3u);
  executor_.RunAll();
  EXPECT_THAT(ran_, ElementsAre(1, 2, 3, 4));
  EXPECT_FALSE(executor_.RunOne());
}

TEST_F(ManualExecutorTest, AdvancingFiresTimersInOrderEachAtItsTime) {
  const absl::Duration begin = clock_.Monotonic();
  std::vector<absl::Duration> times;
  for (int seconds : {3, 1, 2, 9}) {
    executor_.PostAfter(absl::Seconds(seconds), [&] { times.push_back(clock_.Monotonic() - begin); });
  }
  executor_.Advance(absl::Seconds(5));
  EXPECT_THAT(times, ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(3)));
  EXPECT_EQ(clock_.Monotonic() - begin, absl::Seconds(5));
  EXPECT_EQ(executor_.timers(), 1u);
}

TEST_F(ManualExecutorTest, ATimerSetByATimerFiresWithinTheSameAdvance) {
  executor_.PostAfter(absl::Seconds(1), [this] { executor_.PostAfter(absl::Seconds(1), Note(2)); });
  executor_.Advance(absl::Seconds(2));
  EXPECT_THAT(ran_, ElementsAre(2));
}

TEST_F(ManualExecutorTest, ATimerWithoutDelayIsReady) {
  executor_.PostAfter(absl::ZeroDuration(), Note(1));
  executor_.PostAfter(-absl::Seconds(1), Note(2));
  executor_.RunAll();
  EXPECT_THAT(ran_, ElementsAre(1, 2));
}

TEST_F(ManualExecutorTest, ACancelledTimerDoesNotFire) {
  const base::TimerId timer = executor_.PostAfter(absl::Seconds(1), Note(1));
  EXPECT_TRUE(executor_.Cancel(timer));
  EXPECT_FALSE(executor_.Cancel(timer));
  executor_.Advance(absl::Seconds(2));
  EXPECT_THAT(ran_, ElementsAre());
}

std::vector<int> OrderOfSeed(uint64_t seed) {
  ManualClock clock;
  ManualExecutor executor(clock, seed);
  std::vector<int> ran;
  for (int i = 0; i < 20; ++i) executor.Post([&ran, i] { ran.push_back(i); });
  executor.RunAll();
  return ran;
}

TEST(ManualExecutor, ASeedRepeatsItsOrderAndAnotherDoesNot) {
  EXPECT_EQ(OrderOfSeed(1), OrderOfSeed(1));
  EXPECT_NE(OrderOfSeed(1), OrderOfSeed(2));
  EXPECT_EQ(OrderOfSeed(1).size(), 20u);
}

TEST(SeededRandom, ASeedRepeatsItsBytes) {
  SeededRandom a(5), b(5), c(6);
  const std::string bytes = a.Bytes(32);
  EXPECT_EQ(bytes.size(), 32u);
  EXPECT_EQ(b.Bytes(32), bytes);
  EXPECT_NE(c.Bytes(32), bytes);
}

}  // namespace
}  // namespace caresync::fakes

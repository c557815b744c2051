#include "server/feed/feed_compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/feed_places.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

using ::testing::ElementsAre;

class FeedCompactionTest : public ::testing::Test {
 protected:
  FeedCompactionTest() {
    for (const char* record : {"a", "b", "c", "d", "e"}) bench_.Upsert(record);  // Revisions 1 to 5.
    bench_.Remove("d");                                                          // 6
    bench_.Upsert("a", 2);                                                       // 7
    bench_.Remove("b");                                                          // 8
    bench_.Remove("c");                                                          // 9
  }

  FeedBench bench_;
};

TEST_F(FeedCompactionTest, ForgetsTheOldestRemovalsAndMovesTheHorizonToTheLast) {
  EXPECT_EQ(bench_.Forget(2), 2u);
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+e", "+a", "-c"));
  const FeedSummary summary = bench_.Summary();
  EXPECT_EQ(summary.horizon, (Position{8, {"b"}}));
  EXPECT_EQ(summary.removals, 1u);
  EXPECT_EQ(summary.count, 2u);
  EXPECT_EQ(bench_.Rows(fakes::FeedPlaces(bench_.tenant, bench_.receiver)), 3u);
}

TEST_F(FeedCompactionTest, GoesOnFromTheHorizon) {
  EXPECT_EQ(bench_.Forget(1), 1u);
  EXPECT_EQ(bench_.Summary().horizon, (Position{6, {"d"}}));
  EXPECT_EQ(bench_.Forget(1), 1u);
  EXPECT_EQ(bench_.Summary().horizon, (Position{8, {"b"}}));
  EXPECT_EQ(bench_.Forget(10), 1u);
  EXPECT_EQ(bench_.Forget(10), 0u);
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+e", "+a"));
}

TEST_F(FeedCompactionTest, LeavesWhatComesAfterTheGivenPosition) {
  EXPECT_EQ(bench_.Forget(10, Position{8, {"a"}}), 1u);
  EXPECT_EQ(bench_.Summary().horizon, (Position{6, {"d"}}));
  EXPECT_EQ(bench_.Forget(10, Position{8, {"b"}}), 1u);
  EXPECT_EQ(bench_.Summary().horizon, (Position{8, {"b"}}));
}

TEST_F(FeedCompactionTest, ARecordThatWasForgottenAppearsAnew) {
  bench_.Forget(10);
  EXPECT_EQ(bench_.Remove("b"), Moved::kNot);
  EXPECT_EQ(bench_.Upsert("b"), Moved::kAppeared);
  EXPECT_EQ(bench_.Summary().count, 3u);
}

TEST_F(FeedCompactionTest, WithoutRemovalsNothingIsWritten) {
  bench_.Forget(10);
  bench_.Commit([&](commit::Transaction& transaction) {
    EXPECT_EQ(Compact(transaction, bench_.receiver, Position::EndOf(100), 10).value(), 0u);
    EXPECT_EQ(Compact(transaction, {"without a feed"}, Position::EndOf(100), 10).value(), 0u);
    EXPECT_FALSE(transaction.wrote());
  });
}

TEST_F(FeedCompactionTest, StepsGoOnUntilHalfOfTheBoundIsLeft) {
  const uint64_t kept = base::limits::kFeedRemovals / 2;
  const uint64_t removals = kept + base::limits::kCompactedPerCommit + 5;
  for (uint64_t i = 0; i < removals; ++i) bench_.Upsert(std::to_string(i));
  bench_.Commit([&](commit::Transaction& transaction) {
    for (uint64_t i = 0; i < removals; ++i) {
      ASSERT_TRUE(FeedWriter(transaction).Remove(bench_.receiver, {std::to_string(i)}).ok());
    }
  });
  int steps = 0;
  do {
    ++steps;
    bench_.Commit([&](commit::Transaction& transaction) {
      ASSERT_TRUE(CompactionStep(transaction, bench_.receiver.bytes).ok());
    });
  } while (bench_.task.has_value());
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(bench_.Summary().removals, kept);
}

TEST_F(FeedCompactionTest, AHeadRowThatCountsTooLittleIsDamageAndNotTheEndOfTheServer) {
  FeedSummary summary = bench_.Summary();
  summary.removals = 1;
  bench_.Commit([&](commit::Transaction& transaction) { PutSummary(transaction, bench_.receiver, summary); });
  bench_.Commit([&](commit::Transaction& transaction) {
    const absl::StatusOr<size_t> forgotten = Compact(transaction, bench_.receiver, Position::EndOf(100), 10);
    EXPECT_EQ(base::Reason(forgotten.status()), "DAMAGED_ROW");
    EXPECT_FALSE(transaction.wrote());
  });
}

TEST_F(FeedCompactionTest, AHeadRowThatCountsTooMuchIsDamageAndNotATaskWithoutEnd) {
  bench_.Forget(10);
  FeedSummary summary = bench_.Summary();
  summary.removals = base::limits::kFeedRemovals + base::limits::kCompactedPerCommit;
  bench_.Commit([&](commit::Transaction& transaction) { PutSummary(transaction, bench_.receiver, summary); });
  bench_.Commit([&](commit::Transaction& transaction) {
    EXPECT_EQ(base::Reason(CompactionStep(transaction, bench_.receiver.bytes)), "DAMAGED_ROW");
    EXPECT_FALSE(transaction.wrote());
  });
}

}  // namespace
}  // namespace caresync::feed

#include "server/feed/feed_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/counting_reader.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FeedReaderTest : public ::testing::Test {
 protected:
  FeedBench bench_;
};

TEST_F(FeedReaderTest, AReceiverWithoutAFeedHasNothing) {
  const FeedBatch batch = bench_.Read();
  EXPECT_THAT(batch.entries, IsEmpty());
  EXPECT_TRUE(batch.nothing_left);
  EXPECT_FALSE(batch.horizon_passed);
  EXPECT_EQ(batch.end, Position{});
  EXPECT_EQ(batch.summary.count, 0u);
}

TEST_F(FeedReaderTest, BatchesFollowEachOtherWithinOneRevision) {
  bench_.Commit([&](commit::Transaction& transaction) {
    for (const char* record : {"c", "a", "b"}) {
      ASSERT_TRUE(FeedWriter(transaction).Upsert(bench_.receiver, {{record}, 1, 1, 1}).ok());
    }
  });
  FeedBatch batch = bench_.Read({}, 2);
  EXPECT_THAT(RecordsOf(batch.entries), ElementsAre("+a", "+b"));
  EXPECT_EQ(batch.end, (Position{1, {"b"}}));
  EXPECT_FALSE(batch.nothing_left);
  EXPECT_EQ(batch.summary.count, 3u);
  batch = bench_.Read({.after = batch.end, .rebuild_began = std::nullopt}, 2);
  EXPECT_THAT(RecordsOf(batch.entries), ElementsAre("+c"));
  EXPECT_TRUE(batch.nothing_left);
}

TEST_F(FeedReaderTest, EntriesCarryWhatTheWriterWasGiven) {
  bench_.Upsert({.record = {"a"}, .version = 9, .fingerprint = 77, .payload_bytes = 123});
  const FeedBatch batch = bench_.Read();
  ASSERT_EQ(batch.entries.size(), 1u);
  EXPECT_EQ(batch.entries[0].position, (Position{1, {"a"}}));
  EXPECT_FALSE(batch.entries[0].removal);
  EXPECT_EQ(batch.entries[0].version, 9u);
  EXPECT_EQ(batch.entries[0].fingerprint, 77u);
  EXPECT_EQ(batch.entries[0].payload_bytes, 123u);
}

TEST_F(FeedReaderTest, ABatchHoldsTheBytesAllowedOrOneEntryThatIsLarger) {
  for (const char* record : {"a", "b", "c"}) bench_.Upsert(record, 1, 100);
  bench_.Upsert("huge", 1, 10'000);
  EXPECT_EQ(bench_.Read({}, 100, 219, 10).entries.size(), 1u);
  EXPECT_EQ(bench_.Read({}, 100, 220, 10).entries.size(), 2u);
  EXPECT_EQ(bench_.Read({}, 100, 1'000, 10).entries.size(), 3u);
  const FeedBatch huge = bench_.Read({.after = {3, {"c"}}, .rebuild_began = std::nullopt}, 100, 1'000, 10);
  EXPECT_THAT(RecordsOf(huge.entries), ElementsAre("+huge"));
  EXPECT_TRUE(huge.nothing_left);
}

TEST_F(FeedReaderTest, ExactlyTheEntriesAllowedLeaveNothing) {
  bench_.Upsert("a");
  bench_.Upsert("b");
  EXPECT_TRUE(bench_.Read({}, 2).nothing_left);
  EXPECT_FALSE(bench_.Read({}, 1).nothing_left);
}

TEST_F(FeedReaderTest, WhoIsCaughtUpMeetsNoRowOfTheFeed) {
  bench_.Upsert("a");
  bench_.Upsert("b");
  const auto snapshot = bench_.store.NewSnapshot().value();
  const fakes::CountingReader reader(*snapshot);
  const FeedBatch batch = ReadBatch(reader, bench_.tenant, bench_.receiver,
                                    {.after = Position::EndOf(bench_.head), .rebuild_began = std::nullopt}, 100, 100, 0)
                              .value();
  EXPECT_TRUE(batch.nothing_left);
  EXPECT_THAT(batch.entries, IsEmpty());
  EXPECT_EQ(batch.summary.count, 2u);
  // Its head row.
  EXPECT_EQ(reader.calls(), 1u);
}

TEST_F(FeedReaderTest, ARebuildPassesOverRemovalsFromBeforeItBegan) {
  bench_.Upsert("a");
  bench_.Upsert("b");
  bench_.Upsert("c");
  bench_.Remove("a");  // 4
  bench_.Remove("b");  // 5
  const ReadFrom rebuild{.after = {}, .rebuild_began = 4};
  const FeedBatch batch = bench_.Read(rebuild);
  EXPECT_THAT(RecordsOf(batch.entries), ElementsAre("+c", "-b"));
  EXPECT_THAT(RecordsOf(bench_.Read().entries), ElementsAre("+c", "-a", "-b"));
  const FeedBatch at_the_end = bench_.Read({.after = {}, .rebuild_began = 5});
  EXPECT_THAT(RecordsOf(at_the_end.entries), ElementsAre("+c"));
  EXPECT_EQ(at_the_end.end, (Position{5, {"b"}}));
  EXPECT_TRUE(at_the_end.nothing_left);
}

TEST_F(FeedReaderTest, WhatIsPassedOverInOneReadIsBounded) {
  for (int i = 0; i < 20; ++i) bench_.Upsert(std::to_string(i));
  for (int i = 0; i < 20; ++i) bench_.Remove(std::to_string(i));
  bench_.Upsert("last");
  const base::Revision began = bench_.head;
  ReadFrom from{.after = {}, .rebuild_began = began};
  int reads = 0;
  std::vector<std::string> records;
  for (bool more = true; more; ++reads) {
    const FeedBatch batch = bench_.Read(from, 2);
    EXPECT_TRUE(batch.nothing_left || batch.end > from.after);
    for (const std::string& record : RecordsOf(batch.entries)) records.push_back(record);
    from.after = batch.end;
    more = !batch.nothing_left;
  }
  EXPECT_EQ(reads, 3);
  EXPECT_THAT(records, ElementsAre("+last"));
}

TEST_F(FeedReaderTest, AReaderBeforeTheHorizonIsToldAndOneAtItIsNot) {
  bench_.Upsert("a");  // 1
  bench_.Upsert("b");  // 2
  bench_.Commit([&](commit::Transaction& transaction) {
    ASSERT_TRUE(FeedWriter(transaction).Remove(bench_.receiver, {"a"}).ok());
    ASSERT_TRUE(FeedWriter(transaction).Remove(bench_.receiver, {"b"}).ok());
  });  // 3
  bench_.Forget(1);
  ASSERT_EQ(bench_.Summary().horizon, (Position{3, {"a"}}));
  const FeedBatch passed = bench_.Read({.after = {2, {"b"}}, .rebuild_began = std::nullopt});
  EXPECT_TRUE(passed.horizon_passed);
  EXPECT_THAT(passed.entries, IsEmpty());
  EXPECT_EQ(passed.end, (Position{2, {"b"}}));
  const FeedBatch at_it = bench_.Read({.after = {3, {"a"}}, .rebuild_began = std::nullopt});
  EXPECT_FALSE(at_it.horizon_passed);
  EXPECT_THAT(RecordsOf(at_it.entries), ElementsAre("-b"));
}

TEST_F(FeedReaderTest, ARebuildNeedsOnlyTheRemovalsSinceItBegan) {
  bench_.Upsert("a");  // 1
  bench_.Upsert("b");  // 2
  bench_.Remove("a");  // 3
  bench_.Remove("b");  // 4
  bench_.Forget(1);
  EXPECT_FALSE(bench_.Read({.after = {}, .rebuild_began = 3}).horizon_passed);
  bench_.Forget(1);
  EXPECT_TRUE(bench_.Read({.after = {}, .rebuild_began = 3}).horizon_passed);
  EXPECT_FALSE(bench_.Read({.after = {}, .rebuild_began = 4}).horizon_passed);
}

TEST_F(FeedReaderTest, ARecordHasAnEntryUntilItsRemovalIsForgotten) {
  const auto entry = [this] {
    return ReadEntry(*bench_.store.NewSnapshot().value(), bench_.tenant, bench_.receiver, {"new"}).value();
  };
  EXPECT_FALSE(entry().has_value());
  bench_.Upsert("new");  // 1
  ASSERT_TRUE(entry().has_value());
  EXPECT_FALSE(entry()->removal);
  EXPECT_EQ(entry()->position, (Position{1, {"new"}}));
  bench_.Remove("new");  // 2
  ASSERT_TRUE(entry().has_value());
  EXPECT_TRUE(entry()->removal);
  EXPECT_EQ(entry()->position, (Position{2, {"new"}}));
  bench_.Forget(1);
  EXPECT_FALSE(entry().has_value());
}

}  // namespace
}  // namespace caresync::feed

#include "server/feed/feed_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FeedWriterTest : public ::testing::Test {
 protected:
  FeedBench bench_;
};

TEST_F(FeedWriterTest, ARecordAppearsMovesToTheEndAndDisappears) {
  EXPECT_EQ(bench_.Upsert("a"), Moved::kAppeared);
  EXPECT_EQ(bench_.Upsert("b"), Moved::kAppeared);
  EXPECT_EQ(bench_.Upsert("a", 2), Moved::kAgain);
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+b", "+a"));
  EXPECT_EQ(bench_.Remove("b"), Moved::kDisappeared);
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+a", "-b"));
  EXPECT_EQ(bench_.Upsert("b"), Moved::kAppeared);
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+a", "+b"));
}

TEST_F(FeedWriterTest, AnEntryThatIsRightStaysWhereItIs) {
  const RecordVersion version{.record = {"a"}, .version = 1, .fingerprint = 5, .payload_bytes = 7};
  EXPECT_EQ(bench_.Upsert(version), Moved::kAppeared);
  EXPECT_EQ(bench_.Upsert(version), Moved::kNot);
  EXPECT_THAT(bench_.announced, IsEmpty());
  EXPECT_EQ(bench_.Entries()[0].position.revision, 1u);
  EXPECT_EQ(bench_.Remove("never seen"), Moved::kNot);
  EXPECT_EQ(bench_.Remove("a"), Moved::kDisappeared);
  EXPECT_EQ(bench_.Remove("a"), Moved::kNot);
  EXPECT_EQ(bench_.Entries()[0].position.revision, 4u);
}

TEST_F(FeedWriterTest, AVersionThatOneRevisionWroteTwiceIsReplaced) {
  bench_.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    EXPECT_EQ(writer.Upsert(bench_.receiver, {{"a"}, 1, 5, 10}).value(), Moved::kAppeared);
    EXPECT_EQ(writer.Upsert(bench_.receiver, {{"a"}, 1, 6, 20}).value(), Moved::kAgain);
    EXPECT_EQ(writer.moved(), 2u);
  });
  EXPECT_EQ(bench_.Entries().size(), 1u);
  EXPECT_EQ(bench_.Summary().sum, 6u);
  EXPECT_EQ(bench_.Summary().payload_bytes, 20u);
}

TEST_F(FeedWriterTest, WhatOneRevisionShowsAndTakesAwayLeavesNoTrace) {
  const auto show_and_take_away = [this] {
    bench_.Commit([this](commit::Transaction& transaction) {
      // As two changes of one message do it.
      EXPECT_EQ(FeedWriter(transaction).Upsert(bench_.receiver, {{"a"}, 1, 5, 10, 2}).value(), Moved::kAppeared);
      EXPECT_EQ(FeedWriter(transaction).Remove(bench_.receiver, {"a"}).value(), Moved::kDisappeared);
    });
  };
  bench_.Upsert("b");
  show_and_take_away();
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+b"));
  EXPECT_FALSE(
      ReadEntry(*bench_.store.NewSnapshot().value(), bench_.tenant, bench_.receiver, {"a"}).value().has_value());
  EXPECT_EQ(bench_.Summary().count, 1u);
  EXPECT_EQ(bench_.Summary().removals, 0u);
  EXPECT_TRUE(bench_.Summary().above_first.empty());

  // The removal of what the receiver once had stays where it is.
  bench_.Upsert("a");
  bench_.Remove("a");
  const base::Revision removed = bench_.head;
  bench_.Upsert("c");
  show_and_take_away();
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+b", "-a", "+c"));
  EXPECT_EQ(bench_.Entries()[1].position.revision, removed);
  EXPECT_EQ(bench_.Summary().removals, 1u);

  // Seen before that revision, it is taken away by it.
  bench_.Commit([this](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    EXPECT_EQ(writer.Upsert(bench_.receiver, {{"c"}, 9, 5, 10}).value(), Moved::kAgain);
    EXPECT_EQ(writer.Remove(bench_.receiver, {"c"}).value(), Moved::kDisappeared);
    EXPECT_EQ(writer.Upsert(bench_.receiver, {{"c"}, 9, 6, 10}).value(), Moved::kAppeared);
    EXPECT_EQ(writer.Remove(bench_.receiver, {"c"}).value(), Moved::kDisappeared);
  });
  EXPECT_THAT(RecordsOf(bench_.Entries()), ElementsAre("+b", "-a", "-c"));
  EXPECT_EQ(bench_.Summary().count, 1u);
  EXPECT_EQ(bench_.Summary().removals, 2u);
}

TEST_F(FeedWriterTest, TheHeadRowCountsWhatTheReceiverHas) {
  bench_.Upsert("a", ~uint64_t{0}, 10);
  bench_.Upsert("b", 5, 20);
  FeedSummary summary = bench_.Summary();
  EXPECT_EQ(summary.count, 2u);
  EXPECT_EQ(summary.sum, 4u);
  EXPECT_EQ(summary.payload_bytes, 30u);
  EXPECT_EQ(summary.removals, 0u);
  EXPECT_EQ(summary.last_revision, 2u);
  bench_.Remove("a");
  summary = bench_.Summary();
  EXPECT_EQ(summary.count, 1u);
  EXPECT_EQ(summary.sum, 5u);
  EXPECT_EQ(summary.payload_bytes, 20u);
  EXPECT_EQ(summary.removals, 1u);
  EXPECT_EQ(summary.last_revision, 3u);
}

TEST_F(FeedWriterTest, EveryReceiverMovedIsAnnounced) {
  bench_.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    ASSERT_TRUE(writer.Upsert({"carer-2"}, {{"a"}, 1, 5, 10}).ok());
    ASSERT_TRUE(writer.Upsert({"carer-1"}, {{"a"}, 1, 5, 10}).ok());
    ASSERT_TRUE(writer.Remove({"carer-3"}, {"a"}).ok());
  });
  EXPECT_THAT(bench_.announced, ElementsAre(base::ReceiverId{"carer-1"}, base::ReceiverId{"carer-2"}));
}

TEST_F(FeedWriterTest, FeedsOfReceiversWhoseNamesBeginAlikeAreApart) {
  bench_.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    ASSERT_TRUE(writer.Upsert({"carer"}, {{"a"}, 1, 5, 10}).ok());
    ASSERT_TRUE(writer.Upsert({"carer1"}, {{"b"}, 1, 5, 10}).ok());
    ASSERT_TRUE(writer.Upsert({std::string("carer\0", 6)}, {{"c"}, 1, 5, 10}).ok());
  });
  EXPECT_THAT(RecordsOf(bench_.Read().entries), ElementsAre("+a"));
}

TEST_F(FeedWriterTest, ACompactionIsScheduledOnceWhenRemovalsPassTheBound) {
  const size_t most = base::limits::kFeedRemovals;
  for (size_t i = 0; i <= most; ++i) bench_.Upsert(std::to_string(i));
  for (size_t i = 0; i < most; ++i) bench_.Remove(std::to_string(i));
  EXPECT_EQ(bench_.Tasks(), 0u);
  EXPECT_EQ(bench_.Summary().removals, bench_.Summary().count + most - 1);
  bench_.Remove(std::to_string(most));
  EXPECT_EQ(bench_.Tasks(), 1u);
  ASSERT_TRUE(bench_.task.has_value());
  EXPECT_LE(*bench_.task, bench_.now);

  // Hovering around the bound adds no tasks.
  for (int i = 0; i < 10; ++i) {
    bench_.now += absl::Seconds(1);
    bench_.Upsert("hovering");
    bench_.Remove("hovering");
  }
  EXPECT_EQ(bench_.Tasks(), 1u);
}

TEST_F(FeedWriterTest, ACompactionThatWasLostIsScheduledAgain) {
  const size_t most = base::limits::kFeedRemovals;
  // Removals alone, so that they pass the bound when there are more than `most` of them.
  const auto remove_anew = [this](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      bench_.Upsert(std::to_string(i));
      bench_.Remove(std::to_string(i));
    }
  };
  remove_anew(0, most + 2);
  EXPECT_EQ(bench_.Tasks(), 1u);
  bench_.now += absl::Hours(1);
  remove_anew(most + 2, 2 * most - 1);
  EXPECT_EQ(bench_.Tasks(), 1u);
  remove_anew(2 * most - 1, 2 * most);
  EXPECT_EQ(bench_.Tasks(), 2u);
  bench_.now += absl::Hours(1);
  remove_anew(2 * most, 3 * most);
  EXPECT_EQ(bench_.Tasks(), 3u);
}

TEST_F(FeedWriterTest, AHeadRowThatCountsTooLittleIsDamageAndNotTheEndOfTheServer) {
  bench_.Upsert("held");
  bench_.Upsert("removed");
  bench_.Remove("removed");
  bench_.Commit([&](commit::Transaction& transaction) { PutSummary(transaction, bench_.receiver, {}); });
  bench_.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    EXPECT_EQ(base::Reason(writer.Remove(bench_.receiver, {"held"}).status()), "DAMAGED_ROW");
    EXPECT_EQ(base::Reason(writer.Upsert(bench_.receiver, {{"removed"}, 9, 1, 10}).status()), "DAMAGED_ROW");
    EXPECT_FALSE(transaction.wrote());
  });
}

}  // namespace
}  // namespace caresync::feed

#include "server/feed/feed_count.h"

#include "caresync/store/stored.pb.h"
#include "gtest/gtest.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

class FeedCountTest : public testing::Test {
 protected:
  uint64_t Count(const Position& after, uint64_t most = 100, uint32_t level = 0) {
    return CountAfter(*bench_.store.NewSnapshot().value(), bench_.tenant, bench_.receiver, after, level, most).value();
  }

  FeedBench bench_;
};

TEST_F(FeedCountTest, AReceiverWithoutAFeedHasNothingToGet) { EXPECT_EQ(Count({}), 0u); }

TEST_F(FeedCountTest, CountsUpsertsAndRemovalsAfterThePosition) {
  bench_.Upsert("a");  // Revision 1.
  bench_.Upsert("b");
  bench_.Remove("a");
  EXPECT_EQ(Count(Position::EndOf(1)), 2u);
  EXPECT_EQ(Count({2, {"a"}}), 2u);
  EXPECT_EQ(Count(Position::EndOf(2)), 1u);
  EXPECT_EQ(Count(Position::EndOf(3)), 0u);
  EXPECT_EQ(Count(Position::EndOf(9)), 0u);
}

TEST_F(FeedCountTest, ACopyThatIsMadeAnewGetsNoRemovals) {
  bench_.Upsert("a");
  bench_.Upsert("b");
  bench_.Remove("a");
  EXPECT_EQ(Count({}), 1u);
}

TEST_F(FeedCountTest, PastTheHorizonTheWholeCopyIsToCome) {
  for (const char* record : {"a", "b", "c"}) bench_.Upsert(record);
  bench_.Remove("a");  // Revision 4.
  bench_.Upsert("d");
  ASSERT_EQ(bench_.Forget(1), 1u);
  EXPECT_EQ(Count(Position::EndOf(4)), 1u);
  EXPECT_EQ(Count(Position::EndOf(3)), 3u);
}

TEST_F(FeedCountTest, StopsAtTheBound) {
  for (const char* record : {"a", "b", "c"}) bench_.Upsert(record);
  EXPECT_EQ(Count({}, 2), 2u);
  EXPECT_EQ(Count({}, 0), 0u);
}

TEST_F(FeedCountTest, PassesOverWhatTheAppCannotKeep) {
  bench_.Upsert("a");
  bench_.Upsert("b");
  bench_.Commit([&](commit::Transaction& transaction) {
    store::FeedEntry entry;
    entry.set_version(2);
    entry.set_level_above_first(1);
    transaction.Put(storage::Space::kFeeds, base::keys::FeedEntry(bench_.tenant, bench_.receiver, 2, {"b"}),
                    entry.SerializeAsString());
  });
  EXPECT_EQ(Count({}, 100, 1), 1u);
  EXPECT_EQ(Count({}, 100, 2), 2u);
  EXPECT_EQ(Count({}, 100, 0), 2u);
}

}  // namespace
}  // namespace caresync::feed

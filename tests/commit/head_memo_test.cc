#include "server/commit/head_memo.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/commit/commit_bench.h"

namespace caresync::commit {
namespace {

using storage::Space;

constexpr size_t kMuch = 1024 * 1024;
constexpr size_t kEvery = std::numeric_limits<size_t>::max();

class HeadMemoTest : public ::testing::Test {
 protected:
  // A change of the tenant, which moves its head.
  void Put(Space space, const std::string& key, const std::string& value) {
    ASSERT_TRUE(bench_
                    .Run([&](Transaction& transaction) {
                      transaction.Put(space, key, value);
                      return absl::OkStatus();
                    })
                    .ok());
  }

  // What no server does: a row changes and the head stands. So it shows what is read and what is remembered.
  void PutBehindTheHead(Space space, const std::string& key, const std::string& value) {
    store_.Apply({.preconditions = {}, .writes = {{space, key, value}}}, [](const storage::CommitResult& result) {
      ASSERT_EQ(result.outcome, storage::CommitOutcome::kCommitted);
    });
  }

  std::optional<std::string> Read(Space space, const std::string& key) {
    return ReadIn(*store_.NewSnapshot().value(), space, key);
  }

  std::optional<std::string> ReadIn(const storage::Snapshot& snapshot, Space space, const std::string& key) {
    return HeadReader::Open(snapshot, bench_.tenant, memo_)->Get(space, key).value();
  }

  // The values between two keys, at most `limit`; stops behind `last`.
  std::vector<std::string> ReadRange(const std::string& begin, const std::string& end, size_t limit = kEvery,
                                     const std::string& last = "") {
    const std::unique_ptr<storage::Snapshot> snapshot = store_.NewSnapshot().value();
    const absl::StatusOr<HeadReader> reader = HeadReader::Open(*snapshot, bench_.tenant, memo_);
    std::vector<std::string> values;
    EXPECT_TRUE(reader
                    ->Scan(Space::kRecords, {begin, end}, limit,
                           [&](std::string_view key, std::string_view value) {
                             values.emplace_back(value);
                             return key != last;
                           })
                    .ok());
    return values;
  }

  using Values = std::vector<std::string>;

  storage::MemoryStore store_;
  CommitBench bench_{store_};
  HeadMemo memo_{kMuch};
};

TEST_F(HeadMemoTest, ARowIsReadOnceWhileTheHeadStands) {
  Put(Space::kRecords, "key", "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
  PutBehindTheHead(Space::kRecords, "key", "behind");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
}

TEST_F(HeadMemoTest, WhatAChangeDidIsSeenAtOnce) {
  Put(Space::kRecords, "key", "old");
  Put(Space::kFeeds, "key", "of the feed");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
  EXPECT_EQ(Read(Space::kFeeds, "key"), "of the feed");
  Put(Space::kRecords, "key", "new");
  EXPECT_EQ(Read(Space::kRecords, "key"), "new");
  Put(Space::kFeeds, "key", "moved");
  EXPECT_EQ(Read(Space::kFeeds, "key"), "moved");
}

TEST_F(HeadMemoTest, TheHeadsOwnRowIsTheOneThatWasRead) {
  Put(Space::kRecords, "key", "value");
  const std::string head = base::keys::TenantHead(bench_.tenant);
  const std::optional<std::string> first = bench_.Read(head);
  EXPECT_EQ(Read(Space::kRecords, head), first);
  Put(Space::kRecords, "key", "other");
  EXPECT_NE(Read(Space::kRecords, head), first);
  EXPECT_EQ(Read(Space::kRecords, head), bench_.Read(head));
}

TEST_F(HeadMemoTest, ThatARowIsNotThereIsRememberedToo) {
  Put(Space::kRecords, "key", "value");
  EXPECT_EQ(Read(Space::kRecords, "absent"), std::nullopt);
  PutBehindTheHead(Space::kRecords, "absent", "behind");
  EXPECT_EQ(Read(Space::kRecords, "absent"), std::nullopt);
  Put(Space::kRecords, "absent", "there");
  EXPECT_EQ(Read(Space::kRecords, "absent"), "there");
}

TEST_F(HeadMemoTest, WhatDevicesHaveOfTheirOwnIsReadEachTime) {
  Put(Space::kRecords, "key", "value");
  PutBehindTheHead(Space::kDevices, "key", "first");
  EXPECT_EQ(Read(Space::kDevices, "key"), "first");
  PutBehindTheHead(Space::kDevices, "key", "second");
  EXPECT_EQ(Read(Space::kDevices, "key"), "second");
}

TEST_F(HeadMemoTest, ASnapshotOfBeforeShowsWhatWasThen) {
  Put(Space::kRecords, "key", "old");
  const std::unique_ptr<storage::Snapshot> before = store_.NewSnapshot().value();
  EXPECT_EQ(ReadIn(*before, Space::kRecords, "key"), "old");
  Put(Space::kRecords, "key", "new");
  EXPECT_EQ(Read(Space::kRecords, "key"), "new");
  EXPECT_EQ(ReadIn(*before, Space::kRecords, "key"), "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "new");
}

TEST_F(HeadMemoTest, AReaderThatWasOpenedBeforeAChangeGoesOnInItsSnapshot) {
  Put(Space::kRecords, "key", "old");
  const std::unique_ptr<storage::Snapshot> before = store_.NewSnapshot().value();
  const absl::StatusOr<HeadReader> reader = HeadReader::Open(*before, bench_.tenant, memo_);
  Put(Space::kRecords, "key", "new");
  EXPECT_EQ(Read(Space::kRecords, "key"), "new");
  EXPECT_EQ(reader->Get(Space::kRecords, "key").value(), "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "new");
}

TEST_F(HeadMemoTest, OfATenantThatCommittedNothingNothingIsKept) {
  EXPECT_EQ(Read(Space::kRecords, "key"), std::nullopt);
  PutBehindTheHead(Space::kRecords, "key", "value");
  EXPECT_EQ(Read(Space::kRecords, "key"), "value");
}

TEST_F(HeadMemoTest, AShortRangeIsReadOnceWhileTheHeadStands) {
  Put(Space::kRecords, "b1", "one");
  Put(Space::kRecords, "b2", "two");
  EXPECT_EQ(ReadRange("b", "c"), (Values{"one", "two"}));
  EXPECT_EQ(ReadRange("x", "y"), Values{});
  PutBehindTheHead(Space::kRecords, "b3", "behind");
  PutBehindTheHead(Space::kRecords, "x1", "behind");
  EXPECT_EQ(ReadRange("b", "c"), (Values{"one", "two"}));
  EXPECT_EQ(ReadRange("b", "c", kEvery, "b1"), Values{"one"});
  EXPECT_EQ(ReadRange("x", "y"), Values{});
  Put(Space::kRecords, "b4", "four");
  EXPECT_EQ(ReadRange("b", "c"), (Values{"one", "two", "behind", "four"}));
}

TEST_F(HeadMemoTest, WhatIsAskedOfARangeIsPartOfTheQuestion) {
  Put(Space::kRecords, "b1", "one");
  Put(Space::kRecords, "b2", "two");
  EXPECT_EQ(ReadRange("b", "c", 1), Values{"one"});
  EXPECT_EQ(ReadRange("b", "c", 2), (Values{"one", "two"}));
  EXPECT_EQ(ReadRange("b", "b2"), Values{"one"});
  EXPECT_EQ(ReadRange("b", "c"), (Values{"one", "two"}));
}

TEST_F(HeadMemoTest, ARangeThatWasNotReadToItsEndIsReadAgain) {
  Put(Space::kRecords, "b1", "one");
  Put(Space::kRecords, "b2", "two");
  EXPECT_EQ(ReadRange("b", "c", kEvery, "b1"), Values{"one"});
  EXPECT_EQ(ReadRange("b", "c"), (Values{"one", "two"}));
}

TEST_F(HeadMemoTest, ALongRangeAndALargeRowAreReadEachTime) {
  Put(Space::kRecords, "key", std::string(8 * 1024, 'v'));
  for (int i = 0; i < 40; ++i) PutBehindTheHead(Space::kRecords, "b" + std::to_string(i), std::string(8 * 1024, 'v'));
  EXPECT_EQ(Read(Space::kRecords, "key")->size(), 8 * 1024);
  EXPECT_EQ(ReadRange("b", "c").size(), 40);
  PutBehindTheHead(Space::kRecords, "key", "small");
  PutBehindTheHead(Space::kRecords, "b9z", "row");
  EXPECT_EQ(Read(Space::kRecords, "key"), "small");
  EXPECT_EQ(ReadRange("b", "c").size(), 41);
}

TEST_F(HeadMemoTest, OfAReaderThatReadsMuchNotAllIsKept) {
  for (int i = 0; i < 40; ++i) Put(Space::kRecords, "b" + std::to_string(i), std::string(1024, 'v'));
  const std::unique_ptr<storage::Snapshot> snapshot = store_.NewSnapshot().value();
  const absl::StatusOr<HeadReader> reader = HeadReader::Open(*snapshot, bench_.tenant, memo_);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(reader->Get(Space::kRecords, "b" + std::to_string(i))->value().size(), 1024);
  PutBehindTheHead(Space::kRecords, "b0", "behind");
  PutBehindTheHead(Space::kRecords, "b39", "behind");
  EXPECT_EQ(Read(Space::kRecords, "b0")->size(), 1024);
  EXPECT_EQ(Read(Space::kRecords, "b39"), "behind");
}

TEST_F(HeadMemoTest, PastItsBoundItBeginsAnew) {
  Put(Space::kRecords, "key", "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
  PutBehindTheHead(Space::kRecords, "key", "behind");
  const std::string large(2 * 1024, 'v');
  for (size_t i = 0; i <= kMuch / large.size(); ++i) {
    PutBehindTheHead(Space::kRecords, "large" + std::to_string(i), large);
    EXPECT_EQ(Read(Space::kRecords, "large" + std::to_string(i)), large);
  }
  EXPECT_EQ(Read(Space::kRecords, "key"), "behind");
}

TEST_F(HeadMemoTest, WithoutRoomItKeepsNothing) {
  HeadMemo none(0);
  Put(Space::kRecords, "key", "old");
  const auto read = [&] {
    const std::unique_ptr<storage::Snapshot> snapshot = store_.NewSnapshot().value();
    return HeadReader::Open(*snapshot, bench_.tenant, none)->Get(Space::kRecords, "key").value();
  };
  EXPECT_EQ(read(), "old");
  PutBehindTheHead(Space::kRecords, "key", "behind");
  EXPECT_EQ(read(), "behind");
}

TEST_F(HeadMemoTest, TenantsHeadsAreTheirOwn) {
  Put(Space::kRecords, "key", "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
  const std::unique_ptr<storage::Snapshot> snapshot = store_.NewSnapshot().value();
  const absl::StatusOr<HeadReader> other = HeadReader::Open(*snapshot, TenantNamed("other"), memo_);
  EXPECT_EQ(other->Get(Space::kRecords, base::keys::TenantHead(TenantNamed("other"))).value(), std::nullopt);
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
}

TEST_F(HeadMemoTest, SeveralRowsAtOnceAreThoseOfTheSnapshot) {
  Put(Space::kRecords, "key", "old");
  EXPECT_EQ(Read(Space::kRecords, "key"), "old");
  PutBehindTheHead(Space::kRecords, "key", "behind");
  const std::unique_ptr<storage::Snapshot> snapshot = store_.NewSnapshot().value();
  EXPECT_EQ(*HeadReader::Open(*snapshot, bench_.tenant, memo_)->MultiGet(Space::kRecords, {"key", "absent"}),
            (std::vector<std::optional<std::string>>{"behind", std::nullopt}));
}

TEST_F(HeadMemoTest, AReadThatFailsIsAnErrorAndIsNotRemembered) {
  Put(Space::kRecords, "key", "value");
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.store.NewSnapshot().value();
  const absl::StatusOr<HeadReader> reader = HeadReader::Open(*snapshot, bench_.tenant, memo_);
  bench_.store.FailReads(true);
  EXPECT_TRUE(absl::IsUnavailable(reader->Get(Space::kRecords, "key").status()));
  const auto go_on = [](std::string_view, std::string_view) { return true; };
  EXPECT_TRUE(absl::IsUnavailable(reader->Scan(Space::kRecords, {"k", "l"}, kEvery, go_on)));
  EXPECT_TRUE(absl::IsUnavailable(HeadReader::Open(*snapshot, bench_.tenant, memo_).status()));
  bench_.store.FailReads(false);
  EXPECT_EQ(reader->Get(Space::kRecords, "key").value(), "value");
  EXPECT_EQ(ReadRange("k", "l"), Values{"value"});
}

}  // namespace
}  // namespace caresync::commit

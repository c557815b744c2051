#include "server/commit/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "storage/memory_store.h"
#include "tests/commit/commit_bench.h"
#include "tests/fakes/counting_reader.h"

namespace caresync::commit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Field;
using ::testing::Optional;
using ::testing::Pair;
using Rows = std::vector<std::pair<std::string, std::string>>;

class TransactionTest : public ::testing::Test {
 protected:
  TransactionTest() {
    storage::Commit commit;
    for (const char* key : {"a", "c", "e", "g"}) commit.writes.push_back({kRecords, key, std::string("base-") + key});
    commit.writes.push_back({storage::Space::kFeeds, "d", "of another space"});
    store_.Apply(std::move(commit), [](storage::CommitResult) {});
    snapshot_ = store_.NewSnapshot().value();
    transaction_.emplace(*snapshot_, TenantNamed("acme"), 7, absl::UnixEpoch());
  }

  Rows Scan(const storage::KeyRange& range, size_t limit = 100) {
    Rows rows;
    EXPECT_TRUE(transaction_
                    ->Scan(kRecords, range, limit,
                           [&](std::string_view key, std::string_view value) {
                             rows.emplace_back(key, value);
                             return true;
                           })
                    .ok());
    return rows;
  }

  // "<key> <value>" or "<key> deleted", at most `limit`.
  std::vector<std::string> Own(const storage::KeyRange& range, size_t limit = 100) {
    std::vector<std::string> rows;
    transaction_->VisitOwn(kRecords, range, [&](std::string_view key, const std::optional<std::string>& value) {
      rows.push_back(absl::StrCat(std::string(key), " ", value.value_or("deleted")));
      return rows.size() < limit;
    });
    return rows;
  }

  static auto ConditionOf(storage::Space space, const std::string& key,
                          const testing::Matcher<std::optional<std::string>>& expected) {
    return AllOf(Field(&storage::Precondition::space, space), Field(&storage::Precondition::key, key),
                 Field(&storage::Precondition::expected, expected));
  }

  storage::MemoryStore store_;
  std::unique_ptr<storage::Snapshot> snapshot_;
  std::optional<Transaction> transaction_;
};

TEST_F(TransactionTest, ReadsItsOwnWritesAndElseTheBase) {
  transaction_->Put(kRecords, "c", "new");
  transaction_->Delete(kRecords, "e");
  EXPECT_THAT(transaction_->Get(kRecords, "a").value(), Optional(Eq("base-a")));
  EXPECT_THAT(transaction_->Get(kRecords, "c").value(), Optional(Eq("new")));
  EXPECT_EQ(transaction_->Get(kRecords, "e").value(), std::nullopt);
  EXPECT_EQ(transaction_->Get(kRecords, "x").value(), std::nullopt);
  EXPECT_THAT(transaction_->MultiGet(kRecords, {"x", "c", "a", "e"}).value(),
              ElementsAre(std::nullopt, Optional(Eq("new")), Optional(Eq("base-a")), std::nullopt));
}

TEST_F(TransactionTest, WhatWasReadAheadIsAnsweredAsTheBaseAnswersIt) {
  const fakes::CountingReader reader(*snapshot_);
  Transaction transaction(reader, TenantNamed("acme"), 7, absl::UnixEpoch());
  transaction.Put(kRecords, "c", "new");
  ASSERT_TRUE(transaction.ReadAhead(kRecords, {"a", "c", "e", "x"}).ok());
  EXPECT_EQ(reader.calls(), 1u);
  EXPECT_THAT(transaction.Get(kRecords, "a").value(), Optional(Eq("base-a")));
  EXPECT_THAT(transaction.Get(kRecords, "c").value(), Optional(Eq("new")));
  EXPECT_EQ(transaction.Get(kRecords, "x").value(), std::nullopt);
  const size_t mark = transaction.Mark();
  transaction.Put(kRecords, "x", "new-x");
  transaction.Delete(kRecords, "a");
  EXPECT_THAT(transaction.Get(kRecords, "x").value(), Optional(Eq("new-x")));
  EXPECT_EQ(transaction.Get(kRecords, "a").value(), std::nullopt);
  transaction.RollBackTo(mark);
  EXPECT_EQ(transaction.Get(kRecords, "x").value(), std::nullopt);
  EXPECT_THAT(transaction.Get(kRecords, "a").value(), Optional(Eq("base-a")));
  transaction.RollBackTo(0);
  EXPECT_THAT(transaction.Get(kRecords, "c").value(), Optional(Eq("base-c")));
  EXPECT_EQ(reader.calls(), 1u);

  // Of another space, and what was not asked for.
  EXPECT_EQ(transaction.Get(storage::Space::kDevices, "a").value(), std::nullopt);
  EXPECT_THAT(transaction.Get(kRecords, "g").value(), Optional(Eq("base-g")));
  EXPECT_EQ(reader.calls(), 3u);
  // The last call's alone are kept.
  ASSERT_TRUE(transaction.ReadAhead(kRecords, {}).ok());
  EXPECT_THAT(transaction.Get(kRecords, "a").value(), Optional(Eq("base-a")));
  EXPECT_EQ(reader.calls(), 5u);
}

TEST_F(TransactionTest, ScansMergeItsWritesInKeyOrder) {
  transaction_->Put(kRecords, "b", "new-b");
  transaction_->Put(kRecords, "c", "new-c");
  transaction_->Delete(kRecords, "e");
  transaction_->Put(kRecords, "z", "new-z");
  transaction_->Put(storage::Space::kDevices, "f", "of another space");
  EXPECT_THAT(Scan({}), ElementsAre(Pair("a", "base-a"), Pair("b", "new-b"), Pair("c", "new-c"), Pair("g", "base-g"),
                                    Pair("z", "new-z")));
  EXPECT_THAT(Scan({"b", "g"}), ElementsAre(Pair("b", "new-b"), Pair("c", "new-c")));
  EXPECT_THAT(Scan({"c", "c"}), ElementsAre());
}

TEST_F(TransactionTest, ScansStopAtTheLimitWhateverWasDeleted) {
  transaction_->Delete(kRecords, "a");
  transaction_->Delete(kRecords, "c");
  transaction_->Put(kRecords, "d", "new-d");
  EXPECT_THAT(Scan({}, 0), ElementsAre());
  EXPECT_THAT(Scan({}, 1), ElementsAre(Pair("d", "new-d")));
  EXPECT_THAT(Scan({}, 2), ElementsAre(Pair("d", "new-d"), Pair("e", "base-e")));
}

TEST_F(TransactionTest, AVisitorThatHasEnoughEndsTheScan) {
  transaction_->Put(kRecords, "h", "new-h");
  transaction_->Put(kRecords, "i", "new-i");
  for (int enough = 1; enough <= 6; ++enough) {
    int visited = 0;
    ASSERT_TRUE(
        transaction_->Scan(kRecords, {}, 100, [&](std::string_view, std::string_view) { return ++visited < enough; })
            .ok());
    EXPECT_EQ(visited, enough);
  }
}

TEST_F(TransactionTest, ShowsItsOwnRowsOfARange) {
  transaction_->Put(kRecords, "b", "new-b");
  transaction_->Put(kRecords, "c", "first");
  transaction_->Put(kRecords, "c", "new-c");
  transaction_->Delete(kRecords, "e");
  transaction_->Put(kRecords, "z", "new-z");
  transaction_->Put(storage::Space::kFeeds, "d", "of another space");
  const size_t mark = transaction_->Mark();
  transaction_->Put(kRecords, "b", "forgotten");
  transaction_->Put(kRecords, "f", "forgotten as well");
  transaction_->RollBackTo(mark);

  EXPECT_THAT(Own({}), ElementsAre("b new-b", "c new-c", "e deleted", "z new-z")) << "but not a and g of the base";
  EXPECT_THAT(Own({"c", "z"}), ElementsAre("c new-c", "e deleted"));
  EXPECT_THAT(Own({"c", ""}), ElementsAre("c new-c", "e deleted", "z new-z"));
  EXPECT_THAT(Own({"d", "e"}), ElementsAre());
  EXPECT_THAT(Own({"z", "b"}), ElementsAre());
  EXPECT_THAT(Own({}, 2), ElementsAre("b new-b", "c new-c"));
}

TEST_F(TransactionTest, OtherRowsMayBeWrittenAndRolledBackWhileItsOwnAreShown) {
  transaction_->Put(kRecords, "row/a", "1");
  transaction_->Put(kRecords, "row/b", "2");
  transaction_->Put(kRecords, "zzz", "behind");
  std::vector<std::string> shown;
  transaction_->VisitOwn(kRecords, storage::PrefixRange("row/"),
                         [&](std::string_view key, const std::optional<std::string>&) {
                           shown.emplace_back(key);
                           // Right before the range, and right behind it.
                           transaction_->Put(kRecords, "row.", "x");
                           transaction_->Put(kRecords, "row0", "x");
                           const size_t mark = transaction_->Mark();
                           transaction_->Delete(kRecords, "zzz");
                           transaction_->Put(kRecords, "sss", "x");
                           transaction_->RollBackTo(mark);
                           return true;
                         });
  EXPECT_THAT(shown, ElementsAre("row/a", "row/b"));
  EXPECT_THAT(transaction_->Get(kRecords, "row0").value(), Optional(Eq("x")));
  EXPECT_EQ(transaction_->Get(kRecords, "sss").value(), std::nullopt);
}

TEST_F(TransactionTest, ForgetsConditionsWithARollBack) {
  const storage::Space space = storage::Space::kDevices;
  transaction_->Require(space, "kept", "bytes");
  transaction_->Put(kRecords, "a", "kept");
  const size_t mark = transaction_->Mark();
  transaction_->Require(space, "forgotten", "bytes");
  transaction_->Put(kRecords, "a", "forgotten");
  transaction_->Require(space, "forgotten as well", std::nullopt);
  transaction_->RollBackTo(mark);
  transaction_->Require(space, "later", std::nullopt);

  EXPECT_EQ(transaction_->rows(), 1u) << "conditions are no writes";
  EXPECT_THAT(transaction_->TakeConditions(), ElementsAre(ConditionOf(space, "kept", Optional(Eq("bytes"))),
                                                          ConditionOf(space, "later", Eq(std::nullopt))));
  ASSERT_EQ(transaction_->TakeWrites().size(), 1u);
}

TEST_F(TransactionTest, ConditionsAloneAreNothingWritten) {
  transaction_->Require(storage::Space::kDevices, "device", "bytes");
  EXPECT_FALSE(transaction_->wrote());
}

TEST_F(TransactionTest, RollingBackForgetsExactlyWhatCameAfterTheMark) {
  transaction_->Put(kRecords, "a", "kept");
  transaction_->Announce({"carer-1"});
  transaction_->AnnounceTask(absl::UnixEpoch() + absl::Hours(2));
  const size_t rows = transaction_->rows();
  const size_t bytes = transaction_->bytes();
  const size_t mark = transaction_->Mark();

  transaction_->Put(kRecords, "a", "forgotten");
  transaction_->Put(kRecords, "new", "forgotten as well");
  transaction_->Delete(kRecords, "a");
  const size_t inner = transaction_->Mark();
  transaction_->Delete(kRecords, "g");
  transaction_->Announce({"carer-2"});
  transaction_->AnnounceTask(absl::UnixEpoch());
  transaction_->RollBackTo(inner);
  EXPECT_THAT(Scan({}), ElementsAre(Pair("c", "base-c"), Pair("e", "base-e"), Pair("g", "base-g"),
                                    Pair("new", "forgotten as well")));
  transaction_->RollBackTo(mark);

  EXPECT_THAT(Scan({}), ElementsAre(Pair("a", "kept"), Pair("c", "base-c"), Pair("e", "base-e"), Pair("g", "base-g")));
  EXPECT_EQ(transaction_->rows(), rows);
  EXPECT_EQ(transaction_->bytes(), bytes);
  EXPECT_THAT(transaction_->Announced(), ElementsAre(base::ReceiverId{"carer-1"}));
  EXPECT_THAT(transaction_->EarliestTask(), Optional(absl::UnixEpoch() + absl::Hours(2)));
}

TEST_F(TransactionTest, RollingBackToTheBeginningLeavesNothingWritten) {
  transaction_->Put(kRecords, "a", "x");
  transaction_->Delete(kRecords, "b");
  EXPECT_TRUE(transaction_->wrote());
  transaction_->RollBackTo(0);
  EXPECT_FALSE(transaction_->wrote());
  EXPECT_EQ(transaction_->bytes(), 0u);
}

TEST_F(TransactionTest, ARowThatIsPutAgainIsAsIfItWerePut) {
  Transaction::PutRow row = transaction_->Put(kRecords, "key", "first");
  const size_t mark = transaction_->Mark();
  transaction_->PutAgain(row, "the second");
  EXPECT_TRUE(transaction_->Stands(row));
  transaction_->PutAgain(row, "third");
  EXPECT_THAT(transaction_->Get(kRecords, "key").value(), Optional(Eq("third")));
  EXPECT_EQ(transaction_->rows(), 1u);
  EXPECT_EQ(transaction_->bytes(), 8u);
  transaction_->RollBackTo(mark);
  EXPECT_THAT(transaction_->Get(kRecords, "key").value(), Optional(Eq("first")));
  EXPECT_EQ(transaction_->bytes(), 8u);
}

TEST_F(TransactionTest, ARowStandsUntilItIsWrittenOtherwiseOrAnythingIsRolledBack) {
  EXPECT_FALSE(transaction_->Stands({}));
  const Transaction::PutRow put = transaction_->Put(kRecords, "key", "first");
  transaction_->Put(kRecords, "another", "row");
  transaction_->Announce({"carer-1"});
  EXPECT_TRUE(transaction_->Stands(put));
  const Transaction::PutRow later = transaction_->Put(kRecords, "key", "second");
  EXPECT_FALSE(transaction_->Stands(put));
  EXPECT_TRUE(transaction_->Stands(later));
  transaction_->Delete(kRecords, "key");
  EXPECT_FALSE(transaction_->Stands(later));

  const Transaction::PutRow kept = transaction_->Put(kRecords, "key", "third");
  const size_t mark = transaction_->Mark();
  transaction_->RollBackTo(mark);
  EXPECT_TRUE(transaction_->Stands(kept)) << "nothing was rolled back";
  const Transaction::PutRow gone = transaction_->Put(kRecords, "gone", "x");
  transaction_->RollBackTo(mark);
  EXPECT_FALSE(transaction_->Stands(gone));
  EXPECT_FALSE(transaction_->Stands(kept)) << "it may have been written and rolled back";
  const Transaction::PutRow again = transaction_->Put(kRecords, "gone", "y");
  EXPECT_TRUE(transaction_->Stands(again));
  EXPECT_FALSE(transaction_->Stands(gone));
  transaction_->TakeWrites();
  EXPECT_FALSE(transaction_->Stands(again));
}

TEST_F(TransactionTest, CountsTheBytesOfWhatWillBeCommitted) {
  transaction_->Put(kRecords, "key", "0123456789");
  EXPECT_EQ(transaction_->bytes(), 13u);
  transaction_->Put(kRecords, "key", "01");
  EXPECT_EQ(transaction_->bytes(), 5u);
  transaction_->Delete(kRecords, "key");
  EXPECT_EQ(transaction_->bytes(), 3u);
  EXPECT_EQ(transaction_->rows(), 1u);
}

TEST_F(TransactionTest, TellsEachReceiverOnceAndTheEarliestTask) {
  transaction_->Announce({"b"});
  transaction_->Announce({"a"});
  transaction_->Announce({"b"});
  transaction_->AnnounceTask(absl::UnixEpoch() + absl::Seconds(5));
  transaction_->AnnounceTask(absl::UnixEpoch() + absl::Seconds(3));
  EXPECT_THAT(transaction_->Announced(), ElementsAre(base::ReceiverId{"a"}, base::ReceiverId{"b"}));
  EXPECT_THAT(transaction_->EarliestTask(), Optional(absl::UnixEpoch() + absl::Seconds(3)));
}

TEST_F(TransactionTest, HandsOverItsWritesInKeyOrder) {
  transaction_->Put(kRecords, "c", "new");
  transaction_->Delete(kRecords, "a");
  std::vector<storage::Write> writes = transaction_->TakeWrites();
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].key, "a");
  EXPECT_EQ(writes[0].value, std::nullopt);
  EXPECT_EQ(writes[1].key, "c");
  EXPECT_THAT(writes[1].value, Optional(Eq("new")));
}

// Random writes, marks and rollbacks against a plain map.
TEST(TransactionModel, BehavesAsAMapOfTheBaseWithTheWritesOnTop) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    std::mt19937_64 random(seed);
    auto any_key = [&] { return std::string(1, static_cast<char>('a' + random() % 12)); };
    storage::MemoryStore store;
    std::map<std::string, std::string> model;
    storage::Commit commit;
    for (int i = 0; i < 6; ++i) {
      const std::string key = any_key();
      model[key] = "base";
      commit.writes.push_back({kRecords, key, "base"});
    }
    store.Apply(std::move(commit), [](storage::CommitResult) {});
    auto snapshot = store.NewSnapshot().value();
    Transaction transaction(*snapshot, TenantNamed("acme"), 1, absl::UnixEpoch());
    std::vector<std::pair<size_t, std::map<std::string, std::string>>> marks;
    std::map<std::string, std::pair<Transaction::PutRow, std::string>> put;
    for (int step = 0; step < 300; ++step) {
      const std::string key = any_key();
      switch (random() % 6) {
        case 0:
        case 1:
          model[key] = std::to_string(step);
          if (auto known = put.find(key); known != put.end() && transaction.Stands(known->second.first)) {
            ASSERT_THAT(transaction.Get(kRecords, key).value(), Optional(Eq(known->second.second))) << "seed " << seed;
            transaction.PutAgain(known->second.first, model[key]);
            known->second.second = model[key];
          } else {
            put[key] = {transaction.Put(kRecords, key, model[key]), model[key]};
          }
          break;
        case 2:
          model.erase(key);
          transaction.Delete(kRecords, key);
          break;
        case 3:
          marks.emplace_back(transaction.Mark(), model);
          break;
        case 4:
          if (marks.empty()) break;
          transaction.RollBackTo(marks.back().first);
          model = marks.back().second;
          marks.pop_back();
          break;
        default: {
          const std::string end = any_key();
          const size_t limit = random() % 8;
          Rows expected;
          for (const auto& [k, v] : model) {
            if (k >= key && k < end && expected.size() < limit) expected.emplace_back(k, v);
          }
          Rows rows;
          ASSERT_TRUE(transaction
                          .Scan(kRecords, {key, end}, limit,
                                [&](std::string_view k, std::string_view v) {
                                  rows.emplace_back(k, v);
                                  return true;
                                })
                          .ok());
          ASSERT_EQ(rows, expected) << "seed " << seed << " step " << step;
        }
      }
    }
    const size_t rows = transaction.rows();
    size_t bytes = transaction.bytes();
    const std::vector<storage::Write> writes = transaction.TakeWrites();
    EXPECT_EQ(writes.size(), rows);
    for (const storage::Write& write : writes) bytes -= write.key.size() + write.value.value_or("").size();
    EXPECT_EQ(bytes, 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace caresync::commit

#include "server/commit/remembered_base.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "storage/memory_store.h"
#include "tests/fakes/counting_reader.h"

namespace caresync::commit {
namespace {

using storage::Space;

constexpr size_t kEvery = std::numeric_limits<size_t>::max();

using Rows = std::vector<std::pair<std::string, std::string>>;

// At most `limit`; stops behind `last`.
Rows Scanned(const storage::Reader& reader, const std::string& begin, const std::string& end, size_t limit = kEvery,
             const std::string& last = "") {
  Rows rows;
  EXPECT_TRUE(reader
                  .Scan(Space::kRecords, {begin, end}, limit,
                        [&](std::string_view key, std::string_view value) {
                          rows.emplace_back(key, value);
                          return key != last;
                        })
                  .ok());
  return rows;
}

class RememberedBaseTest : public ::testing::Test {
 protected:
  void Put(Space space, const std::string& key, const std::string& value) {
    store_.Apply({.preconditions = {}, .writes = {{space, key, value}}}, [](const storage::CommitResult& result) {
      ASSERT_EQ(result.outcome, storage::CommitOutcome::kCommitted);
    });
    snapshot_ = store_.NewSnapshot().value();
  }
  void Put(const std::string& key, const std::string& value) { Put(Space::kRecords, key, value); }

  std::optional<std::string> Get(const std::string& key, Space space = Space::kRecords) {
    return base_.Get(space, key).value();
  }
  Rows Scan(const std::string& begin, const std::string& end, size_t limit = kEvery, const std::string& last = "") {
    return Scanned(base_, begin, end, limit, last);
  }
  // How often the snapshot was asked meanwhile.
  template <typename Work>
  size_t Asked(Work work) {
    const size_t before = counting_.calls();
    work();
    return counting_.calls() - before;
  }

  // What the tests put comes before what they read.
  class Current : public storage::Reader {
   public:
    explicit Current(const std::unique_ptr<storage::Snapshot>& snapshot) : snapshot_(snapshot) {}
    absl::StatusOr<std::optional<std::string>> Get(Space space, std::string_view key) const override {
      return snapshot_->Get(space, key);
    }
    absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
        Space space, absl::Span<const std::string> keys) const override {
      return snapshot_->MultiGet(space, keys);
    }
    absl::Status Scan(Space space, const storage::KeyRange& range, size_t limit,
                      storage::RowVisitor visit) const override {
      return snapshot_->Scan(space, range, limit, visit);
    }

   private:
    const std::unique_ptr<storage::Snapshot>& snapshot_;
  };

  storage::MemoryStore store_;
  std::unique_ptr<storage::Snapshot> snapshot_ = store_.NewSnapshot().value();
  Current current_{snapshot_};
  fakes::CountingReader counting_{current_};
  RememberedBase base_{counting_};
};

TEST_F(RememberedBaseTest, ARowIsReadOnceBeItThereOrNot) {
  Put("key", "value");
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("key"), "value"); }), 1);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("key"), "value"); }), 0);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("absent"), std::nullopt); }), 1);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("absent"), std::nullopt); }), 0);
}

TEST_F(RememberedBaseTest, TheSameKeyOfAnotherSpaceIsAnotherRow) {
  Put(Space::kRecords, "key", "of the records");
  Put(Space::kFeeds, "key", "of the feeds");
  EXPECT_EQ(Get("key"), "of the records");
  EXPECT_EQ(Get("key", Space::kFeeds), "of the feeds");
  EXPECT_EQ(Get("key", Space::kDevices), std::nullopt);
}

TEST_F(RememberedBaseTest, OfManyRowsOnlyTheUnknownAreRead) {
  Put("a", "1");
  Put("b", "2");
  EXPECT_EQ(Get("a"), "1");
  const size_t before = counting_.rows();
  EXPECT_EQ(base_.MultiGet(Space::kRecords, {"b", "a", "c"}).value(),
            (std::vector<std::optional<std::string>>{"2", "1", std::nullopt}));
  EXPECT_EQ(counting_.rows() - before, 2);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("c"), std::nullopt); }), 0);
}

TEST_F(RememberedBaseTest, ARangeIsReadOnceAndSoIsWhatLiesInIt) {
  Put("b1", "one");
  Put("b2", "two");
  EXPECT_EQ(Scan("b", "c"), (Rows{{"b1", "one"}, {"b2", "two"}}));
  EXPECT_EQ(Asked([&] {
              EXPECT_EQ(Scan("b", "c"), (Rows{{"b1", "one"}, {"b2", "two"}}));
              EXPECT_EQ(Scan("b", "c", 1), (Rows{{"b1", "one"}}));
              EXPECT_EQ(Scan("b", "c", kEvery, "b1"), (Rows{{"b1", "one"}}));
              EXPECT_EQ(Scan("b2", "b3"), (Rows{{"b2", "two"}}));
              EXPECT_EQ(Scan("b11", "b2"), Rows());
              EXPECT_EQ(Get("b2"), "two");
              EXPECT_EQ(Get("b3"), std::nullopt);
            }),
            0);
}

TEST_F(RememberedBaseTest, ThatARangeIsEmptyIsKnownOfAllThatLiesInIt) {
  Put("a", "before");
  Put("c", "behind");
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("b", "c"), Rows()); }), 1);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("b5", "b7"), Rows()); }), 0);
  EXPECT_EQ(Scan("a", "d"), (Rows{{"a", "before"}, {"c", "behind"}}));
}

TEST_F(RememberedBaseTest, BehindWhereAScanWasCutOffNothingIsKnown) {
  for (const char* key : {"b1", "b2", "b3", "b4"}) Put(key, key);
  EXPECT_EQ(Scan("b", "c", 1), (Rows{{"b1", "b1"}}));
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("b", "c", 1), (Rows{{"b1", "b1"}})); }), 0);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("b", "c", kEvery, "b3").size(), 3); }), 1);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("b", "b4").size(), 3); }), 1);
  EXPECT_EQ(Scan("b", "c").size(), 4);
}

TEST_F(RememberedBaseTest, ARangeWithoutAnEndReachesToTheEndOfTheSpace) {
  Put("b", "1");
  EXPECT_EQ(Scan("a", "c"), (Rows{{"b", "1"}}));
  Put("d", "2");
  EXPECT_EQ(Scan("a", ""), (Rows{{"b", "1"}, {"d", "2"}}));
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("c", ""), (Rows{{"d", "2"}})); }), 0);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("e", "f"), Rows()); }), 0);
}

TEST_F(RememberedBaseTest, AnEmptyRangeAndALimitOfNoneShowNothing) {
  Put("b", "1");
  EXPECT_EQ(Scan("b", "b"), Rows());
  EXPECT_EQ(Scan("c", "a"), Rows());
  EXPECT_EQ(Scan("a", "c", 0), Rows());
}

TEST_F(RememberedBaseTest, WhatIsReadWhileARangeIsShownChangesNothingOfIt) {
  for (const char* key : {"b1", "b2", "b3"}) Put(key, key);
  // Once while the snapshot shows it, once while it is remembered.
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> keys;
    ASSERT_TRUE(base_
                    .Scan(Space::kRecords, {"b2", "c"}, kEvery,
                          [&](std::string_view key, std::string_view) {
                            keys.emplace_back(key);
                            EXPECT_EQ(Scan("a", "d").size(), 3);
                            EXPECT_EQ(Scan("", "").size(), 3);
                            return true;
                          })
                    .ok());
    EXPECT_EQ(keys, (std::vector<std::string>{"b2", "b3"}));
  }
}

TEST_F(RememberedBaseTest, ALongRowAndALongRangeAreReadEachTime) {
  Put("b", std::string(size_t{100} * 1024, 'x'));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("b")->size(), size_t{100} * 1024); }), 1);
    EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("a", "c").size(), 1); }), 1);
  }
}

TEST_F(RememberedBaseTest, WhereMuchWasReadTheRestIsReadEachTime) {
  const std::string value(2'000, 'x');
  for (int i = 0; i < 1'000; ++i) Put(std::to_string(i), value);
  EXPECT_EQ(Asked([&] {
              for (int i = 0; i < 1'000; ++i) EXPECT_EQ(Get(std::to_string(i)), value);
            }),
            1'000);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("0"), value); }), 0);
  EXPECT_EQ(Asked([&] { EXPECT_EQ(Get("999"), value); }), 1);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Asked([&] { EXPECT_EQ(Scan("998", "99a"), (Rows{{"998", value}, {"999", value}})); }), 1);
  }
}

// Whatever is asked in whatever order: the answers are the snapshot's.
TEST_F(RememberedBaseTest, ItAnswersAsTheSnapshotDoes) {
  std::mt19937 random(7);
  auto pick = [&random](size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random); };
  auto key = [&pick] {
    std::string text(pick(3), 'a');
    for (char& letter : text) letter = static_cast<char>('a' + pick(4));
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    storage::MemoryStore store;
    storage::Commit commit;
    for (size_t i = pick(12); i > 0; --i) commit.writes.push_back({Space::kRecords, key() + "x", key()});
    store.Apply(std::move(commit), [](const storage::CommitResult&) {});
    const std::unique_ptr<storage::Snapshot> snapshot = store.NewSnapshot().value();
    const RememberedBase base(*snapshot);
    for (int question = 0; question < 60; ++question) {
      const std::string begin = key();
      const std::string end = pick(5) == 0 ? "" : key();
      const size_t limit = pick(3) == 0 ? 1 + pick(3) : kEvery;
      const std::string last = pick(3) == 0 ? key() + "x" : "";
      EXPECT_EQ(Scanned(base, begin, end, limit, last), Scanned(*snapshot, begin, end, limit, last));
      const std::string sought = key() + "x";
      EXPECT_EQ(base.Get(Space::kRecords, sought).value(), snapshot->Get(Space::kRecords, sought).value());
      EXPECT_EQ(base.MultiGet(Space::kRecords, {begin, sought}).value(),
                snapshot->MultiGet(Space::kRecords, {begin, sought}).value());
    }
  }
}

}  // namespace
}  // namespace caresync::commit

#include "tests/conformance/store_conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/fakes/commits.h"

namespace caresync::conformance {
namespace {

using fakes::CommitAndWait;
using fakes::DeleteOf;
using fakes::PutOf;
using fakes::Rows;
using fakes::RowsOf;
using fakes::ValueOf;
using storage::Commit;
using storage::CommitOutcome;
using storage::CommitResult;
using storage::Durability;
using storage::KeyRange;
using storage::PrefixRange;
using storage::Space;
using storage::Store;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

constexpr Space kSpaces[] = {Space::kRecords, Space::kFeeds, Space::kDevices};

CommitOutcome Put(Store& store, std::string_view key, std::string_view value) {
  return CommitAndWait(store, PutOf(Space::kRecords, key, value)).outcome;
}

CommitOutcome Delete(Store& store, std::string_view key) {
  return CommitAndWait(store, DeleteOf(Space::kRecords, key)).outcome;
}

std::optional<std::string> Get(const Store& store, std::string_view key) {
  return ValueOf(store, Space::kRecords, key);
}

// A put of `value` on condition that `key` has `expected`.
Commit ConditionalPut(std::string_view key, std::optional<std::string> expected, std::string_view value) {
  return {.preconditions = {{Space::kRecords, std::string(key), std::move(expected)}},
          .writes = {{Space::kRecords, std::string(key), std::string(value)}}};
}

std::string Numbered(int number) {
  return std::string(1, static_cast<char>('a' + number / 26)) + static_cast<char>('a' + number % 26);
}

void PutNumbered(Store& store, int count) {
  Commit commit;
  for (int i = 0; i < count; ++i) commit.writes.push_back({Space::kRecords, Numbered(i), std::to_string(i)});
  ASSERT_EQ(CommitAndWait(store, std::move(commit)).outcome, CommitOutcome::kCommitted);
}

std::unique_ptr<storage::Snapshot> SnapshotOf(const Store& store) {
  auto snapshot = store.NewSnapshot();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  return *std::move(snapshot);
}

std::vector<std::string> Keys(const Rows& rows) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : rows) keys.push_back(key);
  return keys;
}

}  // namespace

TEST_P(StoreConformance, AnAbsentKeyIsNoError) { EXPECT_EQ(Get(store(), "absent"), std::nullopt); }

TEST_P(StoreConformance, AnEmptyStoreIsHealthyAndHasNoRows) {
  EXPECT_TRUE(store().Health().ok());
  for (Space space : kSpaces) EXPECT_THAT(RowsOf(*SnapshotOf(store()), space, KeyRange()), IsEmpty());
}

TEST_P(StoreConformance, ReadsWhatWasCommitted) {
  EXPECT_EQ(Put(store(), "k", "v"), CommitOutcome::kCommitted);
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("v")));
}

TEST_P(StoreConformance, ACommitReplacesWhatWasThere) {
  Put(store(), "k", "old");
  Put(store(), "k", "new");
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("new")));
}

TEST_P(StoreConformance, ADeletedKeyIsAbsent) {
  Put(store(), "k", "v");
  EXPECT_EQ(Delete(store(), "k"), CommitOutcome::kCommitted);
  EXPECT_EQ(Get(store(), "k"), std::nullopt);
  EXPECT_THAT(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange()), IsEmpty());
}

TEST_P(StoreConformance, DeletingAnAbsentKeyIsCommitted) {
  EXPECT_EQ(Delete(store(), "absent"), CommitOutcome::kCommitted);
}

TEST_P(StoreConformance, ADeletedKeyCanBePutAgain) {
  Put(store(), "k", "1");
  Delete(store(), "k");
  Put(store(), "k", "2");
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("2")));
}

TEST_P(StoreConformance, AnEmptyValueIsNotAnAbsentOne) {
  Put(store(), "k", "");
  EXPECT_THAT(Get(store(), "k"), Optional(std::string()));
}

TEST_P(StoreConformance, KeysAndValuesAreAnyBytes) {
  const std::string key("\x00\xFF\x00\n", 4);
  const std::string value("\x00\x01\xFE\x00", 4);
  Put(store(), key, value);
  EXPECT_THAT(Get(store(), key), Optional(value));
  EXPECT_EQ(Get(store(), std::string_view(key).substr(0, 3)), std::nullopt);
}

TEST_P(StoreConformance, AValueOfAMebibyteComesBackWhole) {
  std::string value(1 << 20, 'x');
  value[123'456] = '\0';
  Put(store(), "large", value);
  EXPECT_EQ(Get(store(), "large"), value);
}

TEST_P(StoreConformance, KeysOfOneSpaceAreNotInAnother) {
  for (Space space : kSpaces) {
    CommitAndWait(store(), PutOf(space, "k", std::to_string(static_cast<int>(space))));
  }
  for (Space space : kSpaces) {
    EXPECT_THAT(ValueOf(store(), space, "k"), Optional(std::to_string(static_cast<int>(space))));
    EXPECT_EQ(RowsOf(*SnapshotOf(store()), space, KeyRange()).size(), 1u);
  }
}

TEST_P(StoreConformance, MultiGetAnswersInTheOrderOfItsKeys) {
  Put(store(), "a", "1");
  Put(store(), "b", "");
  std::vector<std::string> keys = {"b", "absent", "a", "b"};
  auto values = SnapshotOf(store())->MultiGet(Space::kRecords, keys);
  ASSERT_TRUE(values.ok());
  EXPECT_THAT(*values,
              ElementsAre(Optional(std::string()), std::nullopt, Optional(std::string("1")), Optional(std::string())));
}

TEST_P(StoreConformance, MultiGetOfNothingIsNothing) {
  auto values = SnapshotOf(store())->MultiGet(Space::kRecords, {});
  ASSERT_TRUE(values.ok());
  EXPECT_THAT(*values, IsEmpty());
}

TEST_P(StoreConformance, AScanIsInBytewiseOrder) {
  for (std::string_view key : {"b", "\xFF", "a", "ab", "B"}) Put(store(), key, "v");
  Put(store(), std::string_view("a\0", 2), "v");
  EXPECT_THAT(Keys(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange())),
              ElementsAre("B", "a", std::string("a\0", 2), "ab", "b", "\xFF"));
}

TEST_P(StoreConformance, ARangeHasItsBeginAndNotItsEnd) {
  PutNumbered(store(), 5);
  auto snapshot = SnapshotOf(store());
  EXPECT_THAT(RowsOf(*snapshot, Space::kRecords, {"ab", "ad"}), ElementsAre(Pair("ab", "1"), Pair("ac", "2")));
  EXPECT_THAT(Keys(RowsOf(*snapshot, Space::kRecords, {"aba", "ad"})), ElementsAre("ac"));
  EXPECT_THAT(Keys(RowsOf(*snapshot, Space::kRecords, {"ad", ""})), ElementsAre("ad", "ae"));
  EXPECT_THAT(RowsOf(*snapshot, Space::kRecords, {"ac", "ac"}), IsEmpty());
  EXPECT_THAT(RowsOf(*snapshot, Space::kRecords, {"ad", "ab"}), IsEmpty());
  EXPECT_THAT(RowsOf(*snapshot, Space::kRecords, {"z", ""}), IsEmpty());
}

TEST_P(StoreConformance, APrefixRangeHasThePrefixedKeysOnly) {
  for (std::string_view key : {"a", "a\xFF", "a\xFF\xFF", "a\xFF\xFFz", "b", "\xFF", "\xFF\xFF"})
    Put(store(), key, "v");
  auto snapshot = SnapshotOf(store());
  EXPECT_THAT(Keys(RowsOf(*snapshot, Space::kRecords, PrefixRange("a\xFF"))),
              ElementsAre("a\xFF", "a\xFF\xFF", "a\xFF\xFFz"));
  EXPECT_THAT(Keys(RowsOf(*snapshot, Space::kRecords, PrefixRange("\xFF"))), ElementsAre("\xFF", "\xFF\xFF"));
  EXPECT_EQ(RowsOf(*snapshot, Space::kRecords, PrefixRange("")).size(), 7u);
}

TEST_P(StoreConformance, AScanVisitsAtMostItsLimit) {
  PutNumbered(store(), 100);
  auto snapshot = SnapshotOf(store());
  EXPECT_THAT(RowsOf(*snapshot, Space::kRecords, KeyRange(), 0), IsEmpty());
  EXPECT_THAT(Keys(RowsOf(*snapshot, Space::kRecords, KeyRange(), 2)), ElementsAre("aa", "ab"));
  EXPECT_EQ(RowsOf(*snapshot, Space::kRecords, KeyRange(), 100).size(), 100u);
  EXPECT_EQ(RowsOf(*snapshot, Space::kRecords, KeyRange(), 1'000).size(), 100u);
}

TEST_P(StoreConformance, AVisitorEndsAScan) {
  PutNumbered(store(), 100);
  int visited = 0;
  absl::Status status = SnapshotOf(store())->Scan(Space::kRecords, KeyRange(), 100,
                                                  [&](std::string_view, std::string_view) { return ++visited < 3; });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(visited, 3);
}

TEST_P(StoreConformance, AScanStepsOverManyDeletedRows) {
  PutNumbered(store(), 600);
  Commit deletions;
  for (int i = 0; i < 599; ++i) deletions.writes.push_back({Space::kRecords, Numbered(i), std::nullopt});
  CommitAndWait(store(), std::move(deletions));
  EXPECT_THAT(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange(), 1), ElementsAre(Pair(Numbered(599), "599")));
}

TEST_P(StoreConformance, ASnapshotDoesNotChange) {
  PutNumbered(store(), 50);
  auto before = SnapshotOf(store());
  const Rows rows = RowsOf(*before, Space::kRecords, KeyRange());
  Commit commit;
  for (int i = 0; i < 50; i += 2) commit.writes.push_back({Space::kRecords, Numbered(i), std::nullopt});
  for (int i = 1; i < 100; i += 2) commit.writes.push_back({Space::kRecords, Numbered(i), "changed"});
  CommitAndWait(store(), std::move(commit));

  EXPECT_EQ(RowsOf(*before, Space::kRecords, KeyRange()), rows);
  EXPECT_THAT(*before->Get(Space::kRecords, Numbered(0)), Optional(std::string("0")));
  EXPECT_EQ(*before->Get(Space::kRecords, Numbered(99)), std::nullopt);
  EXPECT_EQ(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange()).size(), 50u);
}

TEST_P(StoreConformance, SnapshotsOfDifferentTimesStandSideBySide) {
  std::vector<std::unique_ptr<storage::Snapshot>> snapshots;
  for (int i = 0; i < 10; ++i) {
    Put(store(), "k", std::to_string(i));
    snapshots.push_back(SnapshotOf(store()));
  }
  for (int i = 9; i >= 0; --i) {
    EXPECT_THAT(*snapshots[static_cast<size_t>(i)]->Get(Space::kRecords, "k"), Optional(std::to_string(i)));
    snapshots.pop_back();
  }
}

TEST_P(StoreConformance, AnAbsencePreconditionHoldsOnlyWhileAbsent) {
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", std::nullopt, "1")).outcome, CommitOutcome::kCommitted);
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", std::nullopt, "2")).outcome, CommitOutcome::kConflict);
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("1")));
  Delete(store(), "k");
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", std::nullopt, "3")).outcome, CommitOutcome::kCommitted);
}

TEST_P(StoreConformance, AValuePreconditionHoldsOnlyWhileTheBytesAreTheSame) {
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", "1", "2")).outcome, CommitOutcome::kConflict);
  Put(store(), "k", "1");
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", "1", "2")).outcome, CommitOutcome::kCommitted);
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", "1", "3")).outcome, CommitOutcome::kConflict);
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", "", "3")).outcome, CommitOutcome::kConflict);
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("2")));
}

TEST_P(StoreConformance, AnEmptyValueSatisfiesNoAbsencePrecondition) {
  Put(store(), "k", "");
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", std::nullopt, "1")).outcome, CommitOutcome::kConflict);
  EXPECT_EQ(CommitAndWait(store(), ConditionalPut("k", "", "1")).outcome, CommitOutcome::kCommitted);
}

TEST_P(StoreConformance, OneFailedPreconditionStopsTheWholeCommit) {
  Put(store(), "a", "1");
  Commit commit;
  commit.preconditions = {{Space::kRecords, "a", "1"}, {Space::kDevices, "a", "1"}};
  commit.writes = {{Space::kRecords, "a", "2"}, {Space::kFeeds, "b", "2"}};
  CommitResult result = CommitAndWait(store(), std::move(commit));
  EXPECT_EQ(result.outcome, CommitOutcome::kConflict);
  EXPECT_FALSE(result.detail.empty());
  EXPECT_THAT(Get(store(), "a"), Optional(std::string("1")));
  EXPECT_EQ(ValueOf(store(), Space::kFeeds, "b"), std::nullopt);
}

TEST_P(StoreConformance, PreconditionsMayBeOnKeysThatAreNotWritten) {
  Put(store(), "guard", "1");
  Commit commit = PutOf(Space::kFeeds, "b", "2");
  commit.preconditions = {{Space::kRecords, "guard", "1"}, {Space::kRecords, "other", std::nullopt}};
  EXPECT_EQ(CommitAndWait(store(), std::move(commit)).outcome, CommitOutcome::kCommitted);
  EXPECT_THAT(Get(store(), "guard"), Optional(std::string("1")));
}

TEST_P(StoreConformance, PreconditionsAreOfTheStateBeforeTheCommit) {
  Commit commit;
  commit.preconditions = {{Space::kRecords, "a", std::nullopt}};
  commit.writes = {{Space::kRecords, "a", "1"}, {Space::kRecords, "a", "2"}};
  EXPECT_EQ(CommitAndWait(store(), std::move(commit)).outcome, CommitOutcome::kCommitted);
  EXPECT_THAT(Get(store(), "a"), Optional(std::string("2")));
}

TEST_P(StoreConformance, ALaterWriteOfACommitReplacesAnEarlierOne) {
  Put(store(), "c", "0");
  Commit commit;
  commit.writes = {{Space::kRecords, "a", "1"},          {Space::kRecords, "b", "1"},
                   {Space::kRecords, "a", std::nullopt}, {Space::kRecords, "b", "2"},
                   {Space::kRecords, "c", std::nullopt}, {Space::kRecords, "c", "3"}};
  CommitAndWait(store(), std::move(commit));
  EXPECT_THAT(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange()), ElementsAre(Pair("b", "2"), Pair("c", "3")));
}

TEST_P(StoreConformance, ACommitWithoutWritesOnlyChecks) {
  Put(store(), "a", "1");
  Commit holds{.preconditions = {{Space::kRecords, "a", "1"}}, .writes = {}};
  Commit fails{.preconditions = {{Space::kRecords, "a", "2"}}, .writes = {}};
  EXPECT_EQ(CommitAndWait(store(), std::move(holds)).outcome, CommitOutcome::kCommitted);
  EXPECT_EQ(CommitAndWait(store(), std::move(fails)).outcome, CommitOutcome::kConflict);
  EXPECT_EQ(CommitAndWait(store(), Commit()).outcome, CommitOutcome::kCommitted);
}

TEST_P(StoreConformance, CommitsOfBothDurabilitiesKeepTheirOrder) {
  std::vector<std::future<CommitOutcome>> outcomes;
  for (int i = 0; i < 100; ++i) {
    auto promise = std::make_shared<std::promise<CommitOutcome>>();
    outcomes.push_back(promise->get_future());
    Commit commit =
        ConditionalPut("k", i == 0 ? std::optional<std::string>() : std::to_string(i - 1), std::to_string(i));
    commit.durability = i % 3 == 0 ? Durability::kDurable : Durability::kBuffered;
    store().Apply(std::move(commit), [promise](CommitResult result) { promise->set_value(result.outcome); });
  }
  for (auto& outcome : outcomes) EXPECT_EQ(outcome.get(), CommitOutcome::kCommitted);
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("99")));
}

TEST_P(StoreConformance, ASnapshotTakenWhenDoneIsCalledSeesTheCommit) {
  std::promise<std::optional<std::string>> seen;
  Store& under_test = store();
  store().Apply(PutOf(Space::kRecords, "k", "v"), [&](CommitResult) { seen.set_value(Get(under_test, "k")); });
  EXPECT_THAT(seen.get_future().get(), Optional(std::string("v")));
}

TEST_P(StoreConformance, DoneMayApplyAnotherCommit) {
  std::promise<CommitOutcome> second;
  Store& under_test = store();
  store().Apply(PutOf(Space::kRecords, "k", "1"), [&](CommitResult) {
    under_test.Apply(ConditionalPut("k", "1", "2"), [&](CommitResult result) { second.set_value(result.outcome); });
  });
  EXPECT_EQ(second.get_future().get(), CommitOutcome::kCommitted);
  EXPECT_THAT(Get(store(), "k"), Optional(std::string("2")));
}

TEST_P(StoreConformance, EveryCommitIsAnsweredExactlyOnce) {
  constexpr int kCommits = 500;
  std::array<std::atomic<int>, kCommits> answers{};
  for (int i = 0; i < kCommits; ++i) {
    // Every second one conflicts.
    Commit commit = ConditionalPut(Numbered(i), i % 2 == 0 ? std::nullopt : std::optional<std::string>("other"), "v");
    store().Apply(std::move(commit), [&answers, i](CommitResult) { ++answers[static_cast<size_t>(i)]; });
  }
  // Commits are answered in the order in which one thread gave them.
  CommitAndWait(store(), Commit());
  for (int i = 0; i < kCommits; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)], 1) << i;
  EXPECT_EQ(RowsOf(*SnapshotOf(store()), Space::kRecords, KeyRange()).size(), kCommits / 2);
}

TEST_P(StoreConformance, ConcurrentConditionalIncrementsLoseNone) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 50;
  Put(store(), "counter", "0");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kIncrements;) {
        std::string seen = *Get(store(), "counter");
        Commit commit = ConditionalPut("counter", seen, std::to_string(std::stoi(seen) + 1));
        commit.durability = Durability::kBuffered;
        if (CommitAndWait(store(), std::move(commit)).outcome == CommitOutcome::kCommitted) ++i;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Get(store(), "counter"), Optional(std::to_string(kThreads * kIncrements)));
}

TEST_P(StoreConformance, ASnapshotNeverSeesHalfACommit) {
  constexpr int kCommits = 300;
  std::atomic<bool> finished = false;
  std::thread writer([&] {
    for (int i = 0; i < kCommits; ++i) {
      Commit commit{.preconditions = {}, .writes = {}, .durability = Durability::kBuffered};
      for (Space space : kSpaces) commit.writes.push_back({space, "k", std::to_string(i)});
      CommitAndWait(store(), std::move(commit));
    }
    finished = true;
  });
  int torn = 0;
  while (!finished) {
    auto snapshot = SnapshotOf(store());
    auto first = *snapshot->Get(Space::kRecords, "k");
    if (*snapshot->Get(Space::kFeeds, "k") != first || *snapshot->Get(Space::kDevices, "k") != first) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace caresync::conformance

// What a writer keeps at hand changes no row: one writer for a whole transaction writes what a new one for each move
// does, whatever is rolled back in between, or written by others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/feed/feed_writer.h"
#include "storage/memory_store.h"
#include "tests/commit/commit_bench.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Rows = std::vector<std::pair<std::string, std::string>>;

// Tasks and feeds.
Rows AllRows(const storage::Reader& reader) {
  Rows rows;
  for (const storage::Space space : {storage::Space::kRecords, storage::Space::kFeeds}) {
    EXPECT_TRUE(reader
                    .Scan(space, {}, std::numeric_limits<size_t>::max(),
                          [&](std::string_view key, std::string_view value) {
                            rows.emplace_back(key, value);
                            return true;
                          })
                    .ok());
  }
  return rows;
}

struct Step {
  enum class What { kUpsert, kRemove, kMark, kRollBack, kCompact } what = What::kUpsert;
  base::ReceiverId receiver;
  RecordVersion version;
};

std::vector<Step> AnySteps(std::mt19937_64& random, base::Revision revision) {
  using What = Step::What;
  constexpr What kWhats[] = {What::kUpsert, What::kUpsert, What::kUpsert,   What::kRemove,
                             What::kRemove, What::kMark,   What::kRollBack, What::kCompact};
  std::vector<Step> steps(40);
  for (Step& step : steps) {
    step.what = kWhats[random() % std::size(kWhats)];
    step.receiver = {absl::StrCat("carer", random() % 3)};
    step.version = {.record = {std::string(1, static_cast<char>('a' + random() % 6))},
                    .version = revision - random() % 2,
                    .fingerprint = random() % 3,
                    .payload_bytes = random() % 300,
                    .level = kFirstLevel + static_cast<Level>(random() % 2)};
  }
  return steps;
}

// A store whose feeds are written by one writer a transaction, or by a new one for each move.
class Written {
 public:
  explicit Written(bool by_one_writer) : by_one_writer_(by_one_writer) {}

  // What the steps answered, in their order.
  std::vector<std::string> Commit(const std::vector<Step>& steps) {
    std::vector<std::string> answers;
    bench_.Commit([&](commit::Transaction& transaction) {
      std::optional<FeedWriter> writer;
      std::vector<size_t> marks;
      for (const Step& step : steps) {
        if (!by_one_writer_ || !writer.has_value()) writer.emplace(transaction);
        answers.push_back(Do(step, transaction, *writer, marks));
      }
      answers.push_back(absl::StrCat(transaction.rows(), " rows of ", transaction.bytes(), " bytes"));
    });
    return answers;
  }

  Rows rows() { return AllRows(*bench_.store.NewSnapshot().value()); }
  const FeedBench& bench() const { return bench_; }

 private:
  static std::string Do(const Step& step, commit::Transaction& transaction, FeedWriter& writer,
                        std::vector<size_t>& marks) {
    switch (step.what) {
      case Step::What::kUpsert:
        return Answer(writer.Upsert(step.receiver, step.version));
      case Step::What::kRemove:
        return Answer(writer.Remove(step.receiver, step.version.record));
      case Step::What::kMark:
        marks.push_back(transaction.Mark());
        return "marked";
      case Step::What::kRollBack:
        if (marks.empty()) return "no mark";
        transaction.RollBackTo(marks.back());
        marks.pop_back();
        return "rolled back";
      case Step::What::kCompact: {
        // Of older revisions, as the task does it.
        const auto forgotten = Compact(transaction, step.receiver, Position::EndOf(transaction.revision() - 1), 2);
        return forgotten.ok() ? absl::StrCat("forgot ", *forgotten) : forgotten.status().ToString();
      }
    }
    return "no step";
  }

  static std::string Answer(const absl::StatusOr<Moved>& moved) {
    return moved.ok() ? absl::StrCat("moved ", static_cast<int>(*moved)) : moved.status().ToString();
  }

  const bool by_one_writer_;
  FeedBench bench_;
};

TEST(FeedWriterRows, AreTheSameWithWhatIsKeptAtHandAndWithout) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Written by_one(true);
    Written by_many(false);
    for (base::Revision revision = 1; revision <= 6; ++revision) {
      const std::vector<Step> steps = AnySteps(random, revision);
      ASSERT_EQ(by_one.Commit(steps), by_many.Commit(steps)) << "revision " << revision;
      ASSERT_EQ(by_one.rows(), by_many.rows()) << "revision " << revision;
      ASSERT_EQ(by_one.bench().announced, by_many.bench().announced) << "revision " << revision;
      ASSERT_EQ(by_one.bench().task, by_many.bench().task) << "revision " << revision;
    }
  }
}

TEST(FeedWriterRows, ARollBackTakesTheHeadRowBackToo) {
  FeedBench bench;
  bench.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    const size_t beginning = transaction.Mark();
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"forgotten"}, 1, 9, 99}).ok());
    transaction.RollBackTo(beginning);
    EXPECT_FALSE(transaction.wrote());
    EXPECT_THAT(transaction.Announced(), IsEmpty());

    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"a"}, 1, 5, 10}).ok());
    const size_t mark = transaction.Mark();
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"b"}, 1, 7, 20, 2}).ok());
    ASSERT_TRUE(writer.Remove(bench.receiver, {"a"}).ok());
    ASSERT_TRUE(writer.Upsert({"another"}, {{"b"}, 1, 7, 20, 2}).ok());
    transaction.RollBackTo(mark);
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"c"}, 1, 1, 1}).ok());
  });
  EXPECT_THAT(RecordsOf(bench.Entries()), ElementsAre("+a", "+c"));
  EXPECT_THAT(bench.announced, ElementsAre(bench.receiver));
  const FeedSummary summary = bench.Summary();
  EXPECT_EQ(summary.count, 2u);
  EXPECT_EQ(summary.sum, 6u);
  EXPECT_EQ(summary.payload_bytes, 11u);
  EXPECT_EQ(summary.removals, 0u);
  EXPECT_TRUE(summary.above_first.empty());
}

TEST(FeedWriterRows, TwoReceiversWhoTakeTurnsAreCountedApart) {
  FeedBench bench;
  const base::ReceiverId other{"other"};
  bench.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    for (const char* record : {"a", "b", "c"}) {
      ASSERT_TRUE(writer.Upsert(bench.receiver, {{record}, 1, 5, 10}).ok());
      ASSERT_TRUE(writer.Upsert(other, {{record}, 1, 5, 10}).ok());
    }
    ASSERT_TRUE(writer.Upsert(other, {{"b"}, 1, 6, 30}).ok());
  });
  EXPECT_EQ(bench.Summary().count, 3u);
  EXPECT_EQ(bench.Summary().sum, 15u);
  EXPECT_EQ(bench.Summary().payload_bytes, 30u);
  const FeedSummary others = ReadSummary(*bench.store.NewSnapshot().value(), bench.tenant, other).value();
  EXPECT_EQ(others.count, 3u);
  EXPECT_EQ(others.sum, 16u);
  EXPECT_EQ(others.payload_bytes, 50u);
  EXPECT_THAT(bench.announced, ElementsAre(bench.receiver, other));
}

TEST(FeedWriterRows, AHeadRowThatAnotherWroteIsReadAnew) {
  FeedBench bench;
  for (const char* record : {"a", "b"}) {
    bench.Upsert(record);
    bench.Remove(record);
  }
  bench.Commit([&](commit::Transaction& transaction) {
    FeedWriter writer(transaction);
    FeedWriter another(transaction);
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"c"}, 5, 1, 10}).ok());
    ASSERT_TRUE(another.Upsert(bench.receiver, {{"d"}, 5, 2, 10}).ok());
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"e"}, 5, 4, 10}).ok());
    ASSERT_EQ(Compact(transaction, bench.receiver, Position::EndOf(4), 1).value(), 1u);
    ASSERT_TRUE(writer.Upsert(bench.receiver, {{"f"}, 5, 8, 10}).ok());
  });
  EXPECT_THAT(RecordsOf(bench.Entries()), ElementsAre("-b", "+c", "+d", "+e", "+f"));
  EXPECT_EQ(bench.Summary().count, 4u);
  EXPECT_EQ(bench.Summary().sum, 15u);
  EXPECT_EQ(bench.Summary().removals, 1u);
  EXPECT_EQ(bench.Summary().horizon, (Position{2, {"a"}}));
}

TEST(FeedWriterRows, AChangeThatMeetsConflictsCountsItsEntriesOnce) {
  storage::MemoryStore memory;
  commit::CommitBench bench(memory);
  bench.store.FailNext(fakes::Fault::kConflict, 2);
  int tries = 0;
  const absl::StatusOr<commit::Committed> done = bench.Run([&](commit::Transaction& transaction) {
    ++tries;
    FeedWriter writer(transaction);
    for (const char* record : {"a", "b", "c"}) {
      for (const char* carer : {"carer-1", "carer-2"}) {
        const RecordVersion version{.record = {record}, .version = 1, .fingerprint = 5, .payload_bytes = 10};
        EXPECT_EQ(writer.Upsert({carer}, version).value(), Moved::kAppeared);
      }
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(tries, 3);
  for (const char* carer : {"carer-1", "carer-2"}) {
    const FeedSummary summary = ReadSummary(*bench.store.NewSnapshot().value(), bench.tenant, {carer}).value();
    EXPECT_EQ(summary.count, 3u) << carer;
    EXPECT_EQ(summary.sum, 15u) << carer;
    EXPECT_EQ(summary.payload_bytes, 30u) << carer;
    EXPECT_EQ(summary.last_revision, 1u) << carer;
  }
}

}  // namespace
}  // namespace caresync::feed

#include "storage/memory_store.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/fakes/commits.h"

namespace caresync::storage {
namespace {

using fakes::CommitAndWait;
using fakes::PutOf;
using fakes::Rows;
using fakes::RowsOf;
using fakes::ValueOf;

TEST(MemoryStore, ACopyGoesItsOwnWay) {
  MemoryStore store;
  CommitAndWait(store, PutOf(Space::kRecords, "k", "1"));
  std::unique_ptr<MemoryStore> copy = store.Copy();
  CommitAndWait(store, PutOf(Space::kRecords, "k", "2"));
  CommitAndWait(*copy, PutOf(Space::kFeeds, "f", "3"));
  EXPECT_EQ(ValueOf(store, Space::kRecords, "k"), "2");
  EXPECT_EQ(ValueOf(store, Space::kFeeds, "f"), std::nullopt);
  EXPECT_EQ(ValueOf(*copy, Space::kRecords, "k"), "1");
  EXPECT_EQ(ValueOf(*copy, Space::kFeeds, "f"), "3");
}

TEST(MemoryStore, HoldsWhatAMapHoldsAfterManyRandomWrites) {
  std::mt19937 random(11);
  MemoryStore store;
  std::map<std::string, std::string> model;
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = std::to_string(random() % 700);
    std::optional<std::string> value;
    if (random() % 3 != 0) value = std::to_string(i);
    if (value.has_value()) {
      model[key] = *value;
    } else {
      model.erase(key);
    }
    CommitAndWait(store, {.preconditions = {}, .writes = {{Space::kRecords, key, value}}});
  }
  auto snapshot = store.NewSnapshot();
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(RowsOf(**snapshot, Space::kRecords, KeyRange()), Rows(model.begin(), model.end()));
  const KeyRange middle{"3", "55"};
  EXPECT_EQ(RowsOf(**snapshot, Space::kRecords, middle), Rows(model.lower_bound("3"), model.lower_bound("55")));
}

TEST(MemoryStore, KeysInOrderDoNotMakeItDeep) {
  MemoryStore store;
  Commit commit;
  for (int i = 0; i < 200'000; ++i) commit.writes.push_back({Space::kRecords, std::to_string(1'000'000 + i), ""});
  CommitAndWait(store, std::move(commit));
  auto snapshot = store.NewSnapshot();
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(RowsOf(**snapshot, Space::kRecords, KeyRange()).size(), 200'000u);
}

}  // namespace
}  // namespace caresync::storage

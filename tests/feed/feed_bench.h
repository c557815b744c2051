// What the tests of feed/ stand on: a store whose revisions a test counts itself, and one tenant.
#ifndef CARESYNC_TESTS_FEED_FEED_BENCH_H_
#define CARESYNC_TESTS_FEED_FEED_BENCH_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_entry.h"
#include "server/feed/feed_reader.h"
#include "server/feed/feed_rows.h"
#include "server/feed/feed_writer.h"
#include "storage/memory_store.h"

namespace caresync::feed {

struct FeedBench {
  // Commits what `change` writes as the next revision.
  void Commit(const std::function<void(commit::Transaction&)>& change) {
    auto snapshot = store.NewSnapshot().value();
    commit::Transaction transaction(*snapshot, tenant, ++head, now);
    change(transaction);
    announced = transaction.Announced();
    task = transaction.EarliestTask();
    storage::Commit commit;
    commit.writes = transaction.TakeWrites();
    store.Apply(std::move(commit), [](const storage::CommitResult& result) {
      ASSERT_EQ(result.outcome, storage::CommitOutcome::kCommitted);
    });
  }

  Moved Upsert(const RecordVersion& version) {
    Moved moved = Moved::kNot;
    Commit(
        [&](commit::Transaction& transaction) { moved = FeedWriter(transaction).Upsert(receiver, version).value(); });
    return moved;
  }

  // A new version with the next revision, as a change of the record makes it.
  Moved Upsert(const std::string& record, uint64_t fingerprint = 1, uint64_t payload_bytes = 10) {
    return Upsert(RecordVersion{
        .record = {record}, .version = head + 1, .fingerprint = fingerprint, .payload_bytes = payload_bytes});
  }

  Moved Remove(const std::string& record) {
    Moved moved = Moved::kNot;
    Commit(
        [&](commit::Transaction& transaction) { moved = FeedWriter(transaction).Remove(receiver, {record}).value(); });
    return moved;
  }

  size_t Forget(size_t most, std::optional<Position> up_to = std::nullopt) {
    size_t forgotten = 0;
    Commit([&](commit::Transaction& transaction) {
      forgotten = Compact(transaction, receiver, up_to.value_or(Position::EndOf(head)), most).value();
    });
    return forgotten;
  }

  FeedSummary Summary() { return ReadSummary(*store.NewSnapshot().value(), tenant, receiver).value(); }

  FeedBatch Read(const ReadFrom& from = {}, size_t most_entries = 100, size_t most_bytes = 1'000'000,
                 size_t entry_overhead = 0) {
    return ReadBatch(*store.NewSnapshot().value(), tenant, receiver, from, most_entries, most_bytes, entry_overhead)
        .value();
  }

  // All entries by the rows themselves.
  std::vector<Entry> Entries() {
    std::vector<Entry> entries;
    EXPECT_TRUE(store.NewSnapshot()
                    .value()
                    ->Scan(storage::Space::kFeeds, base::keys::FeedEntriesAfter(tenant, receiver, 0, {}), 1'000'000,
                           [&](std::string_view key, std::string_view value) {
                             entries.push_back(ParseEntryRow(key, value).value());
                             return true;
                           })
                    .ok());
    return entries;
  }

  size_t Rows(const storage::KeyRange& range, storage::Space space = storage::Space::kFeeds) {
    size_t rows = 0;
    EXPECT_TRUE(store.NewSnapshot()
                    .value()
                    ->Scan(space, range, 1'000'000, [&](std::string_view, std::string_view) { return ++rows > 0; })
                    .ok());
    return rows;
  }

  size_t Tasks() { return Rows(base::keys::AllTasks(tenant), storage::Space::kRecords); }

  const base::TenantId tenant = base::TenantId::Parse("acme").value();
  const base::ReceiverId receiver{"carer"};
  storage::MemoryStore store;
  absl::Time now = absl::FromUnixSeconds(1'772'431'200) + absl::Minutes(17);
  base::Revision head = 0;
  // Of the last commit.
  std::vector<base::ReceiverId> announced;
  std::optional<absl::Time> task;
};

inline std::vector<std::string> RecordsOf(const std::vector<Entry>& entries) {
  std::vector<std::string> records;
  for (const Entry& entry : entries) records.push_back((entry.removal ? "-" : "+") + entry.position.record.bytes);
  return records;
}

}  // namespace caresync::feed

#endif  // CARESYNC_TESTS_FEED_FEED_BENCH_H_

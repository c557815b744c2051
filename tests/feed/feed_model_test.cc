// Random writers, compactions and readers of one feed against a naive model: what a reader holds in the end is what the
// receiver may see, from wherever and in whatever batches it read.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/fakes/feed_places.h"
#include "tests/feed/feed_bench.h"

namespace caresync::feed {
namespace {

// Record -> the fingerprint of its version.
using Copy = std::map<std::string, uint64_t>;

// Some records need an app of the second level.
Level LevelOf(const std::string& record) { return record < "g" ? kFirstLevel : kFirstLevel + 1; }

// What of `copy` an app of this level can keep.
Copy Through(Level level, const Copy& copy) {
  Copy kept;
  for (const auto& [record, fingerprint] : copy) {
    if (LevelOf(record) <= level) kept[record] = fingerprint;
  }
  return kept;
}

// A device that reads the feed a batch at a time, with changes of the feed in between.
struct Device {
  Copy copy;
  Copy copy_being_made;
  ReadFrom from;
  int rebuilds = 0;
  Level level = kFirstLevel;
};

class FeedModel {
 public:
  explicit FeedModel(uint64_t seed) : random_(seed) {}

  void Step() {
    const uint64_t choice = Upto(100);
    if (choice < 60) {
      Change();
    } else if (choice < 70) {
      CompactSome();
    } else if (choice < 73) {
      devices_.push_back({});
      devices_.back().level = kFirstLevel + static_cast<Level>(Upto(2));
      BeginRebuild(devices_.back());
    } else if (!devices_.empty()) {
      ReadOnce(devices_[Upto(devices_.size())]);
    }
    CheckTheRows();
  }

  // Every device goes on until nothing is left.
  void CheckThatAllDevicesEndRight() {
    for (Device& device : devices_) {
      while (!ReadOnce(device)) {
      }
      ASSERT_EQ(device.copy, Through(device.level, truth_));
    }
  }

  int rebuilds() const {
    int rebuilds = 0;
    for (const Device& device : devices_) rebuilds += device.rebuilds;
    return rebuilds;
  }

 private:
  uint64_t Upto(uint64_t bound) { return random_() % bound; }
  std::string AnyRecord() { return std::string(1, static_cast<char>('a' + Upto(9))); }

  // One revision that touches up to four records.
  void Change() {
    bench_.Commit([&](commit::Transaction& transaction) {
      FeedWriter writer(transaction);
      for (uint64_t i = 0; i <= Upto(4); ++i) {
        const std::string record = AnyRecord();
        const auto before = truth_.find(record);
        const bool had = before != truth_.end();
        const uint64_t kind = Upto(3);
        Moved expected = Moved::kNot;
        Moved moved = Moved::kNot;
        if (kind == 0) {
          expected = had ? Moved::kDisappeared : Moved::kNot;
          moved = writer.Remove(bench_.receiver, {record}).value();
          truth_.erase(record);
        } else if (kind == 1 && had) {
          moved = writer.Upsert(bench_.receiver, VersionOf(record)).value();
        } else {
          expected = had ? Moved::kAgain : Moved::kAppeared;
          truth_[record] = random_();
          versions_[record] = transaction.revision();
          moved = writer.Upsert(bench_.receiver, VersionOf(record)).value();
        }
        ASSERT_EQ(moved, expected);
      }
    });
  }

  RecordVersion VersionOf(const std::string& record) const {
    const uint64_t fingerprint = truth_.at(record);
    return {.record = {record},
            .version = versions_.at(record),
            .fingerprint = fingerprint,
            .payload_bytes = fingerprint % 1'000,
            .level = LevelOf(record)};
  }

  void CompactSome() {
    std::optional<Position> up_to;
    if (Upto(2) == 0) up_to = Position{Upto(bench_.head + 1), {AnyRecord()}};
    bench_.Forget(1 + Upto(3), up_to);
  }

  void BeginRebuild(Device& device) {
    ++device.rebuilds;
    device.copy_being_made.clear();
    device.from = {.after = {}, .rebuild_began = bench_.head, .level = device.level};
  }

  // True where it is caught up.
  bool ReadOnce(Device& device) {
    const FeedBatch batch = bench_.Read(device.from, 1 + Upto(5), 1 + Upto(3'000), Upto(20));
    if (batch.horizon_passed) {
      BeginRebuild(device);
      return false;
    }
    const bool rebuilding = device.from.rebuild_began.has_value();
    Copy& copy = rebuilding ? device.copy_being_made : device.copy;
    for (const Entry& entry : batch.entries) {
      EXPECT_GT(entry.position, device.from.after);
      EXPECT_LE(LevelOf(entry.position.record.bytes), device.level);
      if (entry.removal) {
        copy.erase(entry.position.record.bytes);
      } else {
        copy[entry.position.record.bytes] = entry.fingerprint;
      }
    }
    EXPECT_GE(batch.end, device.from.after);
    EXPECT_TRUE(batch.nothing_left || batch.end > device.from.after);
    device.from.after = batch.end;
    if (!batch.nothing_left) return false;
    if (rebuilding) device.copy = std::move(device.copy_being_made);
    device.from = {.after = Position::EndOf(bench_.head), .rebuild_began = std::nullopt, .level = device.level};
    EXPECT_EQ(device.copy, Through(device.level, truth_));
    EXPECT_EQ(batch.summary.count, device.copy.size());
    uint64_t sum = 0;
    for (const auto& [record, fingerprint] : device.copy) sum += fingerprint;
    EXPECT_EQ(batch.summary.sum, sum);
    return true;
  }

  // The head row equals what the rows come to, each record has one entry, and each entry has its place.
  void CheckTheRows() {
    FeedSummary expected;
    std::set<std::string> records;
    Copy upserts;
    for (const Entry& entry : bench_.Entries()) {
      ASSERT_TRUE(records.insert(entry.position.record.bytes).second);
      if (entry.removal) {
        ++expected.removals;
        continue;
      }
      upserts[entry.position.record.bytes] = entry.fingerprint;
      ASSERT_EQ(entry.level, LevelOf(entry.position.record.bytes));
      ++expected.count;
      expected.sum += entry.fingerprint;
      expected.payload_bytes += entry.payload_bytes;
    }
    ASSERT_EQ(upserts, truth_);
    const FeedSummary summary = bench_.Summary();
    ASSERT_EQ(summary.count, expected.count);
    ASSERT_EQ(summary.sum, expected.sum);
    ASSERT_EQ(summary.payload_bytes, expected.payload_bytes);
    ASSERT_EQ(summary.removals, expected.removals);
    ASSERT_EQ(bench_.Rows(fakes::FeedPlaces(bench_.tenant, bench_.receiver)), records.size());
  }

  std::mt19937_64 random_;
  FeedBench bench_;
  Copy truth_;
  std::map<std::string, base::Revision> versions_;
  std::vector<Device> devices_;
};

TEST(FeedModel, EveryReaderEndsWithWhatTheReceiverMaySee) {
  int rebuilds = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    FeedModel model(seed);
    for (int step = 0; step < 200; ++step) {
      model.Step();
      if (testing::Test::HasFailure()) return;
    }
    model.CheckThatAllDevicesEndRight();
    if (testing::Test::HasFailure()) return;
    rebuilds += model.rebuilds();
  }
  // The compactions were of consequence: devices began anew, more than once each on average.
  EXPECT_GT(rebuilds, 150);
}

}  // namespace
}  // namespace caresync::feed

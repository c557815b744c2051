// Bytes of a store that become others: whoever opens or reads it is told, and is never given a wrong answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fault/number_from.h"
#include "tests/fault/power_cuts.h"

namespace caresync::fault {
namespace {

using fakes::CommitAndWait;
using fakes::PutOf;
using fakes::Rows;
using fakes::TemporaryDirectory;
using storage::CommitOutcome;
using storage::RocksStore;
using storage::Space;
using ::testing::HasSubstr;

constexpr Space kSpaces[] = {Space::kRecords, Space::kFeeds, Space::kDevices};

// Bits that are turned over in each file.
size_t BitsOfAFile() { return std::max<size_t>(1, NumberFrom("CARESYNC_DAMAGED_BITS", 20)); }

// Of RocksDB's logs and manifests: records in blocks, each with a checksum, a length and a type before it.
constexpr size_t kBlockBytes = size_t{32} << 10;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kLengthAt = 4;
constexpr size_t kTypeAt = 6;
// Makes a type that RocksDB takes for what an older log left behind, and so for the end of this one.
constexpr int kBitOfOldRecords = 2;

constexpr const char* kStoreFiles[] = {"FORMAT", "ACKNOWLEDGED", "RECOVERED"};

bool IsTable(const std::string& name) { return absl::EndsWith(name, ".sst"); }
bool IsLog(const std::string& name) { return absl::EndsWith(name, ".log"); }
bool IsManifest(const std::string& name) { return absl::StartsWith(name, "MANIFEST-"); }

// Where the records of a log or manifest begin.
std::vector<size_t> RecordsOf(const std::string& bytes) {
  std::vector<size_t> records;
  size_t at = 0;
  while (at + kHeaderBytes <= bytes.size()) {
    if (kBlockBytes - at % kBlockBytes < kHeaderBytes) {
      at += kBlockBytes - at % kBlockBytes;
      continue;
    }
    const size_t length =
        static_cast<uint8_t>(bytes[at + kLengthAt]) + (size_t{static_cast<uint8_t>(bytes[at + kLengthAt + 1])} << 8);
    records.push_back(at);
    at += kHeaderBytes + length;
  }
  return records;
}

// The column family whose rows a table holds.
std::string FamilyOf(const std::string& table) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  const rocksdb::Status opened = reader.Open(table);
  EXPECT_TRUE(opened.ok()) << opened.ToString();
  return opened.ok() ? reader.GetTableProperties()->column_family_name : "";
}

struct Bit {
  size_t byte = 0;
  int bit = 0;
};

// A store with tables of several starts, with a manifest that knows them, and with two logs that are still needed.
class DamageTest : public testing::Test {
 protected:
  DamageTest() {
    const TemporaryDirectory parent;
    Begin(parent / "store");
    for (int life = 0; life < 3; ++life) {
      const StoreWithPower store(parent / "store");
      EXPECT_TRUE(store.opened().ok()) << store.opened().status();
      FillUp(**store.opened(), life);
    }
    sound_.store = ReadFiles(parent / "store");
    sound_.database = ReadFiles(parent / "store/rocksdb");
  }

  static void Begin(const std::string& directory) {
    StoreWithPower store(directory);
    EXPECT_TRUE(store.opened().ok()) << store.opened().status();
  }

  void Put(RocksStore& store, Space space, const std::string& key, size_t bytes) {
    std::string value = absl::StrCat(key, " ");
    while (value.size() < bytes) value.push_back(static_cast<char>(random_()));
    EXPECT_EQ(CommitAndWait(store, PutOf(space, key, value)).outcome, CommitOutcome::kCommitted);
    rows_[space][key] = value;
  }

  // What the devices' space holds stays in its memory, and keeps the first log; records fill their memory up, and begin
  // a second.
  void FillUp(RocksStore& store, int life) {
    for (const Space space : kSpaces) {
      for (int i = 0; i < 5; ++i) Put(store, space, absl::StrCat("row-", life, "-", i), 300);
    }
    for (int i = 0; i < 30; ++i) Put(store, Space::kRecords, absl::StrCat("long-", i), 4'000);
  }

  // The files of the database that a test looks at.
  std::vector<std::string> Named(bool (*which)(const std::string&)) const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : sound_.database) {
      if (which(name) && !bytes.empty()) names.push_back(name);
    }
    return names;
  }

  // What comes of the store with these files; empty: it is refused or answers right.
  std::string FaultWith(const PowerCut& files) {
    const TemporaryDirectory parent;
    Restore(files, parent / "store");
    StoreWithPower damaged(parent / "store");
    if (damaged.opened().ok()) return FaultIn(damaged.store());
    const absl::Status& refused = damaged.opened().status();
    ++refused_;
    if (absl::IsDataLoss(refused)) ++told_;
    const bool named = absl::IsDataLoss(refused) || absl::IsFailedPrecondition(refused);
    const bool helps = absl::StrContains(refused.message(), "restore");
    return named && helps ? "" : absl::StrCat("it is refused with ", refused.ToString());
  }

  std::string FaultIn(const RocksStore& store) {
    const auto snapshot = store.NewSnapshot();
    if (!snapshot.ok()) return absl::StrCat("no snapshot: ", snapshot.status().ToString());
    for (const auto& [space, expected] : rows_) {
      Rows rows;
      const absl::Status scanned =
          (*snapshot)->Scan(space, {}, SIZE_MAX, [&](std::string_view key, std::string_view v) {
            rows.emplace_back(key, v);
            return true;
          });
      if (!IsRight(rows, expected, scanned)) {
        return absl::StrCat("a scan is answered wrong: ", scanned.ToString(), ", ", rows.size(), " rows");
      }
      for (const auto& [key, value] : expected) {
        const auto found = (*snapshot)->Get(space, key);
        if (found.ok() ? *found != value : !Helps(found.status())) {
          return absl::StrCat("a row is answered wrong: ", key, " ", found.status().ToString());
        }
      }
    }
    return "";
  }

  // All rows, or the first of them and the error: what was visited before it may have been used.
  bool IsRight(const Rows& rows, const std::map<std::string, std::string>& expected, const absl::Status& scanned) {
    if (scanned.ok()) return rows == Rows(expected.begin(), expected.end());
    if (rows.size() > expected.size()) return false;
    const auto end = std::next(expected.begin(), static_cast<ptrdiff_t>(rows.size()));
    return Helps(scanned) && rows == Rows(expected.begin(), end);
  }

  // Of an error of reading.
  bool Helps(const absl::Status& status) {
    if (absl::IsDataLoss(status)) ++told_;
    return absl::IsDataLoss(status) && absl::StrContains(status.message(), "restore");
  }

  // Turns one bit over, of a file that stands in `files`.
  std::string FaultWithBit(Files PowerCut::*files, const std::string& name, Bit bit) {
    PowerCut damaged = sound_;
    char& byte = (damaged.*files).at(name)[bit.byte];
    byte = static_cast<char>(byte ^ (1 << bit.bit));
    const std::string fault = FaultWith(damaged);
    return fault.empty() ? "" : absl::StrCat(name, ", bit ", bit.bit, " of byte ", bit.byte, ": ", fault);
  }

  // Bits all over a file: of every n-th byte one.
  std::vector<Bit> BitsOf(const std::string& bytes) {
    std::vector<Bit> bits;
    const size_t step = std::max<size_t>(1, bytes.size() / BitsOfAFile());
    for (size_t at = random_() % step; at < bytes.size(); at += step) {
      bits.push_back({at, static_cast<int>(random_() % 8)});
    }
    return bits;
  }

  // Returns how often somebody was told of a loss: at the opening, or by what was read.
  int ExpectToldOf(Files PowerCut::*files, const std::string& name) {
    const int before = told_;
    for (const Bit bit : BitsOf((sound_.*files).at(name))) EXPECT_EQ(FaultWithBit(files, name, bit), "");
    return told_ - before;
  }

  // The tables of each column family.
  std::map<std::string, std::vector<std::string>> Tables() const {
    const TemporaryDirectory parent;
    Restore(sound_, parent / "store");
    std::map<std::string, std::vector<std::string>> tables;
    for (const std::string& name : Named(IsTable)) {
      tables[FamilyOf(parent / ("store/rocksdb/" + name))].push_back(name);
    }
    return tables;
  }

  // The last file of the database whose name begins so.
  std::string NamedLike(const std::string& beginning) const {
    std::string last;
    for (const auto& [name, bytes] : sound_.database) {
      if (absl::StartsWith(name, beginning)) last = name;
    }
    return last;
  }

  std::mt19937_64 random_{SeedOfPowerCuts()};
  PowerCut sound_;
  std::map<Space, std::map<std::string, std::string>> rows_;
  int refused_ = 0;
  // Answers of DATA_LOSS, to whoever opened the store or read it.
  int told_ = 0;
};

TEST_F(DamageTest, AStoreWithoutAnyAnswersRight) {
  EXPECT_EQ(FaultWith(sound_), "");
  EXPECT_EQ(refused_, 0);
  EXPECT_GE(Named(IsLog).size(), 2u);
}

TEST_F(DamageTest, InALogIsRefused) {
  for (const std::string& name : Named(IsLog)) ExpectToldOf(&PowerCut::database, name);
  EXPECT_GT(refused_, 0);
}

TEST_F(DamageTest, InTheManifestIsRefused) {
  for (const std::string& name : Named(IsManifest)) ExpectToldOf(&PowerCut::database, name);
  EXPECT_GT(refused_, 0);
}

TEST_F(DamageTest, InATableIsFoundWhereItIsRead) {
  const auto tables = Tables();
  for (const char* family : {"records", "feeds", "devices"}) {
    ASSERT_TRUE(tables.contains(family)) << family;
    const int before = told_;
    for (const std::string& name : tables.at(family)) {
      ExpectToldOf(&PowerCut::database, name);
      // However few bits are asked for: one where the rows are.
      EXPECT_EQ(FaultWithBit(&PowerCut::database, name, {100, 3}), "");
    }
    EXPECT_GT(told_, before) << family;
  }
}

// Those that say where the rest is: none is too small.
TEST_F(DamageTest, InTheSmallFilesIsRefusedOrMakesNoDifference) {
  EXPECT_GT(ExpectToldOf(&PowerCut::database, NamedLike("CURRENT")), 0);
  // Nothing of what is read stands on these two.
  EXPECT_EQ(ExpectToldOf(&PowerCut::database, NamedLike("OPTIONS-")), 0);
  EXPECT_EQ(ExpectToldOf(&PowerCut::database, NamedLike("IDENTITY")), 0);
  for (const char* name : kStoreFiles) {
    const int before = refused_;
    ExpectToldOf(&PowerCut::store, name);
    EXPECT_GT(refused_, before) << name;
  }
}

// A record whose length or type is another can pass for the end of what is written.
TEST_F(DamageTest, InTheHeadersOfRecordsDoesNotPassForTheEnd) {
  for (const auto& [name, bytes] : sound_.database) {
    if (!IsLog(name) && !IsManifest(name)) continue;
    std::vector<size_t> records = RecordsOf(bytes);
    if (records.size() > 24) records.erase(records.begin() + 12, records.end() - 12);
    for (const size_t record : records) {
      EXPECT_EQ(FaultWithBit(&PowerCut::database, name, {record + kTypeAt, kBitOfOldRecords}), "");
      EXPECT_EQ(FaultWithBit(&PowerCut::database, name, {record + kLengthAt + 1, 6}), "");
    }
  }
  EXPECT_GT(refused_, 0);
}

// The first of two logs ends sooner than it did, and nothing in it is wrong: only that commits are missing tells it.
TEST_F(DamageTest, CommitsMissingBetweenOthersAreALoss) {
  const std::vector<std::string> logs = Named(IsLog);
  ASSERT_GE(logs.size(), 2u);
  const std::vector<size_t> records = RecordsOf(sound_.database.at(logs[0]));
  ASSERT_GT(records.size(), 4u);
  PowerCut damaged = sound_;
  damaged.database.at(logs[0])[records[2] + kTypeAt] ^= 1 << kBitOfOldRecords;

  const TemporaryDirectory parent;
  Restore(damaged, parent / "store");
  for (int i = 0; i < 2; ++i) {
    const StoreWithPower store(parent / "store");
    const absl::Status refused = store.opened().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("has lost commits that it had acknowledged"));
    // Nothing was changed.
    EXPECT_EQ(ReadFiles(parent / "store/rocksdb").at(logs[0]), damaged.database.at(logs[0]));
    EXPECT_EQ(ReadFiles(parent / "store/rocksdb").at(logs[1]), damaged.database.at(logs[1]));
  }
}

// Whatever file is gone.
TEST_F(DamageTest, AMissingFileIsRefusedOrMakesNoDifference) {
  for (const auto& [name, bytes] : sound_.database) {
    PowerCut damaged = sound_;
    damaged.database.erase(name);
    EXPECT_EQ(FaultWith(damaged), "") << name;
  }
  EXPECT_GT(refused_, 0);
  for (const char* name : kStoreFiles) {
    PowerCut damaged = sound_;
    ASSERT_EQ(damaged.store.erase(name), 1u) << name;
    const int before = refused_;
    EXPECT_EQ(FaultWith(damaged), "") << name;
    // Without the others what is there is all there is to go by.
    EXPECT_EQ(refused_ - before, std::string_view(name) == "FORMAT" ? 1 : 0) << name;
  }
}

// Commits of a store's last life, of which nothing durable came behind its last flush.
class BehindTheTablesTest : public testing::Test {
 protected:
  // Records stay in memory, and keep the first log; the feeds' memory fills up and becomes a table, which knows of
  // commits of all spaces.
  BehindTheTablesTest() {
    const TemporaryDirectory parent;
    {
      StoreWithPower store(parent / "store");
      EXPECT_TRUE(store.opened().ok()) << store.opened().status();
      FillUp(store.store(), parent / "store");
    }
    files_.store = ReadFiles(parent / "store");
    files_.database = ReadFiles(parent / "store/rocksdb");
  }

  void FillUp(RocksStore& store, const std::string& directory) {
    for (int i = 0; i < 5; ++i) Put(store, Space::kRecords, absl::StrCat("row-", i), 300);
    for (int i = 0; i < 30; ++i) Put(store, Space::kFeeds, absl::StrCat("long-", i), 4'000);
    // The second table is begun only when the first is known; what is in it was not flushed into the log. Of two
    // memories that are full at once a single table is made: then it takes more to fill another.
    for (size_t tables = 1; tables <= 2; ++tables) {
      for (int i = 0; i < 30; ++i) PutLate(store, i);
      EXPECT_TRUE(fakes::Eventually([&] {
        const bool made = TablesIn(directory + "/rocksdb") >= tables;
        if (!made) PutLate(store, 0);
        return made;
      }));
    }
  }

  static void PutLate(RocksStore& store, int i) {
    Put(store, Space::kFeeds, absl::StrCat("late-", i), 4'000, storage::Durability::kBuffered);
  }
  static void Put(RocksStore& store, Space space, const std::string& key, size_t bytes,
                  storage::Durability durability = storage::Durability::kDurable) {
    storage::Commit commit = PutOf(space, key, std::string(bytes, 'x'));
    commit.durability = durability;
    EXPECT_EQ(CommitAndWait(store, std::move(commit)).outcome, CommitOutcome::kCommitted);
  }
  static size_t TablesIn(const std::string& database) {
    const Files files = ReadFiles(database);
    return static_cast<size_t>(std::count_if(files.begin(), files.end(), [](const auto& file) {
      return absl::EndsWith(file.first, ".sst") && !file.second.empty();
    }));
  }
  const std::string& FirstLog() const {
    return std::find_if(files_.database.begin(), files_.database.end(),
                        [](const auto& file) { return IsLog(file.first) && !file.second.empty(); })
        ->first;
  }
  absl::Status Opened() const {
    const TemporaryDirectory parent;
    Restore(files_, parent / "store");
    return StoreWithPower(parent / "store").opened().status();
  }

  PowerCut files_;
};

TEST_F(BehindTheTablesTest, ASoundStoreOpens) { EXPECT_TRUE(Opened().ok()) << Opened(); }

// What the feeds' tables know of is no proof that the records' commits are there.
TEST_F(BehindTheTablesTest, AcknowledgedCommitsOfAnotherSpaceThatAreMissingAreALoss) {
  std::string& log = files_.database.at(FirstLog());
  const std::vector<size_t> records = RecordsOf(log);
  ASSERT_GT(records.size(), 5u);
  log[records[2] + kTypeAt] ^= 1 << kBitOfOldRecords;
  EXPECT_EQ(Opened().code(), absl::StatusCode::kDataLoss) << Opened();
}

// The mark lags after a power cut: it does not tell. More than the part of the log that a reader skips with what it
// cannot read, and less than makes a table.
TEST_F(BehindTheTablesTest, DamageInTheFirstCommitOfTheFirstLogIsNoTornEnd) {
  const TemporaryDirectory parent;
  Restore(files_, parent / "store");
  std::string mark;
  {
    StoreWithPower store(parent / "store");
    ASSERT_TRUE(store.opened().ok()) << store.opened().status();
    mark = ReadFiles(parent / "store").at("ACKNOWLEDGED");
    for (int i = 0; i < 12; ++i) Put(store.store(), Space::kRecords, absl::StrCat("last-", i), 4'000);
  }
  files_.store = ReadFiles(parent / "store");
  files_.database = ReadFiles(parent / "store/rocksdb");
  std::string& log = files_.database.at(FirstLog());
  ASSERT_GT(log.size(), kBlockBytes + 4'000);
  log[RecordsOf(log).front() + kHeaderBytes + 20] ^= 1;
  files_.store.at("ACKNOWLEDGED") = mark;
  EXPECT_EQ(Opened().code(), absl::StatusCode::kDataLoss) << Opened();
}

}  // namespace
}  // namespace caresync::fault

#include "storage/rocks_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "tests/fakes/commits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::storage {
namespace {

namespace fs = std::filesystem;
using fakes::CommitAndWait;
using fakes::PutOf;
using fakes::TemporaryDirectory;
using fakes::ValueOf;
using ::testing::HasSubstr;

// Tests are about the store and not about a tester's full disk.
const RocksSetup kNoReserve = {.reserved_bytes = 0};

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

std::unique_ptr<RocksStore> OpenOrDie(const std::string& directory) {
  auto store = RocksStore::Open(directory, kNoReserve);
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

void PutMany(Store& store, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    CommitResult result = CommitAndWait(store, PutOf(Space::kRecords, std::to_string(i), std::string(100, 'x')));
    ASSERT_EQ(result.outcome, CommitOutcome::kCommitted) << result.detail;
  }
}

// Holds the store at work on a first commit, so that those that come meanwhile wait together.
class BusyStore {
 public:
  explicit BusyStore(Store& store) {
    store.Apply(PutOf(Space::kRecords, "first", "v"), [this](const CommitResult&) {
      busy_.set_value();
      go_on_.get_future().wait();
    });
    busy_.get_future().wait();
  }
  void GoOn() { go_on_.set_value(); }

 private:
  std::promise<void> busy_;
  std::promise<void> go_on_;
};

// What a crash of the process leaves: the files of a store that is still open. RocksDB may just be deleting one that it
// needs no more, which ends a copy; the next one is of what the directory then holds.
void CrashCopy(const std::string& from, const std::string& to) {
  ASSERT_TRUE(fakes::Eventually([&] {
    fs::remove_all(to);
    std::error_code error;
    fs::copy(from, to, fs::copy_options::recursive, error);
    return !error;
  }));
}

// The newest log of the database.
fs::path LogOf(const std::string& directory) {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(directory + "/rocksdb")) {
    if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
  }
  EXPECT_FALSE(newest.empty());
  return newest;
}

// The descriptor under which this process has `path` open.
int DescriptorOf(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone) == fs::canonical(path)) return std::stoi(entry.path().filename());
  }
  return -1;
}

// From now on what is written to `path` by this process goes to `device`.
void Redirect(const fs::path& path, int device) {
  const int descriptor = DescriptorOf(path);
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(dup2(device, descriptor), descriptor);
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Overwrite(const fs::path& path, size_t position, std::string_view bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(position));
  file << bytes;
}

TEST(RocksStore, SurvivesReopening) {
  TemporaryDirectory parent;
  {
    auto store = OpenOrDie(parent / "data");
    PutMany(*store, 0, 10);
    CommitAndWait(*store, PutOf(Space::kFeeds, "f", "1"));
    CommitAndWait(*store, PutOf(Space::kDevices, "d", "2"));
  }
  auto store = OpenOrDie(parent / "data");
  EXPECT_EQ(ValueOf(*store, Space::kRecords, "9"), std::string(100, 'x'));
  EXPECT_EQ(ValueOf(*store, Space::kFeeds, "f"), "1");
  EXPECT_EQ(ValueOf(*store, Space::kDevices, "d"), "2");
  EXPECT_EQ(ValueOf(*store, Space::kRecords, "f"), std::nullopt);
}

TEST(RocksStore, SurvivesACrashOfTheProcessWithBufferedCommits) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  Commit buffered = PutOf(Space::kDevices, "d", "buffered");
  buffered.durability = Durability::kBuffered;
  CommitAndWait(*store, std::move(buffered));
  CrashCopy(parent / "data", parent / "copy");
  auto copy = OpenOrDie(parent / "copy");
  EXPECT_NE(ValueOf(*copy, Space::kRecords, "9"), std::nullopt);
  EXPECT_EQ(ValueOf(*copy, Space::kDevices, "d"), "buffered");
}

TEST(RocksStore, SurvivesManyReopeningsAndCrashes) {
  TemporaryDirectory parent;
  fs::create_directory(parent / "0");
  for (int round = 0; round < 8; ++round) {
    auto store = OpenOrDie(parent / std::to_string(round));
    PutMany(*store, round * 20, 20);
    CrashCopy(parent / std::to_string(round), parent / std::to_string(round + 1));
  }
  auto store = OpenOrDie(parent / "8");
  for (int i = 0; i < 160; ++i) EXPECT_NE(ValueOf(*store, Space::kRecords, std::to_string(i)), std::nullopt) << i;
}

TEST(RocksStore, DestroyingItAnswersTheCommitsThatWereTaken) {
  TemporaryDirectory parent;
  std::atomic<int> committed = 0;
  {
    auto store = OpenOrDie(parent / "data");
    for (int i = 0; i < 3'000; ++i) {
      store->Apply(PutOf(Space::kRecords, std::to_string(i), "v"),
                   [&](CommitResult result) { committed += result.outcome == CommitOutcome::kCommitted ? 1 : 0; });
    }
  }
  EXPECT_EQ(committed, 3'000);
  EXPECT_EQ(ValueOf(*OpenOrDie(parent / "data"), Space::kRecords, "2999"), "v");
}

TEST(RocksStore, ASecondProcessIsRefused) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  absl::Status second = RocksStore::Open(parent / "data", kNoReserve).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(second), HasSubstr("another process"));
  PutMany(*store, 0, 1);
}

TEST(RocksStore, ANewerFormatIsRefusedBeforeTheDatabaseIsTouched) {
  TemporaryDirectory parent;
  { PutMany(*OpenOrDie(parent / "data"), 0, 1); }
  std::ofstream(parent / "data/FORMAT", std::ios::trunc) << "caresync store format 2\n";
  const auto before = fs::last_write_time(parent / "data/rocksdb");
  EXPECT_EQ(RocksStore::Open(parent / "data", kNoReserve).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs::last_write_time(parent / "data/rocksdb"), before);
}

TEST(RocksStore, AnIncompleteCommitAtTheEndOfTheLogIsForgotten) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  // Somebody else's power went while the next commit was being written: the log ends in the middle of it, and nobody
  // was told.
  CrashCopy(parent / "data", parent / "copy");
  PutMany(*store, 10, 1);
  const auto whole = fs::file_size(LogOf(parent / "data"));
  fs::copy_file(LogOf(parent / "data"), LogOf(parent / "copy"), fs::copy_options::overwrite_existing);
  fs::resize_file(LogOf(parent / "copy"), whole - 20);

  auto copy = OpenOrDie(parent / "copy");
  EXPECT_NE(ValueOf(*copy, Space::kRecords, "9"), std::nullopt);
  EXPECT_EQ(ValueOf(*copy, Space::kRecords, "10"), std::nullopt);
}

// The file system may know how long a file is before all of its pages are on the disk: the missing ones are zeros.
TEST(RocksStore, ALastCommitOfWhichAPageIsMissingIsForgotten) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  const size_t begin = fs::file_size(LogOf(parent / "copy"));
  CommitAndWait(*store, PutOf(Space::kRecords, "large", std::string(20'000, 'y')));
  fs::copy_file(LogOf(parent / "data"), LogOf(parent / "copy"), fs::copy_options::overwrite_existing);
  Overwrite(LogOf(parent / "copy"), begin + 8'000, std::string(4'096, '\0'));

  for (int i = 0; i < 2; ++i) {
    auto copy = OpenOrDie(parent / "copy");
    EXPECT_NE(ValueOf(*copy, Space::kRecords, "9"), std::nullopt);
    EXPECT_EQ(ValueOf(*copy, Space::kRecords, "large"), std::nullopt);
    PutMany(*copy, 10, 1);
  }
}

TEST(RocksStore, ALogThatEndsBeforeWhatWasAcknowledgedIsDamage) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  fs::resize_file(LogOf(parent / "copy"), fs::file_size(LogOf(parent / "copy")) - 20);

  absl::Status status = RocksStore::Open(parent / "copy", kNoReserve).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("has lost commits that it had acknowledged"));

  // What the message offers.
  fs::remove(parent / "copy/ACKNOWLEDGED");
  auto copy = OpenOrDie(parent / "copy");
  EXPECT_NE(ValueOf(*copy, Space::kRecords, "8"), std::nullopt);
  EXPECT_EQ(ValueOf(*copy, Space::kRecords, "9"), std::nullopt);
}

TEST(RocksStore, AMissingLogIsDamage) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  fs::remove(LogOf(parent / "copy"));
  EXPECT_EQ(RocksStore::Open(parent / "copy", kNoReserve).status().code(), absl::StatusCode::kDataLoss);
}

// Where the value of some commit in the middle of the log begins.
size_t ValueInTheMiddle(const std::string& log) {
  const std::string value(100, 'x');
  return log.find(value, log.find(value, log.size() / 2 - 200) + value.size());
}

TEST(RocksStore, ACommitDamagedInTheLogIsRefusedAndTheLogLeftAsItIs) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  const fs::path log = LogOf(parent / "copy");
  Overwrite(log, ValueInTheMiddle(ReadFile(log)) + 10, "damage");
  const std::string damaged = ReadFile(log);
  // Trying again does not make it any better.
  for (int i = 0; i < 2; ++i) {
    absl::Status status = RocksStore::Open(parent / "copy", kNoReserve).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(MessageOf(status), HasSubstr("restore the whole directory from a backup"));
    EXPECT_EQ(ReadFile(log), damaged);
  }
}

TEST(RocksStore, ACommitsDamagedLengthDoesNotPassForTheEndOfTheLog) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  const fs::path log = LogOf(parent / "copy");
  // Before a value of these commits lie 17 bytes of its batch and a header of 7: checksum, length, type.
  Overwrite(log, ValueInTheMiddle(ReadFile(log)) - 17 - 3, "\xFF\x7F");
  const std::string damaged = ReadFile(log);
  for (int i = 0; i < 2; ++i) {
    absl::Status status = RocksStore::Open(parent / "copy", kNoReserve).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(MessageOf(status), HasSubstr("has lost commits that it had acknowledged"));
    EXPECT_EQ(ReadFile((parent / "copy/recovery/") + log.filename().string()), damaged);
  }
}

TEST(RocksStore, TheLogsOfADamagedStoreAreKeptUntilAnOperatorTakesThemAway) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 10);
  CrashCopy(parent / "data", parent / "copy");
  const fs::path log = LogOf(parent / "copy");
  Overwrite(log, ValueInTheMiddle(ReadFile(log)) - 17 - 3, "\xFF\x7F");
  const std::string damaged = ReadFile(log);
  EXPECT_EQ(RocksStore::Open(parent / "copy", kNoReserve).status().code(), absl::StatusCode::kDataLoss);
  fs::remove(parent / "copy/ACKNOWLEDGED");
  for (int i = 0; i < 3; ++i) {
    PutMany(*OpenOrDie(parent / "copy"), 100 * i, 10);
    EXPECT_EQ(ReadFile((parent / "copy/recovery/") + log.filename().string()), damaged);
  }
}

TEST(RocksStore, NothingIsKeptAsideOnceItIsOpen) {
  TemporaryDirectory parent;
  { PutMany(*OpenOrDie(parent / "data"), 0, 1); }
  auto store = OpenOrDie(parent / "data");
  EXPECT_FALSE(fs::exists(parent / "data/recovery"));
  EXPECT_FALSE(fs::exists(parent / "data/opening"));
}

TEST(RocksStore, AnOpeningThatWasCutOffLeavesNothingBehindWhereNothingWasLost) {
  TemporaryDirectory parent;
  { PutMany(*OpenOrDie(parent / "data"), 0, 1); }
  fs::create_directory(parent / "data/opening");
  std::ofstream(parent / "data/opening/000001.log") << "as it was";
  auto store = OpenOrDie(parent / "data");
  EXPECT_FALSE(fs::exists(parent / "data/opening"));
  EXPECT_FALSE(fs::exists(parent / "data/recovery"));
}

TEST(RocksStore, AMissingDatabaseIsDamageAndNotABeginning) {
  TemporaryDirectory parent;
  { PutMany(*OpenOrDie(parent / "data"), 0, 1); }
  fs::remove_all(parent / "data/rocksdb");
  EXPECT_EQ(RocksStore::Open(parent / "data", kNoReserve).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(RocksStore::Open(parent / "data", kNoReserve).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RocksStore, AFullDiskRefusesCommitsAndStillReads) {
  TemporaryDirectory parent;
  { PutMany(*OpenOrDie(parent / "data"), 0, 1); }
  auto store = RocksStore::Open(parent / "data", {.reserved_bytes = uint64_t{1} << 60});
  ASSERT_TRUE(store.ok());
  CommitResult result = CommitAndWait(**store, PutOf(Space::kRecords, "0", "changed"));
  EXPECT_EQ(result.outcome, CommitOutcome::kFull);
  EXPECT_THAT(result.detail, HasSubstr("is full"));
  EXPECT_EQ((*store)->Health().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ValueOf(**store, Space::kRecords, "0"), std::string(100, 'x'));
}

// Everything that a store owes after a write to its log failed.
void ExpectFailedForGood(RocksStore& store) {
  CommitResult first = CommitAndWait(store, PutOf(Space::kRecords, "lost", "v"));
  EXPECT_EQ(first.outcome, CommitOutcome::kUnknown);
  EXPECT_FALSE(first.detail.empty());
  CommitResult second = CommitAndWait(store, PutOf(Space::kRecords, "later", "v"));
  EXPECT_EQ(second.outcome, CommitOutcome::kUnavailable);
  EXPECT_THAT(second.detail, HasSubstr("restart the server"));
  EXPECT_EQ(store.Health().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store.NewSnapshot().status().code(), absl::StatusCode::kUnavailable);
}

TEST(RocksStore, AFailedFlushOfTheLogIsFinal) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 5);
  // A pipe takes the bytes but cannot be flushed.
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  Redirect(LogOf(parent / "data"), pipe_ends[1]);
  ExpectFailedForGood(*store);
  store.reset();
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  auto again = OpenOrDie(parent / "data");
  EXPECT_NE(ValueOf(*again, Space::kRecords, "4"), std::nullopt);
}

TEST(RocksStore, ADiskThatEndsUnderTheLogIsFinal) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  PutMany(*store, 0, 5);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Redirect(LogOf(parent / "data"), full);
  ExpectFailedForGood(*store);
  store.reset();
  close(full);
  auto again = OpenOrDie(parent / "data");
  EXPECT_NE(ValueOf(*again, Space::kRecords, "4"), std::nullopt);
}

// What waits while the disk is busy goes to it as one write with one flush, whoever it is from.
TEST(RocksStore, CommitsThatWaitTogetherShareOneFlush) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  BusyStore busy(*store);
  constexpr size_t kTenants = 100;
  std::promise<size_t> there_when_the_first_is_told;
  for (size_t i = 0; i < kTenants; ++i) {
    store->Apply(PutOf(Space::kRecords, "tenant-" + std::to_string(i), "v"), [&, i](const CommitResult&) {
      if (i > 0) return;
      const auto snapshot = store->NewSnapshot();
      there_when_the_first_is_told.set_value(fakes::RowsOf(**snapshot, Space::kRecords, PrefixRange("tenant-")).size());
    });
  }
  busy.GoOn();
  EXPECT_EQ(there_when_the_first_is_told.get_future().get(), kTenants);
}

// So that who goes away can wait for the last of them.
TEST(RocksStore, ACommitThatWritesNothingStandsInLineThoughTheQueueIsFull) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  BusyStore busy(*store);
  // Larger than all that may wait, and never written: it stands on a row that is not there.
  Commit large = PutOf(Space::kRecords, "large", std::string(size_t{300} << 20, 'x'));
  large.preconditions.push_back({Space::kRecords, "nowhere", "v"});
  std::vector<std::string> told;
  store->Apply(std::move(large), [&](const CommitResult& result) {
    EXPECT_EQ(result.outcome, CommitOutcome::kConflict) << result.detail;
    told.emplace_back("large");
  });
  EXPECT_EQ(CommitAndWait(*store, PutOf(Space::kRecords, "refused", "v")).outcome, CommitOutcome::kFull);
  std::promise<void> last;
  store->Apply({.preconditions = {}, .writes = {}, .durability = Durability::kBuffered}, [&](const CommitResult&) {
    told.emplace_back("last");
    last.set_value();
  });
  busy.GoOn();
  last.get_future().wait();
  EXPECT_EQ(told, (std::vector<std::string>{"large", "last"}));
}

TEST(RocksStore, ACommitOfAGroupSeesThoseBeforeIt) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  BusyStore busy(*store);
  std::vector<CommitOutcome> outcomes;
  std::promise<void> all_told;
  const auto note = [&](const CommitResult& result) {
    outcomes.push_back(result.outcome);
    if (outcomes.size() == 6) all_told.set_value();
  };
  const auto replace = [](const std::optional<std::string>& expected, const std::string& value) {
    Commit commit = PutOf(Space::kRecords, "k", value);
    commit.preconditions.push_back({Space::kRecords, "k", expected});
    return commit;
  };
  store->Apply(replace(std::nullopt, "1"), note);
  store->Apply(PutOf(Space::kRecords, "another", "v"), note);
  store->Apply(replace("1", "2"), note);
  store->Apply(replace("1", "3"), note);
  store->Apply(PutOf(Space::kRecords, "k", "4"), note);
  store->Apply(replace("4", "5"), note);
  busy.GoOn();
  all_told.get_future().wait();
  constexpr CommitOutcome kDone = CommitOutcome::kCommitted;
  EXPECT_THAT(outcomes, ::testing::ElementsAre(kDone, kDone, kDone, CommitOutcome::kConflict, kDone, kDone));
  EXPECT_EQ(ValueOf(*store, Space::kRecords, "k"), "5");
}

TEST(RocksStore, CommitsOfManyThreadsAllArrive) {
  TemporaryDirectory parent;
  auto store = OpenOrDie(parent / "data");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) threads.emplace_back([&, t] { PutMany(*store, t * 100, 100); });
  for (std::thread& thread : threads) thread.join();
  auto snapshot = store->NewSnapshot();
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(fakes::RowsOf(**snapshot, Space::kRecords, KeyRange()).size(), 800u);
}

}  // namespace
}  // namespace caresync::storage

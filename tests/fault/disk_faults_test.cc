// A disk that does not do what it is asked: what it did not take is answered to nobody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "storage/mutex.h"
#include "storage/rocks_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::fault {
namespace {

using fakes::CommitAndWait;
using fakes::PutOf;
using fakes::TemporaryDirectory;
using fakes::ValueOf;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using storage::CommitOutcome;
using storage::CommitResult;
using storage::RocksStore;
using storage::Space;
using ::testing::HasSubstr;

constexpr size_t kMemtableBytes = size_t{64} << 10;

enum class DiskFault {
  kNone,
  kLogFlushFails,    // An input/output error.
  kNoRoomForLogs,    // Nothing more can be written to a log,
  kNoRoomForTables,  // or to a table.
  kLogFlushIsSlow,   // It takes until the fault ends.
};

// Thread-safe.
class FaultyDisk : public rocksdb::FileSystemWrapper {
 public:
  FaultyDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyDisk"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) override;

  void Set(DiskFault fault) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    fault_ = fault;
    changed_.NotifyAll();
  }
  // Until a flush is slow.
  void WaitForSlowFlush() ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    while (slow_flushes_ == 0) changed_.Wait(mutex_);
  }

  IOStatus Write(bool log) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    const bool fails = fault_ == (log ? DiskFault::kNoRoomForLogs : DiskFault::kNoRoomForTables);
    return fails ? IOStatus::NoSpace("no room, says the disk of a test") : IOStatus::OK();
  }
  IOStatus Flush(bool log) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    if (!log) return IOStatus::OK();
    if (fault_ == DiskFault::kLogFlushIsSlow) ++slow_flushes_;
    changed_.NotifyAll();
    while (fault_ == DiskFault::kLogFlushIsSlow) changed_.Wait(mutex_);
    return fault_ == DiskFault::kLogFlushFails ? IOStatus::IOError("says the disk of a test") : IOStatus::OK();
  }

 private:
  storage::Mutex mutex_;
  storage::CondVar changed_;
  DiskFault fault_ ABSL_GUARDED_BY(mutex_) = DiskFault::kNone;
  int slow_flushes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A log or a table; other files have no faults.
class FaultyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(FaultyDisk& disk, bool log, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), log_(log) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = disk_.Write(log_);
    return status.ok() ? target()->Append(data, options, debug) : status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification, IODebugContext* debug) override {
    IOStatus status = disk_.Write(log_);
    return status.ok() ? target()->Append(data, options, verification, debug) : status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = disk_.Flush(log_);
    return status.ok() ? target()->Sync(options, debug) : status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = disk_.Flush(log_);
    return status.ok() ? target()->Fsync(options, debug) : status;
  }

 private:
  FaultyDisk& disk_;
  const bool log_;
};

IOStatus FaultyDisk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  IOStatus status = target()->NewWritableFile(path, options, file, debug);
  const bool log = absl::EndsWith(path, ".log");
  if (!status.ok() || (!log && !absl::EndsWith(path, ".sst"))) return status;
  *file = std::make_unique<FaultyFile>(*this, log, std::move(*file));
  return status;
}

// Holds RocksDB where it has told of its first failure and has not stopped yet. Thread-safe.
class MomentOfFailure : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status* /*status*/) override {
    if (!come_.HasBeenNotified()) come_.Notify();
    passed_.WaitForNotification();
  }
  void WaitFor() const { come_.WaitForNotification(); }
  void LetPass() { passed_.Notify(); }

 private:
  absl::Notification come_;
  absl::Notification passed_;
};

class DiskFaultsTest : public testing::Test {
 protected:
  DiskFaultsTest() { Open(); }

  void Open(std::shared_ptr<rocksdb::EventListener> listener = nullptr) {
    store_.reset();
    auto opened = RocksStore::Open(
        parent_ / "store",
        {.reserved_bytes = 0, .env = env_.get(), .listener = std::move(listener), .memtable_bytes = kMemtableBytes});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  CommitResult Put(const std::string& key, size_t bytes = 10) {
    return CommitAndWait(*store_, PutOf(Space::kRecords, key, std::string(bytes, 'x')));
  }
  bool Has(const std::string& key) const { return ValueOf(*store_, Space::kRecords, key).has_value(); }

  const TemporaryDirectory parent_;
  const std::shared_ptr<FaultyDisk> disk_ = std::make_shared<FaultyDisk>();
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(disk_);
  std::unique_ptr<RocksStore> store_;
};

class LogFaultsTest : public DiskFaultsTest, public testing::WithParamInterface<DiskFault> {};

// The log cannot be trusted any more, not even where the disk says afterwards that all is well: the kernel may have
// dropped what it could not write.
TEST_P(LogFaultsTest, ALogThatTookNoWriteIsFinal) {
  ASSERT_EQ(Put("before").outcome, CommitOutcome::kCommitted);
  disk_->Set(GetParam());
  EXPECT_EQ(Put("not taken").outcome, CommitOutcome::kUnknown);
  disk_->Set(DiskFault::kNone);
  const CommitResult later = Put("later");
  EXPECT_EQ(later.outcome, CommitOutcome::kUnavailable);
  EXPECT_THAT(later.detail, HasSubstr("check the disk and restart the server"));
  EXPECT_EQ(store_->Health().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_->Failure().code(), absl::StatusCode::kUnavailable);

  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(Has("before"));
  EXPECT_FALSE(Has("later"));
  EXPECT_EQ(Put("after").outcome, CommitOutcome::kCommitted);
}

// Tables that failed before, and were written since, do not make it less so: such a write may lie in the log.
TEST_P(LogFaultsTest, ALogThatTookNoWriteIsFinalThoughATableHadFailedBefore) {
  disk_->Set(DiskFault::kNoRoomForTables);
  ASSERT_EQ(Put("large", 2 * kMemtableBytes).outcome, CommitOutcome::kCommitted);
  ASSERT_TRUE(fakes::Eventually([&] { return Put("in between").outcome == CommitOutcome::kUnavailable; }));
  disk_->Set(DiskFault::kNone);
  ASSERT_TRUE(fakes::Eventually([&] { return Put("before").outcome == CommitOutcome::kCommitted; }));

  disk_->Set(GetParam());
  EXPECT_EQ(Put("not taken").outcome, CommitOutcome::kUnknown);
  disk_->Set(DiskFault::kNone);
  EXPECT_EQ(Put("later").outcome, CommitOutcome::kUnavailable);
  EXPECT_EQ(store_->Failure().code(), absl::StatusCode::kUnavailable);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(Has("before"));
  EXPECT_FALSE(Has("later"));
}

INSTANTIATE_TEST_SUITE_P(Of, LogFaultsTest, testing::Values(DiskFault::kLogFlushFails, DiskFault::kNoRoomForLogs),
                         [](const auto& fault) {
                           return fault.param == DiskFault::kLogFlushFails ? "FlushFails" : "NoRoom";
                         });

// What is in memory cannot go to a table: commits are refused, and taken again when it can.
TEST_F(DiskFaultsTest, WithoutRoomForTablesItStopsAndGoesOnWhenThereIsRoomAgain) {
  disk_->Set(DiskFault::kNoRoomForTables);
  ASSERT_EQ(Put("large", 2 * kMemtableBytes).outcome, CommitOutcome::kCommitted);
  // With this one the memory that is full goes to the disk.
  ASSERT_EQ(Put("small").outcome, CommitOutcome::kCommitted);
  // RocksDB tells of the fault a moment before it takes no more: until then a commit may still go through.
  ASSERT_TRUE(fakes::Eventually([&] { return Put("in between").outcome == CommitOutcome::kUnavailable; }));
  EXPECT_FALSE(store_->Health().ok());
  EXPECT_EQ(Put("not taken").outcome, CommitOutcome::kUnavailable);
  EXPECT_TRUE(store_->Failure().ok());
  EXPECT_TRUE(Has("large"));

  disk_->Set(DiskFault::kNone);
  EXPECT_TRUE(fakes::Eventually([&] { return Put("later").outcome == CommitOutcome::kCommitted; }));
  EXPECT_TRUE(store_->Health().ok()) << store_->Health();
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(Has("large"));
  EXPECT_TRUE(Has("small"));
  EXPECT_FALSE(Has("not taken"));
  EXPECT_TRUE(Has("later"));
}

// The same where a commit comes just then: RocksDB has told that a table failed, and does not refuse writes yet.
// Nothing is wrong with the log.
TEST_F(DiskFaultsTest, ACommitAtTheVeryMomentATableFailsDoesNotMakeThatFinal) {
  const auto moment = std::make_shared<MomentOfFailure>();
  ASSERT_NO_FATAL_FAILURE(Open(moment));
  disk_->Set(DiskFault::kNoRoomForTables);
  ASSERT_EQ(Put("large", 2 * kMemtableBytes).outcome, CommitOutcome::kCommitted);
  ASSERT_EQ(Put("small").outcome, CommitOutcome::kCommitted);
  moment->WaitFor();
  EXPECT_EQ(Put("just then").outcome, CommitOutcome::kCommitted);
  moment->LetPass();
  ASSERT_TRUE(fakes::Eventually([&] { return Put("in between").outcome == CommitOutcome::kUnavailable; }));
  EXPECT_FALSE(store_->Health().ok());
  EXPECT_TRUE(store_->Failure().ok()) << store_->Failure();

  disk_->Set(DiskFault::kNone);
  EXPECT_TRUE(fakes::Eventually([&] { return Put("later").outcome == CommitOutcome::kCommitted; }));
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(Has("just then"));
  EXPECT_TRUE(Has("later"));
}

// A flush that takes long: nobody is told before it is done, and who only reads or asks for health does not wait.
TEST_F(DiskFaultsTest, NothingIsAnsweredBeforeItIsFlushedAndReadsGoOn) {
  ASSERT_EQ(Put("before").outcome, CommitOutcome::kCommitted);
  disk_->Set(DiskFault::kLogFlushIsSlow);
  std::promise<CommitResult> first;
  std::promise<CommitResult> second;
  std::future<CommitResult> first_answer = first.get_future();
  std::future<CommitResult> second_answer = second.get_future();
  store_->Apply(PutOf(Space::kRecords, "first", "v"), [&](CommitResult result) { first.set_value(std::move(result)); });
  disk_->WaitForSlowFlush();
  store_->Apply(PutOf(Space::kRecords, "second", "v"),
                [&](CommitResult result) { second.set_value(std::move(result)); });
  EXPECT_TRUE(Has("before"));
  EXPECT_TRUE(store_->Health().ok());
  EXPECT_EQ(first_answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(second_answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);

  disk_->Set(DiskFault::kNone);
  EXPECT_EQ(first_answer.get().outcome, CommitOutcome::kCommitted);
  EXPECT_EQ(second_answer.get().outcome, CommitOutcome::kCommitted);
  EXPECT_TRUE(Has("second"));
}

}  // namespace
}  // namespace caresync::fault

// A large group set up, changed and dissolved, with every commit within its bounds.
//
// CARESYNC_FAN_OUT_SIZE raises the number of carers and of service users, for a long run on disk: 5000 makes 25,000,000
// pairs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "storage/memory_store.h"
#include "storage/rocks_store.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/records/fan_out_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

constexpr int kUsualSize = 300;
constexpr int kChangesOfACommit = 100;

int SizeAskedFor() {
  const char* asked = std::getenv("CARESYNC_FAN_OUT_SIZE");
  int size = kUsualSize;
  const bool understood = asked == nullptr || absl::SimpleAtoi(asked, &size);
  EXPECT_TRUE(understood) << asked;
  return size;
}

class FanOutBoundsTest : public testing::Test {
 protected:
  void SetUp() override {
    size_ = SizeAskedFor();
    if (size_ == kUsualSize) {
      store_ = std::make_unique<storage::MemoryStore>();
    } else {
      auto opened = storage::RocksStore::Open(folder_.path() + "/store");
      ASSERT_TRUE(opened.ok()) << opened.status();
      store_ = *std::move(opened);
    }
    bench_ = std::make_unique<FanOutBench>(*store_);
  }

  // Does `change` for each number below the size, many in one commit as a rostering system does.
  void ForEach(const std::function<absl::Status(RecordStore&, int)>& change) {
    for (int first = 0; first < size_; first += kChangesOfACommit) {
      bench_->Change([&](RecordStore& records) -> absl::Status {
        for (int i = first; i < std::min(first + kChangesOfACommit, size_); ++i) {
          RETURN_IF_ERROR(change(records, i));
        }
        return absl::OkStatus();
      });
    }
  }

  void PutGroup(int first_member, bool dissolved = false) {
    std::vector<int> members(static_cast<size_t>(size_ - first_member));
    std::iota(members.begin(), members.end(), first_member);
    bench_->Change([&](RecordStore& records) { return records.Put(GroupRecord(0, members, dissolved)).status(); });
  }

  size_t SeenBy(int carer) const {
    return fakes::SeenBy(*bench_->Snapshot(), bench_->tenant(), CarerFeed(carer)).size();
  }

  void ExpectSeen(int carer, size_t records) const {
    EXPECT_FALSE(bench_->MustWait(carer)) << carer;
    EXPECT_EQ(SeenBy(carer), records) << carer;
  }

  int size_ = kUsualSize;
  fakes::TemporaryDirectory folder_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<FanOutBench> bench_;
};

// Requirement: S12
TEST_F(FanOutBoundsTest, EveryCommitOfALargeGroupKeepsThem) {
  const size_t all = static_cast<size_t>(size_);
  const int half = size_ / 2;
  ForEach([](RecordStore& records, int i) { return records.Put(CarerRecord(i)).status(); });
  ForEach([](RecordStore& records, int i) { return records.Put(ServiceUserRecord(i)).status(); });
  PutGroup(0);
  ForEach([](RecordStore& records, int i) {
    return records.SetAccess(KeyOf(ServiceUserName(i)), {GroupHolderOf(0)}).status();
  });
  EXPECT_TRUE(bench_->MustWait(0));
  bench_->RunAll();
  for (const int carer : {0, half, size_ - 1}) ExpectSeen(carer, all + 1);

  PutGroup(half);
  EXPECT_TRUE(bench_->MustWait(0));
  bench_->RunAll();
  for (const int carer : {0, half - 1}) ExpectSeen(carer, 1);
  for (const int carer : {half, size_ - 1}) ExpectSeen(carer, all + 1);

  PutGroup(half, /*dissolved=*/true);
  bench_->RunAll();
  for (const int carer : {0, half, size_ - 1}) ExpectSeen(carer, 1);

  EXPECT_LE(bench_->most_moved(), base::limits::kFanOutEntries);
  EXPECT_LE(bench_->most_rows(), base::limits::kCommitRows);
  // The work of a step is near its bound: steps are not wasted.
  const size_t pairs = 2 * all * all;
  EXPECT_LE(bench_->steps(), pairs / (base::limits::kFanOutStepEntries / 2) + all + 10);
}

// What is left of a task's list is written with each of its steps.
TEST_F(FanOutBoundsTest, ALargeGroupsMembersAreSharedOutToSeveralTasks) {
  constexpr int kListed = static_cast<int>(base::limits::kFanOutListed);
  // The last task's few carers are named one by one, and are more than are read of such names at once.
  constexpr int kMembers = 2 * kListed + 50;
  constexpr int kServiceUsers = static_cast<int>(base::limits::kFanOutEntries) / kMembers + 1;
  for (int first = 0; first <= kMembers; first += kChangesOfACommit) {
    bench_->Change([&](RecordStore& records) -> absl::Status {
      for (int i = first; i < std::min(first + kChangesOfACommit, kMembers + 1); ++i) {
        RETURN_IF_ERROR(records.Put(CarerRecord(i)).status());
      }
      return absl::OkStatus();
    });
  }
  std::vector<int> members(kMembers);
  std::iota(members.begin(), members.end(), 0);
  bench_->Change([&](RecordStore& records) -> absl::Status {
    RETURN_IF_ERROR(records.Put(GroupRecord(0, {})).status());
    for (int i = 0; i < kServiceUsers; ++i) {
      RETURN_IF_ERROR(records.Put(ServiceUserRecord(i)).status());
      RETURN_IF_ERROR(records.SetAccess(KeyOf(ServiceUserName(i)), {GroupHolderOf(0)}).status());
    }
    return absl::OkStatus();
  });
  bench_->RunAll();
  bench_->Change([&](RecordStore& records) { return records.Put(GroupRecord(0, members)).status(); });
  EXPECT_EQ(bench_->FanOuts().size(), 3u);
  for (int i = 0; i < kMembers; ++i) EXPECT_TRUE(bench_->MustWait(i)) << i;
  EXPECT_FALSE(bench_->MustWait(kMembers));
  while (bench_->FanOuts().size() > 1) bench_->RunStep(bench_->FanOuts().front());
  int named = 0;
  for (int i = 0; i <= kMembers; ++i) named += bench_->MustWait(i) ? 1 : 0;
  EXPECT_EQ(named, kMembers - 2 * kListed);
  bench_->RunAll();
  for (int i = 0; i < kMembers; ++i) ExpectSeen(i, kServiceUsers + 1);
  ExpectSeen(kMembers, 1);
}

TEST_F(FanOutBoundsTest, AListOfMembersThatIsReplacedByAnotherFitsIntoACommit) {
  const int members = static_cast<int>(base::limits::kGroupMembers);
  std::vector<int> first(static_cast<size_t>(members));
  std::iota(first.begin(), first.end(), 0);
  std::vector<int> second(first.size());
  std::iota(second.begin(), second.end(), members);
  bench_->Change([&](RecordStore& records) { return records.Put(GroupRecord(0, first)).status(); });
  bench_->RunAll();
  bench_->Change([&](RecordStore& records) { return records.Put(GroupRecord(0, second)).status(); });
  bench_->RunAll();
  EXPECT_LE(bench_->most_rows(), base::limits::kCommitRows);
  EXPECT_FALSE(bench_->MustWait(0));
  EXPECT_FALSE(bench_->MustWait(members));
}

}  // namespace
}  // namespace caresync::records

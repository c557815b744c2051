// How often a step of a fan-out asks the store, and a change that needs none.

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/remembered_base.h"
#include "server/records/fan_out.h"
#include "storage/memory_store.h"
#include "tests/fakes/counting_reader.h"
#include "tests/fakes/feeds.h"
#include "tests/records/fan_out_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

// Far more than one step comes to.
constexpr int kServiceUsers = 120;
// As many as are walked over together.
constexpr int kTogether = 32;
constexpr int kOfAStep = static_cast<int>(base::limits::kFanOutStepEntries) / kTogether;
// So many that it is a task's.
constexpr int kCarers = static_cast<int>(base::limits::kFanOutEntries) / kServiceUsers + 6;

// Has `bench` stand before the first step that gives the members of a group its service users.
void JoinAll(FanOutBench& bench) {
  bench.Change([](RecordStore& records) -> absl::Status {
    for (int i = 0; i < kCarers; ++i) RETURN_IF_ERROR(records.Put(CarerRecord(i)).status());
    for (int i = 0; i < kServiceUsers; ++i) RETURN_IF_ERROR(records.Put(ServiceUserRecord(i)).status());
    return records.Put(GroupRecord(0, {})).status();
  });
  bench.Change([](RecordStore& records) -> absl::Status {
    for (int i = 0; i < kServiceUsers; ++i) {
      RETURN_IF_ERROR(records.SetAccess(KeyOf(ServiceUserName(i)), {GroupHolderOf(0)}).status());
    }
    return absl::OkStatus();
  });
  bench.RunAll();
  std::vector<int> members(kCarers);
  std::iota(members.begin(), members.end(), 0);
  bench.Change([&](RecordStore& records) { return records.Put(GroupRecord(0, members)).status(); });
}

// Runs the next step of the one fan-out there is, and commits none of it.
void ExpectFewReadsOfAStep(const FanOutBench& bench) {
  ASSERT_EQ(bench.FanOuts().size(), 1u);
  const std::unique_ptr<storage::Snapshot> snapshot = bench.Snapshot();
  const auto task = base::GetStored<store::Task>(*snapshot, storage::Space::kRecords, bench.FanOuts().front()).value();
  ASSERT_TRUE(task.has_value());

  const fakes::CountingReader reader(*snapshot);
  commit::Transaction transaction(reader, bench.tenant(), bench.head() + 1, absl::FromUnixSeconds(1'700'001'000));
  ASSERT_TRUE(FanOutStep(transaction, task->payload()).ok());
  // Each pair has an entry and a place.
  const size_t pairs = kTogether * kOfAStep;
  EXPECT_GE(transaction.rows(), 2 * pairs);
  // A few for each carer and for each record, and a few for all pairs together.
  EXPECT_LE(reader.calls(), 5u * (kTogether + kOfAStep));
  // Each pair's place, and no more of any pair; of the group no more rows than another half of them.
  EXPECT_LE(reader.rows(), pairs + pairs / 2 + 10u * (kTogether + kOfAStep));
}

TEST(FanOutReads, AStepThatGivesAsksForManyPairsAtOnce) {
  storage::MemoryStore store;
  FanOutBench bench(store);
  JoinAll(bench);
  ExpectFewReadsOfAStep(bench);
}

TEST(FanOutReads, AStepThatTakesAwayAsksForManyPairsAtOnce) {
  storage::MemoryStore store;
  FanOutBench bench(store);
  JoinAll(bench);
  bench.RunAll();
  bench.Change([](RecordStore& records) { return records.Put(GroupRecord(0, {})).status(); });
  ExpectFewReadsOfAStep(bench);
}

TEST(FanOutReads, NewVisitsOfOneChangeAskAFewTimesEach) {
  constexpr int kVisits = 60;
  constexpr int kTheirCarers = 6;
  storage::MemoryStore store;
  FanOutBench bench(store);
  bench.Change([](RecordStore& records) -> absl::Status {
    for (int i = 0; i < kTheirCarers; ++i) RETURN_IF_ERROR(records.Put(CarerRecord(i)).status());
    for (int i = 0; i < kVisits; ++i) RETURN_IF_ERROR(records.Put(ServiceUserRecord(i)).status());
    return absl::OkStatus();
  });
  const std::unique_ptr<storage::Snapshot> snapshot = bench.Snapshot();
  const fakes::CountingReader reader(*snapshot);
  const commit::RememberedBase base(reader);
  commit::Transaction transaction(base, bench.tenant(), bench.head() + 1, absl::FromUnixSeconds(1'700'001'000));
  RecordStore records(transaction);
  for (int i = 0; i < kVisits; ++i) ASSERT_TRUE(records.Put(VisitRecord(i, i, {i % kTheirCarers})).ok());
  // After the visit and its service user, what hangs on each, and the place of each in the carer's feed; and what is
  // asked once of each carer, and once.
  EXPECT_LE(reader.calls(), 6u * kVisits + 8u * kTheirCarers + 4);
}

// One carer's own grants, by visits, are few rows or more than are read to find all holders.
TEST(FanOutReads, WhoHoldsARecordOtherwiseKeepsItHoweverManyRowsSaySo) {
  for (const int visits : {0, 1, 255, 256}) {
    storage::MemoryStore store;
    FanOutBench bench(store);
    bench.Change([](RecordStore& records) -> absl::Status {
      for (int carer = 0; carer < 4; ++carer) RETURN_IF_ERROR(records.Put(CarerRecord(carer)).status());
      RETURN_IF_ERROR(records.Put(ServiceUserRecord(0)).status());
      RETURN_IF_ERROR(records.Put(GroupRecord(0, {0, 1, 2, 3})).status());
      return records.SetAccess(KeyOf(ServiceUserName(0)), {GroupHolderOf(0)}).status();
    });
    bench.Change([visits](RecordStore& records) -> absl::Status {
      for (int visit = 0; visit < visits; ++visit) {
        RETURN_IF_ERROR(records.Put(VisitRecord(visit, 0, {2})).status());
      }
      return absl::OkStatus();
    });
    bench.RunAll();
    bench.Change([](RecordStore& records) { return records.Put(GroupRecord(0, {})).status(); });
    bench.RunAll();
    for (int carer = 0; carer < 4; ++carer) {
      const auto seen = fakes::SeenBy(*bench.Snapshot(), bench.tenant(), CarerFeed(carer));
      EXPECT_EQ(seen.contains(ServiceUserName(0)), carer == 2 && visits > 0) << carer << " with " << visits;
    }
  }
}

}  // namespace
}  // namespace caresync::records

// In what order the parts of a large change run, and what comes between them.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/fan_out.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/feeds.h"
#include "tests/records/fan_out_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

std::vector<int> Numbers(int first, int count) {
  std::vector<int> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(FanOutOrder, WhatIsTakenAwayGoesBeforeWhatIsGiven) {
  storage::MemoryStore store;
  FanOutBench bench(store, {.moved = 4, .looked = 16, .rows = 20'000});
  const auto seeing = [&bench](int first) {
    size_t carers = 0;
    for (const int carer : Numbers(first, 10)) {
      const auto seen = fakes::SeenBy(*bench.Snapshot(), bench.tenant(), CarerFeed(carer));
      carers += seen.contains(ServiceUserName(0)) ? 1 : 0;
    }
    return carers;
  };
  bench.Change([](RecordStore& records) -> absl::Status {
    for (const int carer : Numbers(0, 20)) RETURN_IF_ERROR(records.Put(CarerRecord(carer)).status());
    RETURN_IF_ERROR(records.Put(ServiceUserRecord(0)).status());
    RETURN_IF_ERROR(records.Put(GroupRecord(0, Numbers(0, 10))).status());
    RETURN_IF_ERROR(records.Put(GroupRecord(1, Numbers(10, 10))).status());
    return records.SetAccess(KeyOf(ServiceUserName(0)), {GroupHolderOf(0)}).status();
  });
  bench.RunAll();
  EXPECT_EQ(seeing(0), 10u);
  bench.Change(
      [](RecordStore& records) { return records.SetAccess(KeyOf(ServiceUserName(0)), {GroupHolderOf(1)}).status(); });
  const size_t before = bench.steps();
  ASSERT_GE(bench.FanOuts().size(), 2u);
  while (!bench.FanOuts().empty()) {
    bench.RunStep(bench.FanOuts().front());
    EXPECT_FALSE(seeing(0) > 0 && seeing(10) > 0) << "after " << bench.steps() - before << " steps";
  }
  EXPECT_GT(bench.steps() - before, 2u);
  EXPECT_EQ(seeing(0), 0u);
  EXPECT_EQ(seeing(10), 10u);
}

// Carers are walked over many at a time: each record for all of them, then the next record. A task that an older server
// left in the middle has walked over the records of its first carer.
TEST(FanOutOrder, ATaskOfAnOlderServerIsInTheMiddleOfItsFirstCarerOnly) {
  storage::MemoryStore store;
  FanOutBench bench(store, {.moved = 4, .looked = 16, .rows = 20'000});
  bench.Change([](RecordStore& records) -> absl::Status {
    for (const int carer : Numbers(0, 3)) RETURN_IF_ERROR(records.Put(CarerRecord(carer)).status());
    for (const int one : Numbers(0, 6)) RETURN_IF_ERROR(records.Put(ServiceUserRecord(one)).status());
    return records.Put(GroupRecord(0, {})).status();
  });
  bench.Change([](RecordStore& records) -> absl::Status {
    for (const int one : Numbers(0, 6)) {
      RETURN_IF_ERROR(records.SetAccess(KeyOf(ServiceUserName(one)), {GroupHolderOf(0)}).status());
    }
    return absl::OkStatus();
  });
  bench.RunAll();
  bench.Change([](RecordStore& records) { return records.Put(GroupRecord(0, Numbers(0, 3))).status(); });
  ASSERT_EQ(bench.FanOuts().size(), 1u);
  const std::string key = bench.FanOuts().front();
  auto task = *base::ParseStored<store::Task>(**bench.Snapshot()->Get(storage::Space::kRecords, key));
  auto fan_out = *base::ParseStored<store::FanOut>(task.payload());
  std::string last;
  for (const int one : Numbers(0, 6)) last = std::max(last, KeyOf(ServiceUserName(one)).bytes);
  fan_out.mutable_of_members()->clear_together();
  fan_out.clear_done_holder();
  fan_out.set_done_record(last);
  task.set_payload(fan_out.SerializeAsString());
  storage::Commit older;
  older.writes.push_back({storage::Space::kRecords, key, task.SerializeAsString()});
  ASSERT_EQ(fakes::CommitAndWait(store, std::move(older)).outcome, storage::CommitOutcome::kCommitted);
  bench.RunAll();
  const base::RecordKey done{fan_out.of_members().carers(0)};
  for (const int carer : Numbers(0, 3)) {
    if (CarerOf(CarerFeed(carer)) == done) continue;
    EXPECT_EQ(fakes::SeenBy(*bench.Snapshot(), bench.tenant(), CarerFeed(carer)).size(), 7u) << carer;
  }
}

// A record is settled together with what hangs on it, or not at all: where a step has no room for all of it, the
// carer's feed is as it was, head row and all, and the next step goes on with that carer.
TEST(FanOutOrder, AStepWithoutRoomForAllThatHangsOnARecordLeavesItToTheNext) {
  storage::MemoryStore store;
  // A service user with three care plans comes to four entries: room for one carer's, and for some of the next one's.
  FanOutBench bench(store, {.moved = 6, .looked = 64, .rows = 20'000});
  bench.Change([](RecordStore& records) -> absl::Status {
    for (const int carer : Numbers(0, 3)) RETURN_IF_ERROR(records.Put(CarerRecord(carer)).status());
    RETURN_IF_ERROR(records.Put(ServiceUserRecord(0)).status());
    for (const int plan : Numbers(0, 3)) RETURN_IF_ERROR(records.PutCarePlan(PlanRecord(plan, 0)).status());
    RETURN_IF_ERROR(records.Put(GroupRecord(0, {})).status());
    return records.SetAccess(KeyOf(ServiceUserName(0)), {GroupHolderOf(0)}).status();
  });
  bench.RunAll();
  bench.Change([](RecordStore& records) { return records.Put(GroupRecord(0, Numbers(0, 3))).status(); });
  ASSERT_EQ(bench.FanOuts().size(), 1u);
  const size_t before = bench.steps();
  // Reading a feed dies where its entries and its head row disagree.
  const auto seen_by = [&bench](int carer) {
    return fakes::SeenBy(*bench.Snapshot(), bench.tenant(), CarerFeed(carer)).size();
  };
  while (!bench.FanOuts().empty()) {
    bench.RunStep(bench.FanOuts().front());
    for (const int carer : Numbers(0, 3)) {
      const size_t seen = seen_by(carer);
      EXPECT_TRUE(seen == 1 || seen == 5) << seen << " by " << carer << " after step " << bench.steps() - before;
    }
  }
  EXPECT_EQ(bench.steps() - before, 3u);
  for (const int carer : Numbers(0, 3)) EXPECT_TRUE(seen_by(carer) == 5 && !bench.MustWait(carer)) << carer;
}

// A group of more carers than one commit may touch entries.
class FanOutOrderTest : public testing::Test {
 protected:
  static constexpr int kMembers = 9'000;

  void SetUp() override {
    engine_.CreateTenant(tenant_);
    for (int first = 1; first <= kMembers; first += 500) {
      std::vector<store::Record> carers;
      for (const int carer : Numbers(first, 500)) carers.push_back(CarerRecord(carer));
      PutAll(engine_, tenant_, carers);
    }
    PutAll(engine_, tenant_, {ServiceUserRecord(1), ServiceUserRecord(2), GroupRecord(1, Numbers(1, kMembers))});
  }

  // Gives the group a service user; the change is committed, and nothing after it has run.
  void GiveAlone() {
    bool done = false;
    engine_.sequencer().Submit(
        tenant_,
        [](commit::Transaction& transaction) {
          return RecordStore(transaction).SetAccess(KeyOf(ServiceUserName(1)), {GroupHolderOf(1)}).status();
        },
        [&done](const absl::StatusOr<commit::Committed>& given) { done = given.ok(); });
    while (!done) ASSERT_TRUE(engine_.executor().RunOne());
  }

  bool Sees(const fakes::Engine& engine, int carer) const {
    return fakes::SeenBy(*engine.Snapshot(), tenant_, CarerFeed(carer)).contains(ServiceUserName(1));
  }
  bool Waits(fakes::Engine& engine, int carer) const {
    return *MustWait(*engine.Snapshot(), tenant_, CarerFeed(carer), engine.clock().Now());
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(FanOutOrderTest, OtherChangesCommitBetweenItsStepsEachOfWhichIsARevision) {
  GiveAlone();
  const base::Revision given = engine_.Head(tenant_);
  while (engine_.Head(tenant_) == given) ASSERT_TRUE(engine_.executor().RunOne());
  base::Revision other = 0;
  engine_.sequencer().Submit(
      tenant_,
      [](commit::Transaction& transaction) {
        return RecordStore(transaction).Put(ServiceUserRecord(2, "Mary")).status();
      },
      [&other](const absl::StatusOr<commit::Committed>& put) { other = put.ok() ? put->head.revision : 0; });
  engine_.executor().RunAll();
  EXPECT_GT(other, given + 1);
  EXPECT_LT(other, engine_.Head(tenant_));
  const int steps = (kMembers - 1) / static_cast<int>(base::limits::kFanOutStepEntries) + 1;
  EXPECT_GE(engine_.Head(tenant_), given + 1 + static_cast<base::Revision>(steps));
  for (const int carer : {1, kMembers}) EXPECT_TRUE(Sees(engine_, carer) && !Waits(engine_, carer)) << carer;
}

TEST_F(FanOutOrderTest, OneThatIsUnfinishedGoesOnAfterARestart) {
  GiveAlone();
  while (!Sees(engine_, 1) && !Sees(engine_, kMembers)) ASSERT_TRUE(engine_.executor().RunOne());
  ASSERT_NE(Sees(engine_, 1), Sees(engine_, kMembers));
  ASSERT_TRUE(Waits(engine_, 1) && Waits(engine_, kMembers));
  fakes::Engine restarted(engine_.memory().Copy(), 2);
  for (const int carer : {1, kMembers / 2, kMembers}) {
    EXPECT_TRUE(Sees(restarted, carer) && !Waits(restarted, carer)) << carer;
  }
}

}  // namespace
}  // namespace caresync::records

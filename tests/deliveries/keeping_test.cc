#include "server/deliveries/keeping.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/marks.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
using storage::Space;
using store::CopyMark;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
constexpr size_t kAll = 10'000;
constexpr absl::Duration kDay = absl::Hours(24);

// A tenant that keeps for a week; a carer with a service user.
class KeepingTest : public testing::Test {
 protected:
  KeepingTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    v1::UpdateTenantRequest request;
    request.set_tenant_id(kTenant.text());
    request.mutable_deliveries_kept()->set_seconds(absl::ToInt64Seconds(7 * kDay));
    const auto update = [&](commit::Transaction& transaction) {
      return tenants::UpdateTenant(transaction, request).status();
    };
    EXPECT_TRUE(engine_.Run(kTenant, update).ok());
  }

  void Change(const std::string& notes, bool cancelled = false) {
    v1::RosterChange change = fakes::VisitChange("v1", "p1", {"c1"});
    change.mutable_visit()->set_notes(notes);
    change.mutable_visit()->set_cancelled(cancelled);
    engine_.ApplyChanges(kTenant, "rota", {change});
  }
  // So much time, and what the task does then.
  void Pass(absl::Duration time) {
    engine_.clock().SetNow(engine_.clock().Now() + time);
    engine_.Advance(absl::Hours(3));
  }
  void Put(CopyMark::Kind kind, uint64_t number, base::Revision held, bool whole) {
    Mark mark;
    mark.number = number;
    mark.row.set_kind(kind);
    mark.row.set_time_us(base::ToStoredTime(engine_.clock().Now()));
    mark.row.set_timeline("timeline");
    mark.row.set_revision(held);
    const feed::Position position = whole ? feed::Position::EndOf(held) : feed::Position{held, {"visit"}};
    mark.row.set_position_revision(position.revision);
    mark.row.set_position_record(position.record.bytes);
    storage::Commit commit;
    AddMark(commit, kTenant, kDevice, carer_, mark);
    EXPECT_EQ(fakes::CommitAndWait(engine_.memory(), std::move(commit)).outcome, storage::CommitOutcome::kCommitted);
  }
  std::vector<uint64_t> Marks() const {
    std::vector<uint64_t> numbers;
    const auto marks = ReadMarks(*engine_.Snapshot(), kTenant, kDevice, carer_, 0, kAll);
    EXPECT_TRUE(marks.ok());
    for (const Mark& mark : *marks) numbers.push_back(mark.number);
    return numbers;
  }
  std::vector<Entry> Entries() const {
    return *ReadEntries(*engine_.Snapshot(), kTenant, carer_, feed::Position(), kAll);
  }
  size_t Count(const storage::KeyRange& range) const {
    size_t rows = 0;
    EXPECT_TRUE(engine_.Snapshot()
                    ->Scan(Space::kRecords, range, kAll,
                           [&rows](std::string_view, std::string_view) {
                             ++rows;
                             return true;
                           })
                    .ok());
    return rows;
  }
  // What the row holds can no longer be read.
  void Damage(Space space, const std::string& key) {
    EXPECT_EQ(fakes::CommitAndWait(engine_.memory(), fakes::PutOf(space, key, "\xff")).outcome,
              storage::CommitOutcome::kCommitted);
  }
  base::Revision Horizon() const { return *ReadHorizon(*engine_.Snapshot(), kTenant); }

  fakes::Engine engine_{1, fakes::Mismatches::kNotedWithDeliveries};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(KeepingTest, WhatWasSupersededLongAgoIsLetGoOf) {
  Change("first");
  Pass(kDay);
  Change("second");
  EXPECT_EQ(Entries().size(), 2u);
  Pass(8 * kDay);
  ASSERT_EQ(Entries().size(), 1u);
  const base::Revision second = Entries()[0].revision;
  EXPECT_EQ(Horizon(), second);
  Change("third");
  Pass(kDay);
  ASSERT_EQ(Entries().size(), 2u) << "what was superseded yesterday is kept";
  EXPECT_EQ(Entries()[0].revision, second);
  EXPECT_EQ(Horizon(), second);
  EXPECT_EQ(Count(keys::AllVisitEntriesByVisit(kTenant, "")), 2u);
  EXPECT_EQ(Count(keys::AllVisitEntriesByRevision(kTenant, "")), 2u);
}

TEST_F(KeepingTest, OfAVisitThatIsGoneNothingIsLeft) {
  Change("first");
  Change("first", true);
  const base::Revision gone = Entries().back().revision;
  Pass(6 * kDay);
  EXPECT_EQ(Entries().size(), 2u);
  Pass(2 * kDay);
  EXPECT_TRUE(Entries().empty());
  EXPECT_EQ(Count(keys::AllVisitEntriesByVisit(kTenant, "")), 0u);
  EXPECT_EQ(Count(keys::AllVisitEntriesByRevision(kTenant, "")), 0u);
  EXPECT_EQ(Horizon(), gone);
}

TEST_F(KeepingTest, AVisitThatHasNotChangedStaysHoweverOld) {
  Change("first");
  Pass(30 * kDay);
  EXPECT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Horizon(), 0u);
}

TEST_F(KeepingTest, OfACopyTheLastMarkThatStandsAloneStaysAndWhatFollowedIt) {
  Change("first");
  Put(CopyMark::SWAPPED, 1, 5, true);
  Put(CopyMark::APPLIED, 2, 6, false);
  Put(CopyMark::APPLIED, 3, 7, true);
  Put(CopyMark::APPLIED, 4, 8, false);
  Pass(8 * kDay);
  EXPECT_EQ(Marks(), (std::vector<uint64_t>{3, 4}));
  Put(CopyMark::EMPTY, 5, 0, false);
  Pass(kDay);
  EXPECT_EQ(Marks(), (std::vector<uint64_t>{3, 4, 5}));
  Pass(8 * kDay);
  EXPECT_EQ(Marks(), (std::vector<uint64_t>{5}));
}

TEST_F(KeepingTest, ManyAreLetGoOfInSteps) {
  Change("first");
  const size_t count = 2 * base::limits::kDeliveriesLetGo + 100;
  for (size_t i = 1; i <= count; ++i) Put(CopyMark::APPLIED, i, i, true);
  Pass(8 * kDay);
  EXPECT_EQ(Marks(), (std::vector<uint64_t>{count}));
}

TEST_F(KeepingTest, WhatWasToldLongAgoIsLetGoOf) {
  Change("first");
  const auto tell = [](commit::Transaction& transaction) { return TellMarks(transaction).status(); };
  Put(CopyMark::APPLIED, 1, 5, true);
  ASSERT_TRUE(engine_.Run(kTenant, tell).ok());
  Pass(4 * kDay);
  Put(CopyMark::APPLIED, 2, 6, true);
  ASSERT_TRUE(engine_.Run(kTenant, tell).ok());
  EXPECT_EQ(Count(keys::ToldMarks(kTenant, "")), 2u);
  Pass(4 * kDay);
  EXPECT_EQ(Count(keys::ToldMarks(kTenant, "")), 1u);
}

TEST_F(KeepingTest, ATaskThatIsLostIsPutAgainByTheNextEntry) {
  Change("first");
  Pass(absl::ZeroDuration());
  const auto lose = [](commit::Transaction& transaction) -> absl::Status {
    std::string task;
    const absl::Status read = transaction.Scan(Space::kRecords, keys::AllTasks(transaction.tenant()), kAll,
                                               [&task](std::string_view key, std::string_view) {
                                                 int64_t due_us = 0;
                                                 std::string id;
                                                 EXPECT_TRUE(keys::ParseTask(key, &due_us, &id));
                                                 if (id == kKeepTask) task = std::string(key);
                                                 return true;
                                               });
    EXPECT_FALSE(task.empty());
    transaction.Delete(Space::kRecords, task);
    return read;
  };
  ASSERT_TRUE(engine_.Run(kTenant, lose).ok());
  Change("second");
  Pass(9 * kDay);
  EXPECT_EQ(Entries().size(), 2u) << "nothing looks";
  Change("third");
  Pass(absl::ZeroDuration());
  EXPECT_EQ(Entries().size(), 2u) << "the first one has gone";
}

TEST_F(KeepingTest, ADamagedRowOfTheTaskHoldsNoRotaUpAndOfWhatWasBeforeNothingIsClaimed) {
  Change("first");
  Damage(Space::kRecords, keys::Keeping(kTenant));
  Change("second");
  ASSERT_EQ(Entries().size(), 2u);
  EXPECT_EQ(Horizon(), Entries()[1].revision);
  Pass(9 * kDay);
  EXPECT_EQ(Entries().size(), 1u) << "the task runs";
}

TEST_F(KeepingTest, AClockThatWasAheadBringsNoVisitBackThatIsGone) {
  Change("first");
  const absl::Time right = engine_.clock().Now();
  engine_.clock().SetNow(right + 3 * kDay);
  Change("second");
  engine_.clock().SetNow(right + absl::Hours(1));
  Change("second", true);
  const base::Revision gone = Entries().back().revision;
  Pass(8 * kDay);
  EXPECT_TRUE(Entries().empty());
  EXPECT_EQ(Horizon(), gone);
}

TEST_F(KeepingTest, ARowThatCannotBeReadHoldsNoOtherUp) {
  Change("first");
  const Entry first = Entries().front();
  Put(CopyMark::APPLIED, 1, 5, true);
  Put(CopyMark::APPLIED, 2, 6, true);
  Put(CopyMark::APPLIED, 3, 7, true);
  const auto tell = [](commit::Transaction& transaction) { return TellMarks(transaction).status(); };
  const absl::StatusOr<commit::Committed> told = engine_.Run(kTenant, tell);
  ASSERT_TRUE(told.ok());
  Change("second");
  Damage(Space::kRecords, keys::VisitEntry(kTenant, carer_, first.revision, first.visit));
  Damage(Space::kDevices, keys::CopyMark(kTenant, kDevice, carer_, 2));
  Damage(Space::kRecords, keys::ToldMark(kTenant, told->head.revision, 1));
  Pass(8 * kDay);
  EXPECT_EQ(Count(keys::AllVisitEntriesByVisit(kTenant, "")), 1u);
  EXPECT_EQ(Horizon(), Entries().front().revision);
  EXPECT_EQ(Marks(), (std::vector<uint64_t>{3}));
  EXPECT_EQ(Count(keys::ToldMarks(kTenant, "")), 0u);
}

}  // namespace
}  // namespace caresync::deliveries

#include "server/mismatch/mismatch_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using storage::Space;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

store::VisitPart PartAt(absl::Time start) {
  store::VisitPart part;
  part.set_start_us(Us(start));
  part.set_end_us(Us(start + absl::Hours(1)));
  return part;
}

// Changed at 06:00, of a visit at 09:00, due at 06:20.
store::Mismatch Pending() {
  store::Mismatch row;
  *row.mutable_now() = PartAt(At(9));
  row.set_first_change_us(Us(At(6)));
  row.set_last_change_us(Us(At(6)));
  row.set_due_us(Us(At(6, 20)));
  return row;
}

store::Mismatch Open() {
  store::Mismatch row = Pending();
  row.set_state(store::Mismatch::OPEN);
  row.set_due_us(0);
  row.set_opened_us(Us(At(6, 20)));
  return row;
}

store::Mismatch Resolved(absl::Time when) {
  store::Mismatch row = Open();
  row.set_state(store::Mismatch::RESOLVED);
  row.set_ended_us(Us(when));
  return row;
}

class MismatchRowsTest : public testing::Test {
 protected:
  // Nothing that follows from it runs.
  void Put(int carer, int visit, const store::Mismatch& row) {
    bench_.RunAlone([&](commit::Transaction& transaction) -> absl::Status {
      const CarerVisit of = MismatchBench::Of(carer, visit);
      const auto old = GetMismatch(transaction, bench_.tenant(), of);
      if (!old.ok()) return old.status();
      return PutMismatch(transaction, of, *old, row);
    });
  }
  // When it is to be looked at, as the index says; there is one row.
  absl::Time LookOf(int carer, int visit) const {
    const fakes::Rows rows =
        fakes::RowsOf(*bench_.Snapshot(), Space::kRecords, base::keys::AllMismatchLooks(bench_.tenant(), ""));
    EXPECT_EQ(rows.size(), 1u);
    int64_t look = 0;
    CarerVisit of;
    EXPECT_TRUE(base::keys::ParseMismatchLook(rows.front().first, &look, &of.carer, &of.visit));
    EXPECT_EQ(of, MismatchBench::Of(carer, visit));
    return absl::FromUnixMicros(look);
  }
  // Whether whoever watches hears of it when it is written so.
  bool IsTold(int carer, int visit, const store::Mismatch& row) {
    bool is_told = false;
    bench_.RunAlone([&](commit::Transaction& transaction) -> absl::Status {
      const CarerVisit of = MismatchBench::Of(carer, visit);
      const auto old = GetMismatch(transaction, bench_.tenant(), of);
      if (!old.ok()) return old.status();
      const absl::Status status = PutMismatch(transaction, of, *old, row);
      is_told = testing::Value(transaction.Announced(), testing::Contains(MismatchTopic()));
      return status;
    });
    return is_told;
  }
  // Where they lie in the order in which they are told.
  size_t CountTold() const {
    return fakes::RowsOf(*bench_.Snapshot(), Space::kRecords, base::keys::ToldMismatches(bench_.tenant(), "")).size();
  }
  std::string KeyOf(int carer, int visit, const store::Mismatch& row) const {
    return ListedKey(bench_.tenant(), MismatchBench::Of(carer, visit), row);
  }

  MismatchBench bench_;
};

TEST_F(MismatchRowsTest, OneThatNobodyWasToldOfIsLookedAtWhenItIsDueAndIsInNoList) {
  Put(1, 1, Pending());
  EXPECT_EQ(LookOf(1, 1), At(6, 20));
  EXPECT_EQ(bench_.Get(1, 1).look_us(), Us(At(6, 20)));
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(false), 0u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
}

TEST_F(MismatchRowsTest, OneThatIsNotWaitedForIsLookedAtWhenItsVisitIsOver) {
  store::Mismatch row = Pending();
  row.set_due_us(0);
  Put(1, 1, row);
  EXPECT_EQ(LookOf(1, 1), At(10));
}

TEST_F(MismatchRowsTest, AnOpenOneIsAmongTheOpenOnesAndListed) {
  Put(1, 1, Open());
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  EXPECT_EQ(bench_.CountListed(false), 1u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
  EXPECT_TRUE(fakes::ValueOf(bench_.store(), Space::kRecords, KeyOf(1, 1, bench_.Get(1, 1))).has_value());
}

TEST_F(MismatchRowsTest, IndexRowsMoveWithTheRow) {
  Put(1, 1, Pending());
  Put(1, 1, Open());
  Put(1, 1, Resolved(At(7)));
  EXPECT_EQ(bench_.CountLooks(), 1u);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(false), 0u);
  EXPECT_EQ(bench_.CountListed(true), 1u);
  store::Mismatch moved = Open();
  *moved.mutable_now() = PartAt(At(13));
  Put(1, 1, moved);
  EXPECT_EQ(bench_.CountLooks(), 1u);
  EXPECT_EQ(bench_.CountOpen(), 1u);
  EXPECT_EQ(bench_.CountListed(false), 1u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
}

TEST_F(MismatchRowsTest, AResolvedOneThatChangedAgainIsWaitedForAndStaysListed) {
  store::Mismatch row = Resolved(At(7));
  row.set_due_us(Us(At(7, 30)));
  Put(1, 1, row);
  EXPECT_EQ(LookOf(1, 1), At(7, 30));
  EXPECT_EQ(bench_.CountListed(true), 1u);
  EXPECT_EQ(bench_.CountOpen(), 0u);
}

TEST_F(MismatchRowsTest, NothingIsLeftOfOneThatIsDeleted) {
  for (const store::Mismatch& row : {Pending(), Open(), Resolved(At(7))}) {
    Put(1, 1, row);
    bench_.RunAlone([&](commit::Transaction& transaction) {
      DeleteMismatch(transaction, MismatchBench::Of(1, 1), bench_.Get(1, 1));
      return absl::OkStatus();
    });
    EXPECT_EQ(bench_.Find(1, 1), std::nullopt);
    EXPECT_EQ(bench_.CountLooks(), 0u);
    EXPECT_EQ(bench_.CountOpen(), 0u);
    EXPECT_EQ(bench_.CountListed(false), 0u);
    EXPECT_EQ(bench_.CountListed(true), 0u);
    EXPECT_EQ(CountTold(), 0u);
  }
}

TEST_F(MismatchRowsTest, IsToldWhereWhatPeopleSeeOfItChangesAndNeverBeforeItIsOpen) {
  EXPECT_FALSE(IsTold(1, 1, Pending()));
  EXPECT_EQ(CountTold(), 0u);
  EXPECT_TRUE(IsTold(1, 1, Open()));
  const base::Revision opened = bench_.Get(1, 1).told_revision();
  EXPECT_EQ(opened, bench_.Head());
  store::Mismatch again = Open();
  again.set_again_us(Us(At(7)));
  EXPECT_FALSE(IsTold(1, 1, again));
  EXPECT_EQ(bench_.Get(1, 1).told_revision(), opened);
  EXPECT_TRUE(IsTold(1, 1, Resolved(At(7))));
  EXPECT_EQ(bench_.Get(1, 1).told_revision(), bench_.Head());
  store::Mismatch due = Resolved(At(7));
  due.set_due_us(Us(At(8)));
  EXPECT_FALSE(IsTold(1, 1, due));
  EXPECT_EQ(CountTold(), 1u);
}

TEST_F(MismatchRowsTest, OpenOnesLieByTheStartThatCountsAndResolvedOnesTheLastFirst) {
  const auto with_rank = [this](int visit, const store::Mismatch& row) {
    Put(1, visit, row);
    return KeyOf(1, visit, bench_.Get(1, visit));
  };
  store::Mismatch later = Open();
  *later.mutable_now() = PartAt(At(11));
  store::Mismatch moved = Open();
  *moved.mutable_acknowledged() = PartAt(At(8));
  *moved.mutable_now() = PartAt(At(15));
  const std::string nine = with_rank(1, Open());
  const std::string eleven = with_rank(2, later);
  const std::string eight = with_rank(3, moved);
  EXPECT_LT(eight, nine);
  EXPECT_LT(nine, eleven);
  const std::string at_seven = with_rank(4, Resolved(At(7)));
  const std::string at_eight = with_rank(5, Resolved(At(8)));
  EXPECT_LT(at_eight, at_seven);
}

// It is six.
TEST_F(MismatchRowsTest, OpenOnesWhoseVisitIsOverLieBehindTheOthersTheLastFirstAndBeforeTheSnoozedOnes) {
  const auto key_of = [this](int visit, absl::Time start, store::Mismatch row) {
    *row.mutable_now() = PartAt(start);
    Put(1, visit, row);
    return KeyOf(1, visit, bench_.Get(1, visit));
  };
  store::Mismatch snoozed = Open();
  snoozed.set_state(store::Mismatch::SNOOZED);
  snoozed.set_snoozed_until_us(Us(At(7)));
  const std::string years_ahead = key_of(1, At(24 * 3'000), Open());
  const std::string at_four = key_of(2, At(4), Open());
  const std::string at_three = key_of(3, At(3), Open());
  const std::string put_off = key_of(4, At(2), snoozed);
  EXPECT_LT(years_ahead, at_four);
  EXPECT_LT(at_four, at_three);
  EXPECT_LT(at_three, put_off);
  EXPECT_FALSE(bench_.Get(1, 1).over());
  EXPECT_TRUE(bench_.Get(1, 2).over());
  EXPECT_FALSE(bench_.Get(1, 4).over());
  EXPECT_EQ(bench_.Get(1, 3).look_us(), Us(At(4) + limits::kMismatchKept));
}

TEST_F(MismatchRowsTest, AnOpenOneIsLookedAtWhenItsVisitIsOver) {
  Put(1, 1, Open());
  EXPECT_EQ(LookOf(1, 1), At(10));
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_TRUE(IsInItsPlace(row, At(9)));
  EXPECT_FALSE(IsInItsPlace(row, At(10)));
}

TEST_F(MismatchRowsTest, TheTaskRunsWhenTheFirstIsToBeLookedAt) {
  store::Mismatch row = Pending();
  row.set_due_us(Us(At(6, 30)));
  Put(1, 1, row);
  EXPECT_EQ(bench_.Looks().next_due_us(), Us(At(6, 30)));
  Put(1, 2, Pending());
  EXPECT_EQ(bench_.Looks().next_due_us(), Us(At(6, 20)));
  row.set_due_us(Us(At(6, 40)));
  Put(1, 3, row);
  EXPECT_EQ(bench_.Looks().next_due_us(), Us(At(6, 20)));
  size_t tasks = 0;
  for (const auto& [key, value] :
       fakes::RowsOf(*bench_.Snapshot(), Space::kRecords, base::keys::AllTasks(bench_.tenant()))) {
    store::Task task;
    ASSERT_TRUE(task.ParseFromString(value));
    if (task.kind() != kLookTask) continue;
    ++tasks;
    EXPECT_EQ(task.payload(), std::to_string(Us(At(6, 20))));
  }
  EXPECT_EQ(tasks, 1u);
}

TEST_F(MismatchRowsTest, TheLooksOfATenantWithoutMismatchesAreZeroAndPutAsNoRow) {
  EXPECT_EQ(bench_.Looks().SerializeAsString(), "");
  const std::string key = base::keys::MismatchLooks(bench_.tenant());
  EXPECT_EQ(fakes::ValueOf(bench_.store(), Space::kRecords, key), std::nullopt);
  const auto put = [this](const store::MismatchLooks& looks) {
    bench_.RunAlone([&](commit::Transaction& transaction) {
      PutLooks(transaction, looks);
      return absl::OkStatus();
    });
  };
  store::MismatchLooks looks;
  looks.set_next_due_us(Us(At(6, 20)));
  looks.set_sweeping(true);
  put(looks);
  EXPECT_TRUE(bench_.Looks().sweeping());
  put({});
  EXPECT_EQ(fakes::ValueOf(bench_.store(), Space::kRecords, key), std::nullopt);
}

// ---- When nothing is said of it any more

TEST(EndOfMismatchTest, IsWhenTheVisitIsOverWhicheverOfItsTimesCounts) {
  store::Mismatch row;
  *row.mutable_acknowledged() = PartAt(At(9));
  EXPECT_EQ(EndOf(row), At(10));
  *row.mutable_now() = PartAt(At(14));
  EXPECT_EQ(EndOf(row), At(15));
  *row.mutable_now() = PartAt(At(7));
  EXPECT_EQ(EndOf(row), At(10));
  row.clear_now();
  *row.mutable_withdrawn() = PartAt(At(19));
  EXPECT_EQ(EndOf(row), At(20));
}

TEST(EndOfMismatchTest, IsThirtyDaysLaterOfOneThatWasEverOpen) {
  EXPECT_EQ(EndOf(Open()), At(10) + limits::kMismatchKept);
  EXPECT_EQ(EndOf(Resolved(At(7))), At(10) + limits::kMismatchKept);
}

// ---- Rows that cannot be read

TEST_F(MismatchRowsTest, OneThatCannotBeReadOrTellsOfNothingIsDamage) {
  Put(1, 1, Pending());
  const std::string key = base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1));
  store::Mismatch about_nothing = Pending();
  about_nothing.clear_now();
  store::Mismatch at_no_time = Pending();
  at_no_time.mutable_now()->set_start_us(std::numeric_limits<int64_t>::max());
  for (const std::string& bytes :
       {std::string("\xFF\xFF"), about_nothing.SerializeAsString(), at_no_time.SerializeAsString()}) {
    bench_.RunAlone([&](commit::Transaction& transaction) {
      transaction.Put(Space::kRecords, key, bytes);
      return absl::OkStatus();
    });
    const auto read = GetMismatch(*bench_.Snapshot(), bench_.tenant(), MismatchBench::Of(1, 1));
    EXPECT_EQ(base::Reason(read.status()), "DAMAGED_ROW");
  }
}

TEST_F(MismatchRowsTest, TenantsHaveTheirOwn) {
  Put(1, 1, Open());
  const auto other = GetMismatch(*bench_.Snapshot(), fakes::Tenant("acme2"), MismatchBench::Of(1, 1));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(*other, std::nullopt);
}

// ---- The clock

TEST(NoteClockTest, OneThatIsKeptRightIsNotSetBack) {
  store::MismatchLooks looks;
  EXPECT_FALSE(NoteClock(At(6), looks));
  EXPECT_FALSE(NoteClock(At(6) - limits::kMismatchClockSlack, looks));
  EXPECT_FALSE(NoteClock(At(6), looks));
  EXPECT_FALSE(looks.retiming());
}

TEST(NoteClockTest, OneThatWasAheadTimesAnewWhatWaits) {
  store::MismatchLooks looks;
  EXPECT_FALSE(NoteClock(At(24), looks));
  EXPECT_TRUE(NoteClock(At(6), looks));
  EXPECT_TRUE(looks.retiming());
  EXPECT_TRUE(looks.set_back());
  EXPECT_FALSE(NoteClock(At(6), looks)) << "once";
}

TEST(NoteClockTest, WhereAllIsTimedAnewAlreadyThatBeginsAgain) {
  store::MismatchLooks looks;
  NoteClock(At(24), looks);
  looks.set_retiming(true);
  looks.set_retimed("so far");
  EXPECT_TRUE(NoteClock(At(6), looks));
  EXPECT_TRUE(looks.retiming());
  EXPECT_FALSE(looks.set_back());
  EXPECT_EQ(looks.retimed(), "");
}

}  // namespace
}  // namespace caresync::mismatch

// What the rider notes of the visits that a commit changes.
#include "server/mismatch/visit_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/record_store.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using storage::Space;
using testing::ElementsAre;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }
int64_t StartOf(const store::VisitPart& part) { return part.start_us(); }

class VisitChangesTest : public testing::Test {
 protected:
  bool IsNoted(int carer, int visit) const { return bench_.Find(carer, visit).has_value(); }

  // A visit of carer 1 that the device in use holds; nothing is waited for, as after it was looked at when it was due.
  void PutAcknowledged(const store::Record& visit) {
    bench_.SignIn(1, 1);
    bench_.Put({visit});
    bench_.AcknowledgeAll(1, 1);
    bench_.Advance(limits::kMismatchGrace);
    ASSERT_EQ(bench_.Get(1, 1).due_us(), 0);
  }

  MismatchBench bench_;
};

// ---- What a change is

TEST_F(VisitChangesTest, ANewVisitCommitsAPendingRowWithIt) {
  const base::Revision before = bench_.Head();
  bench_.PutAlone({Edited(VisitAt(1, At(9)),
                          [](v1::Visit& visit) { visit.set_branch_id("20000000-0000-0000-0000-000000000007"); })});
  EXPECT_EQ(bench_.Head(), before + 1);
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), store::Mismatch::PENDING);
  EXPECT_FALSE(row.has_acknowledged());
  EXPECT_EQ(StartOf(row.now()), Us(At(9)));
  EXPECT_EQ(row.now().end_us(), Us(At(10)));
  EXPECT_EQ(row.now().fingerprint(), bench_.Stored(1).fingerprint());
  EXPECT_EQ(row.first_change_us(), Us(At(6)));
  EXPECT_EQ(row.last_change_us(), Us(At(6)));
  EXPECT_EQ(row.due_us(), Us(At(6, 20)));
  EXPECT_EQ(row.branch_id(), "20000000-0000-0000-0000-000000000007");
  EXPECT_THAT(Difference(row), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
}

TEST_F(VisitChangesTest, EachCarerOfAVisitHasARowOfItsOwnAndNobodyElse) {
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  EXPECT_TRUE(IsNoted(1, 1));
  EXPECT_TRUE(IsNoted(2, 1));
  EXPECT_FALSE(IsNoted(3, 1));
}

TEST_F(VisitChangesTest, AFarVisitIsDueALeadBeforeItAndANearOneAtOnce) {
  bench_.Put({VisitAt(1, At(9 + 72)), VisitAt(2, At(6, 40)), VisitAt(3, At(6, 5))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(9 + 48)));
  EXPECT_EQ(bench_.Get(1, 2).due_us(), Us(At(6, 10)));
  EXPECT_EQ(bench_.Get(1, 3).due_us(), Us(At(6, 2)));
}

TEST_F(VisitChangesTest, ARejectedChangeLeavesNone) {
  const auto refused = bench_.Run([](commit::Transaction& transaction) -> absl::Status {
    records::RecordStore store(transaction);
    RETURN_IF_ERROR(store.Put(VisitAt(1, At(9))).status());
    return base::errors::RecordMissing();
  });
  EXPECT_EQ(base::Reason(refused.status()), base::Reason(base::errors::RecordMissing()));
  const auto rolled_back = bench_.Run([](commit::Transaction& transaction) -> absl::Status {
    records::RecordStore store(transaction);
    const records::RecordStore::Mark mark = store.SetMark();
    RETURN_IF_ERROR(store.Put(VisitAt(1, At(9))).status());
    store.RollBackTo(mark);
    return store.Put(VisitAt(2, At(9))).status();
  });
  ASSERT_TRUE(rolled_back.ok()) << rolled_back.status();
  EXPECT_FALSE(IsNoted(1, 1));
  EXPECT_TRUE(IsNoted(1, 2));
}

TEST_F(VisitChangesTest, TwoChangesInOneMessageAreOne) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(1, At(11))});
  EXPECT_EQ(StartOf(bench_.Get(1, 1).now()), Us(At(11)));
  EXPECT_FALSE(bench_.Get(1, 1).has_acknowledged());
  bench_.Put({VisitAt(2, At(9), {1}), VisitAt(2, At(9), {2})});
  EXPECT_FALSE(IsNoted(1, 2)) << "it never was this carer's";
  EXPECT_TRUE(IsNoted(2, 2));
}

TEST_F(VisitChangesTest, WhatOneMessageChangesAndChangesBackIsNone) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11)), VisitAt(1, At(9))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.Get(1, 1).last_change_us(), Us(At(6)));
}

TEST_F(VisitChangesTest, WhatNoDeviceShowsIsNone) {
  PutAcknowledged(VisitAt(1, At(9)));
  store::Record newer = VisitAt(1, At(9));
  newer.mutable_origin()->set_source_version(5);
  bench_.Put({newer, records::ServiceUserRecord(1, "Mary Black"), records::CarerRecord(1, "Ann Black")});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.Get(1, 1).last_change_us(), Us(At(6)));
}

TEST_F(VisitChangesTest, NotesAndAColleaguesTimesAreChangesToo) {
  PutAcknowledged(VisitAt(1, At(9), {1, 2}));
  bench_.Put({VisitAt(1, At(9), {1, 2}, "other notes")});
  EXPECT_EQ(bench_.Get(1, 1).last_change_us(), Us(At(6, 20)));
  EXPECT_THAT(Difference(bench_.Get(1, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_DETAILS));
  bench_.AcknowledgeAll(1, 1);
  bench_.Advance(absl::Minutes(1));
  bench_.Put({Edited(VisitAt(1, At(9), {1, 2}, "other notes"), [](v1::Visit& visit) {
    *visit.mutable_assignments(1)->mutable_end_time() = base::ToTimestamp(At(12));
  })});
  EXPECT_EQ(bench_.Get(1, 1).last_change_us(), Us(At(6, 21)));
  EXPECT_THAT(Difference(bench_.Get(1, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_DETAILS));
}

TEST_F(VisitChangesTest, WhatConcernsOnlyTimesThatAreOverIsNone) {
  bench_.Put({VisitAt(1, At(4))});
  EXPECT_FALSE(IsNoted(1, 1));
  bench_.Put({Cancelled(VisitAt(1, At(4)))});
  EXPECT_FALSE(IsNoted(1, 1));
}

TEST_F(VisitChangesTest, AVisitThatIsMovedOutOfThePastOrIntoItIsOne) {
  bench_.Put({VisitAt(1, At(4))});
  bench_.Put({VisitAt(1, At(9))});
  ASSERT_TRUE(IsNoted(1, 1));
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 20)));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(4))});
  EXPECT_EQ(StartOf(bench_.Get(1, 1).acknowledged()), Us(At(9)));
  EXPECT_NE(bench_.Get(1, 1).due_us(), 0) << "the device shows a visit that is still to come";
}

// The device shows it at nine. It was moved to the morning, which is over, and cancelled: nobody is to be told of a
// missed visit.
TEST_F(VisitChangesTest, ACancellationAfterTheTimeThatItWasMovedToIsOneWhileTheDeviceShowsALaterTime) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(6, 20))});
  bench_.AdvanceTo(At(7, 30));
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
  bench_.Put({Cancelled(VisitAt(1, At(6, 20)))});
  EXPECT_FALSE(bench_.Get(1, 1).has_now());
  EXPECT_THAT(Difference(bench_.Get(1, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
}

TEST_F(VisitChangesTest, AVisitThatNoDeviceWasToHoldOrIsToHoldIsNone) {
  bench_.Put({Unpublished(VisitAt(1, At(9)))});
  EXPECT_FALSE(IsNoted(1, 1));
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_FALSE(IsNoted(1, 1));
}

// ---- Visits that leave the carer

TEST_F(VisitChangesTest, AVisitThatAnotherCarerGetsIsTakenAwayFromTheFirstAndNewToTheOther) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(9), {2})});
  const store::Mismatch first = bench_.Get(1, 1);
  EXPECT_EQ(StartOf(first.acknowledged()), Us(At(9)));
  EXPECT_FALSE(first.has_now());
  EXPECT_EQ(first.gone(), v1::VISIT_GONE_TAKEN_AWAY);
  EXPECT_EQ(first.due_us(), Us(At(6, 40)));
  EXPECT_THAT(Difference(bench_.Get(2, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
}

TEST_F(VisitChangesTest, ACancelledVisitIsGoneAndComesBack) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_FALSE(bench_.Get(1, 1).has_now());
  EXPECT_THAT(Difference(bench_.Get(1, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  bench_.Put({VisitAt(1, At(11))});
  const store::Mismatch back = bench_.Get(1, 1);
  EXPECT_EQ(StartOf(back.now()), Us(At(11)));
  EXPECT_EQ(back.gone(), v1::VISIT_GONE_UNSPECIFIED);
  EXPECT_FALSE(back.has_withdrawn());
  EXPECT_THAT(Difference(back), ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
}

TEST_F(VisitChangesTest, OneThatCameAndWentUnacknowledgedIsKeptAsWhatTheDeviceMayHave) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.Put({Unpublished(VisitAt(1, At(9)))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_FALSE(row.has_acknowledged());
  EXPECT_FALSE(row.has_now());
  EXPECT_EQ(StartOf(row.withdrawn()), Us(At(9)));
  EXPECT_EQ(row.gone(), v1::VISIT_GONE_TAKEN_AWAY);
}

// ---- The download window

TEST_F(VisitChangesTest, AVisitThatEntersTheDownloadWindowIsNewThen) {
  bench_.SetWindow(absl::Hours(2));
  bench_.Put({VisitAt(1, At(9))});
  EXPECT_FALSE(IsNoted(1, 1));
  bench_.AdvanceTo(At(7));
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.first_change_us(), Us(At(7)));
  EXPECT_EQ(row.due_us(), Us(At(7, 20)));
  EXPECT_THAT(Difference(row), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
}

TEST_F(VisitChangesTest, AVisitThatTheRotaMovesOutOfTheWindowIsGone) {
  bench_.SetWindow(absl::Hours(24));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(9 + 48))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_FALSE(row.has_now());
  EXPECT_EQ(row.gone(), v1::VISIT_GONE_OUT_OF_WINDOW);
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(9)));
  EXPECT_EQ(row.due_us(), Us(At(6, 40)));
}

TEST_F(VisitChangesTest, ThatAVisitLeavesTheWindowIsNoChangeOfTheRota) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  ASSERT_TRUE(bench_.Stored(1).outside_window());
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(13));
  ASSERT_TRUE(bench_.Stored(1).outside_window()) << "past the retention";
  EXPECT_FALSE(IsNoted(1, 1));
  EXPECT_EQ(bench_.CountOpen(), 0u);
  EXPECT_EQ(bench_.CountListed(true), 0u);
}

// Visit 1 of carer 1, at nine, is on the device; the window is shortened, and the device is not heard of again.
TEST_F(VisitChangesTest, AVisitThatLeftTheWindowUnheardIsGoneWhereItIsCancelledThen) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  ASSERT_TRUE(bench_.Stored(1).outside_window());
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_FALSE(row.has_now());
  EXPECT_EQ(row.gone(), v1::VISIT_GONE_CANCELLED);
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(9)));
  EXPECT_EQ(row.first_change_us(), Us(At(6, 20)));
  EXPECT_EQ(row.due_us(), Us(At(6, 40)));
  bench_.AdvanceTo(At(6, 40));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  bench_.Sync(1, 1);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
}

TEST_F(VisitChangesTest, AVisitThatLeftTheWindowUnheardIsGoneWhereItsCarerIsToComeAtAnotherTimeThen) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  bench_.Put({VisitAt(1, At(9), {1}, "bring gloves")});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0) << "the journey is the same";
  bench_.Put({VisitAt(1, At(12))});
  EXPECT_EQ(bench_.Get(1, 1).gone(), v1::VISIT_GONE_OUT_OF_WINDOW);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 40)));
}

TEST_F(VisitChangesTest, AVisitThatLeftTheWindowAndTheDeviceIsGoneForNobody) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
}

TEST_F(VisitChangesTest, AVisitThatNeverWasInTheWindowIsGoneForNobody) {
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_FALSE(IsNoted(1, 1));
}

// ---- Several changes

TEST_F(VisitChangesTest, LaterChangesFoldIntoOneRowAndTheFirstDueTimeStays) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 40)));
  bench_.Advance(absl::Minutes(10));
  bench_.Put({VisitAt(1, At(13))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.first_change_us(), Us(At(6, 20)));
  EXPECT_EQ(row.last_change_us(), Us(At(6, 30)));
  EXPECT_EQ(row.due_us(), Us(At(6, 40)));
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(9)));
  EXPECT_EQ(StartOf(row.now()), Us(At(13)));
  EXPECT_EQ(bench_.CountLooks(), 1u);
}

// A visit that was far away, and is near now: its mismatch must come before it.
TEST_F(VisitChangesTest, ALaterChangeThatIsDueSoonerIsWaitedForNoLonger) {
  bench_.Put({VisitAt(1, At(9 + 72))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(9 + 48)));
  bench_.Advance(absl::Minutes(10));
  bench_.Put({VisitAt(1, At(8))});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 30)));
}

TEST_F(VisitChangesTest, WhatTheDeviceHadAcknowledgedMeanwhileIsWhereTheNextChangeBegins) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11))});
  bench_.Advance(absl::Minutes(5));
  bench_.AcknowledgeAll(1, 1);
  bench_.Advance(absl::Minutes(5));
  bench_.Put({VisitAt(1, At(13))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(11)));
  EXPECT_EQ(row.first_change_us(), Us(At(6, 30)));
  EXPECT_EQ(row.due_us(), Us(At(6, 50)));
}

TEST_F(VisitChangesTest, OfAVisitFromBeforeTheDeviceHadWhatItAcknowledged) {
  PutAcknowledged(VisitAt(1, At(9)));
  const auto forgotten = bench_.Run([this](commit::Transaction& transaction) {
    DeleteMismatch(transaction, MismatchBench::Of(1, 1), bench_.Get(1, 1));
    return absl::OkStatus();
  });
  ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  bench_.Put({VisitAt(1, At(11))});
  EXPECT_EQ(StartOf(bench_.Get(1, 1).acknowledged()), Us(At(9)));
  EXPECT_THAT(Difference(bench_.Get(1, 1)), ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
}

TEST_F(VisitChangesTest, OneThatIsOpenAndWasAcknowledgedResolvesAndTheChangeBeginsAnew) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11))});
  bench_.AdvanceTo(At(6, 45));
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
  bench_.AcknowledgeAll(1, 1);  // The server did not come to look at it.
  bench_.PutAlone({VisitAt(1, At(13))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), store::Mismatch::RESOLVED);
  EXPECT_EQ(row.ended_us(), Us(At(6, 45)));
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(11)));
  EXPECT_EQ(row.first_change_us(), Us(At(6, 45)));
  EXPECT_EQ(row.due_us(), Us(At(7, 5)));
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.AdvanceTo(At(7, 5));
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
}

TEST_F(VisitChangesTest, OneThatIsOpenAndIsNotAcknowledgedStaysOpenAndTellsOfTheFurtherChange) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11))});
  bench_.AdvanceTo(At(6, 45));
  bench_.Put({Cancelled(VisitAt(1, At(11)))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), store::Mismatch::OPEN);
  EXPECT_EQ(StartOf(row.acknowledged()), Us(At(9)));
  EXPECT_EQ(row.first_change_us(), Us(At(6, 20)));
  EXPECT_EQ(row.last_change_us(), Us(At(6, 45)));
  EXPECT_THAT(Difference(row), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
}

// ---- Fan-outs

TEST_F(VisitChangesTest, RowsOfAFanOutTakeTheOriginalChangesCommitTime) {
  commit::CommitRoom room;
  room.moved = 1;
  MismatchBench bench(room);
  bench.SignIn(1, 1);
  bench.PutAlone({VisitAt(1, At(9), {1, 2})});
  EXPECT_EQ(bench.Get(1, 1).first_change_us(), Us(At(6)));
  bench.clock().Advance(absl::Minutes(10));  // The fan-out is late.
  bench.RunAll();
  EXPECT_EQ(bench.EntryOf(1, 1).version, bench.Stored(1).version());
  EXPECT_EQ(bench.Get(1, 1).first_change_us(), Us(At(6)));
  EXPECT_EQ(bench.Get(1, 1).last_change_us(), Us(At(6)));
  EXPECT_EQ(bench.Get(1, 1).due_us(), Us(At(6, 20)));
}

// ---- Bounds and damage

TEST_F(VisitChangesTest, AMismatchThatCannotBeReadIsReplacedAndStopsNoRota) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.Write({Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)), "\xFF\xFF"});
  bench_.Put({VisitAt(1, At(11)), VisitAt(2, At(11))});
  EXPECT_EQ(StartOf(bench_.Get(1, 1).now()), Us(At(11)));
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 20)));
  EXPECT_EQ(StartOf(bench_.Get(1, 2).now()), Us(At(11)));
  bench_.AdvanceTo(At(6, 21));
  EXPECT_EQ(bench_.OpenOf(1), (std::set<int>{1, 2}));
}

TEST_F(VisitChangesTest, NothingStaysOpenOfOneThatCouldNotBeReadAndWasReplaced) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.Put({VisitAt(1, At(11))});
  bench_.AdvanceTo(At(6, 45));
  ASSERT_EQ(bench_.CountOpen(), 1u);
  bench_.Write({Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)), "\xFF\xFF"});
  bench_.Put({VisitAt(1, At(13))});
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(7, 15));
  EXPECT_NE(bench_.StateOf(1, 1), store::Mismatch::OPEN);
  EXPECT_EQ(bench_.CountOpen(), 0u);
}

TEST_F(VisitChangesTest, ADamagedReportStopsNoRota) {
  PutAcknowledged(VisitAt(1, At(9)));
  bench_.PutDeviceRow(1, base::keys::DevicePart::kReport, "\xFF\xFF");
  bench_.Put({VisitAt(1, At(11))});
  EXPECT_EQ(StartOf(bench_.Get(1, 1).now()), Us(At(11)));
  bench_.AdvanceTo(At(6, 41));
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
}

// One that is open and was acknowledged has the most: it resolves, and is waited for anew.
TEST_F(VisitChangesTest, AddsNoMoreThanEightRowsForACarerBesideThoseOfTheTask) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 30));
  ASSERT_EQ(bench_.CountOpen(), 1u);
  bench_.AcknowledgeAll(1, 1);
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
  for (const store::Record& visit : {VisitAt(1, At(11)), Cancelled(VisitAt(1, At(9)))}) {
    commit::Transaction transaction(*snapshot, bench_.tenant(), bench_.Head() + 1, bench_.clock().Now());
    records::RecordStore store(transaction);
    ASSERT_TRUE(store.Put(visit).ok());
    const size_t rows = transaction.rows();
    ASSERT_TRUE(NoteVisitChanges(transaction).ok());
    size_t of_task = 0;
    const auto count = [&of_task](std::string_view, const std::optional<std::string>&) { return ++of_task > 0; };
    const std::string looks = base::keys::MismatchLooks(bench_.tenant());
    transaction.VisitOwn(Space::kRecords, storage::PrefixRange(looks), count);
    transaction.VisitOwn(Space::kRecords, base::keys::AllTasks(bench_.tenant()), count);
    EXPECT_GT(transaction.rows(), rows);
    EXPECT_LE(transaction.rows(), rows + 8 + of_task);
  }
}

// As rostering does: what is too much for the commit is left out.
TEST_F(VisitChangesTest, WhatTheRecordsTakeOfAFullMessageHasRoomForItsRows) {
  std::vector<store::Record> people;
  std::vector<int> first, second;
  for (int i = 0; i < static_cast<int>(limits::kVisitAssignments); ++i) {
    first.push_back(100 + i);
    second.push_back(200 + i);
    people.push_back(records::CarerRecord(100 + i));
    people.push_back(records::CarerRecord(200 + i));
  }
  bench_.Put(people);
  int taken = 0;
  const auto put_all = [&](const std::vector<int>& carers, int shift) {
    return bench_.Run([&, shift](commit::Transaction& transaction) -> absl::Status {
      records::RecordStore store(transaction);
      taken = 0;
      for (int i = 1; i <= static_cast<int>(limits::kRosterChanges); ++i) {
        const records::RecordStore::Mark mark = store.SetMark();
        const auto put = store.Put(VisitAt(i, At(9 + shift), carers));
        if (put.ok()) {
          ++taken;
          continue;
        }
        if (base::Reason(put.status()) != "COMMIT_TOO_LARGE") return put.status();
        store.RollBackTo(mark);
      }
      return absl::OkStatus();
    });
  };
  const auto created = put_all(first, 0);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_GT(taken, 0);
  const auto moved = put_all(second, 2);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_GT(taken, 0);
  EXPECT_TRUE(IsNoted(100, 1));
  EXPECT_TRUE(IsNoted(200, 1));
}

TEST_F(VisitChangesTest, AChangeWithoutAVisitNotesNothing) {
  const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
  commit::Transaction transaction(*snapshot, bench_.tenant(), bench_.Head() + 1, bench_.clock().Now());
  records::RecordStore store(transaction);
  ASSERT_TRUE(store.Put(records::ServiceUserRecord(1, "Mary Black")).ok());
  const size_t rows = transaction.rows();
  ASSERT_TRUE(NoteVisitChanges(transaction).ok());
  EXPECT_EQ(transaction.rows(), rows);
}

}  // namespace
}  // namespace caresync::mismatch

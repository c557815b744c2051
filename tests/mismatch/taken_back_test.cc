// Changes of the rota that are taken back: there is nothing to tell where the device was certainly sent none of them.
#include "server/mismatch/taken_back.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/mismatch/teller.h"
#include "server/mismatch/transitions.h"
#include "server/records/record_key.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

using State = store::Mismatch;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

TEST(NothingRemainsTest, WhereThePlanIsWhatTheDeviceAcknowledgedLast) {
  store::Mismatch row;
  EXPECT_TRUE(NothingRemains(row)) << "it never had it, and is not to have it";
  row.mutable_now()->set_fingerprint(7);
  EXPECT_FALSE(NothingRemains(row));
  row.mutable_acknowledged()->set_fingerprint(8);
  EXPECT_FALSE(NothingRemains(row));
  row.mutable_acknowledged()->set_fingerprint(7);
  EXPECT_TRUE(NothingRemains(row));
  row.clear_now();
  EXPECT_FALSE(NothingRemains(row));
}

// Visit 1 of carer 1 and visit 2 of carer 2; the phone of carer 1 has synced all of it, and is silent since.
class TakenBackTest : public testing::Test {
 protected:
  TakenBackTest() {
    bench_.SignIn(1, 1);
    bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9), {2})});
    bench_.AcknowledgeAll(1, 1);
    bench_.PutSync(1, 1, 1, Sync(v1::SYNC_OUTCOME_SUCCEEDED));
  }

  // It began at the head, and was caught up there where it succeeded.
  store::SyncRow Sync(v1::SyncOutcome outcome) const {
    store::SyncRow sync;
    sync.set_outcome(outcome);
    sync.set_stage(outcome == v1::SYNC_OUTCOME_SUCCEEDED ? v1::SYNC_STAGE_RECORDED : v1::SYNC_STAGE_DOWNLOADING);
    sync.set_start_revision(bench_.Head());
    if (outcome == v1::SYNC_OUTCOME_SUCCEEDED) sync.set_end_revision(bench_.Head());
    return sync;
  }

  // Visit 1 is moved, and five minutes later moved back.
  void MoveAndMoveBack(const std::function<void()>& meanwhile = [] {}) {
    bench_.Put({VisitAt(1, At(10))});
    meanwhile();
    bench_.Advance(absl::Minutes(5));
    bench_.Put({VisitAt(1, At(9))});
  }
  void ExpectOpens() {
    bench_.AdvanceTo(At(6, 20));
    EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  }

  MismatchBench bench_;
};

TEST_F(TakenBackTest, AVisitThatIsMovedBackRaisesNone) {
  MoveAndMoveBack();
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 20))) << "what it shows is asked when it is due, and not before";
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.Get(1, 1).opened_us(), 0);
}

TEST_F(TakenBackTest, AVisitThatIsGivenByMistakeAndTakenOffAgainRaisesNone) {
  bench_.Put({VisitAt(2, At(9), {1, 2})});
  bench_.Put({VisitAt(2, At(9), {2})});
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 2), State::PENDING);
  EXPECT_EQ(bench_.Get(1, 2).due_us(), 0);
}

TEST_F(TakenBackTest, AVisitThatIsNewAndCancelledAtOnceRaisesNone) {
  bench_.Put({VisitAt(3, At(9))});
  bench_.Put({Cancelled(VisitAt(3, At(9)))});
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 3), State::PENDING);
  EXPECT_EQ(bench_.Get(1, 3).due_us(), 0);
}

TEST_F(TakenBackTest, WhatIsNotTakenBackWhollyOpens) {
  MoveAndMoveBack();
  bench_.Put({VisitAt(1, At(9), {1}, "bring gloves")});
  ExpectOpens();
}

// ---- What may have been sent

TEST_F(TakenBackTest, ASyncThatBeganInBetweenMayHaveSentIt) {
  MoveAndMoveBack([this] { bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_INTERRUPTED)); });
  ExpectOpens();
}

TEST_F(TakenBackTest, ASyncThatIsUnderWayMaySendIt) {
  bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_UNDER_WAY));
  MoveAndMoveBack();
  ExpectOpens();
}

// The server's clock may have been set back since.
TEST_F(TakenBackTest, OneThatWasCutOffMayHaveSentItWhateverTheClockShowed) {
  store::SyncRow cut = Sync(v1::SYNC_OUTCOME_INTERRUPTED);
  cut.set_end_time_us(Us(At(5, 30)));
  bench_.PutSync(1, 1, 2, cut);
  MoveAndMoveBack();
  ExpectOpens();
}

TEST_F(TakenBackTest, WhereTheHistoryCannotBeReadNobodyKnows) {
  bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_SUCCEEDED));
  bench_.Write(
      {storage::Space::kDevices, base::keys::Sync(bench_.tenant(), MismatchBench::DeviceUuid(1), 2), "\xFF\xFF"});
  MoveAndMoveBack();
  ExpectOpens();
}

TEST_F(TakenBackTest, WhereTheHistoryDoesNotReachBackNobodyKnows) {
  store::SyncRow refused = Sync(v1::SYNC_OUTCOME_REFUSED);
  refused.set_stage(v1::SYNC_STAGE_STARTED);
  bench_.PutSync(1, 1, 2, refused);
  bench_.Write(
      {storage::Space::kDevices, base::keys::Sync(bench_.tenant(), MismatchBench::DeviceUuid(1), 1), std::nullopt});
  MoveAndMoveBack();
  ExpectOpens();
}

TEST_F(TakenBackTest, ASessionThatIsOpenMayHaveReadItAndSendItYet) {
  MoveAndMoveBack([this] { bench_.OpenSession(1); });
  ExpectOpens();
}

TEST_F(TakenBackTest, ASessionThatIsOverWithoutARowHasSentNothing) {
  MoveAndMoveBack([this] { bench_.OpenSession(1); });
  bench_.EndSession(1);
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
}

// It had read what was in between, and writes that its sync begins when the look has read.
TEST_F(TakenBackTest, ASyncThatIsWrittenDownBetweenTheLooksReadAndItsCommitIsSeen) {
  store::SyncRow sync;
  MoveAndMoveBack([&] { sync = Sync(v1::SYNC_OUTCOME_UNDER_WAY); });
  bench_.AdvanceTo(At(6, 20) - absl::Microseconds(1));
  bench_.BeforeNextLookCommits([&] {
    bench_.PutSync(1, 1, 2, sync);
    bench_.PutReport(1, [](store::DeviceReport& report) { report.set_syncs(2); });
  });
  ExpectOpens();
}

TEST_F(TakenBackTest, AfterARestartWhatCameBeforeItMayHaveBeenSent) {
  MoveAndMoveBack();
  bench_.Stop();
  bench_.Start();
  bench_.AdvanceTo(At(6, 21));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(TakenBackTest, WhatWasOverBeforeARestartSentNothingOfWhatCameSince) {
  bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_UNDER_WAY));
  bench_.Stop();
  bench_.Start();
  MoveAndMoveBack();
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
}

// ---- What the device in use shows

TEST_F(TakenBackTest, ADeviceThatHasFallenBackShowsSomethingElse) {
  MoveAndMoveBack();
  bench_.Acknowledge(1, 1, feed::Position::EndOf(1));
  ExpectOpens();
}

TEST_F(TakenBackTest, AnotherDeviceThatHasAcknowledgedLessShowsSomethingElse) {
  bench_.Acknowledge(1, 2, feed::Position::EndOf(1));
  bench_.PutSync(1, 2, 1, Sync(v1::SYNC_OUTCOME_SUCCEEDED));
  MoveAndMoveBack();
  bench_.SignIn(1, 2);
  ExpectOpens();
}

TEST_F(TakenBackTest, WhatAnotherDeviceWasSentKeepsNoneFromSettling) {
  MoveAndMoveBack([this] { bench_.PutSync(1, 2, 1, Sync(v1::SYNC_OUTCOME_INTERRUPTED)); });
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
}

// It left the window without a word, and the phone was sent that before the rota changed it.
TEST_F(TakenBackTest, AVisitThatHadLeftTheWindowMayHaveBeenSentAsGone) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7));
  ASSERT_EQ(bench_.Get(1, 1).due_us(), 0);
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  ASSERT_TRUE(bench_.Stored(1).outside_window());
  bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_INTERRUPTED));
  bench_.Stop();
  bench_.Start();
  MoveAndMoveBack();
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  ASSERT_TRUE(NothingRemains(bench_.Get(1, 1)));
  bench_.AdvanceTo(At(7, 20));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

// The phone has not synced since. It is put back to when it held nothing of the visit, and is refused then.
TEST_F(TakenBackTest, OfAVisitThatHadLeftTheWindowNobodyKnowsHowFarADeviceThatShowsItHasGot) {
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7));
  bench_.SetWindow(absl::Hours(1), absl::Hours(1));
  MoveAndMoveBack();
  bench_.SetWindow(absl::Hours(24), absl::Hours(1));
  ASSERT_TRUE(NothingRemains(bench_.Get(1, 1)));
  bench_.Acknowledge(1, 1, feed::Position::EndOf(1));
  bench_.AdvanceTo(At(7, 20));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(TakenBackTest, OfARowThatDoesNotSayWhichChangeWasTheFirstNothingIsKnown) {
  MoveAndMoveBack();
  store::Mismatch row = bench_.Get(1, 1);
  row.clear_first_change_revision();
  bench_.Write({storage::Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)),
                row.SerializeAsString()});
  ExpectOpens();
}

TEST_F(TakenBackTest, WhatWasPresumedToBeAcknowledgedSettlesNothing) {
  // The phone has a copy, and has not acknowledged visit 1; and nothing is noted of it.
  bench_.Acknowledge(1, 1, feed::Position::EndOf(1));
  bench_.RunAlone([](commit::Transaction& transaction) -> absl::Status {
    const CarerVisit of = MismatchBench::Of(1, 1);
    const auto row = GetMismatch(transaction, transaction.tenant(), of);
    DeleteMismatch(transaction, of, **row);
    return absl::OkStatus();
  });
  MoveAndMoveBack();
  ExpectOpens();
}

// ---- Ones that are open

TEST_F(TakenBackTest, AnOpenOneIsResolvedAndSaysWhy) {
  bench_.Put({VisitAt(1, At(10))});
  bench_.AdvanceTo(At(6, 20));
  ASSERT_EQ(bench_.StateOf(1, 1), State::OPEN);
  bench_.Put({VisitAt(1, At(9))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), State::RESOLVED);
  EXPECT_TRUE(row.taken_back());
  EXPECT_EQ(row.due_us(), 0);
  EXPECT_EQ(row.ended_us(), Us(At(6, 20)));
  const devices::AsOf as_of{.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()};
  const auto snapshot = bench_.Snapshot();
  Teller teller(*snapshot, bench_.tenant(), as_of);
  const auto told = teller.Tell(MismatchBench::Of(1, 1), row);
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(told->state(), v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(told->resolution(), v1::MISMATCH_RESOLUTION_TAKEN_BACK);
  EXPECT_EQ(told->headline(),
            "The rota changed and was changed back before the device of Ann Smith was sent any of it.");
  EXPECT_EQ(told->advice(), "");
}

TEST_F(TakenBackTest, AnOpenOneThatMayHaveBeenSentStaysAsItIs) {
  bench_.Put({VisitAt(1, At(10))});
  bench_.AdvanceTo(At(6, 20));
  bench_.PutSync(1, 1, 2, Sync(v1::SYNC_OUTCOME_INTERRUPTED));
  bench_.Advance(absl::Minutes(1));
  bench_.Put({VisitAt(1, At(9))});
  const store::Mismatch row = bench_.Get(1, 1);
  EXPECT_EQ(row.state(), State::OPEN);
  EXPECT_EQ(row.opened_us(), Us(At(6, 20)));
  EXPECT_EQ(row.due_us(), 0);
  bench_.Sync(1, 1);
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  EXPECT_FALSE(bench_.Get(1, 1).taken_back());
}

TEST_F(TakenBackTest, OneThatIsPutOffIsNotOpenedForIt) {
  bench_.Put({VisitAt(1, At(10))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Stop();
  bench_.Start();
  // Nothing that is due is looked at so soon after a start.
  bench_.Put({VisitAt(1, At(9))});
  ASSERT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 20)));
  v1::SnoozeMismatchRequest request;
  request.set_carer_id(MismatchBench::Carer(1).ToString());
  request.set_visit_id(records::NameOf(MismatchBench::Visit(1))->id.ToString());
  *request.mutable_until_time() = base::ToTimestamp(At(8));
  bench_.RunAlone([&](commit::Transaction& transaction) {
    return Snooze(transaction, request, "someone", {.opening = bench_.timeline()}).status();
  });
  bench_.AdvanceTo(At(8) - absl::Microseconds(1));
  EXPECT_EQ(bench_.StateOf(1, 1), State::SNOOZED);
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(TakenBackTest, OneThatIsResolvedSoOpensWithAFurtherChange) {
  bench_.Put({VisitAt(1, At(10))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Put({VisitAt(1, At(9))});
  ASSERT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  bench_.Put({VisitAt(1, At(11))});
  bench_.AdvanceTo(At(6, 40));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  EXPECT_FALSE(bench_.Get(1, 1).taken_back());
}

}  // namespace
}  // namespace caresync::mismatch

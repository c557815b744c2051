// When a carer's device has acknowledged what the rota says.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "server/base/keys.h"
#include "server/feed/feed_compaction.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/visit_parts.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

using base::keys::DevicePart;
using feed::Position;
using storage::Space;

class SettledTest : public testing::Test {
 protected:
  absl::StatusOr<bool> Ask(MismatchBench& bench, int carer, int visit) const {
    const std::unique_ptr<storage::Snapshot> snapshot = bench.Snapshot();
    const store::Record record = bench.Stored(visit);
    const absl::StatusOr<VisitParts> parts = PartsOf(record);
    if (!parts.ok()) return parts.status();
    Delivery delivery(*snapshot, bench.tenant());
    return delivery.IsSettled(MismatchBench::Of(carer, visit), record,
                              parts->Of(MismatchBench::Carer(carer)) != nullptr);
  }
  bool IsSettled(MismatchBench& bench, int carer, int visit) const {
    const absl::StatusOr<bool> settled = Ask(bench, carer, visit);
    EXPECT_TRUE(settled.ok()) << settled.status();
    return settled.ok() && *settled;
  }
  bool IsSettled(int carer, int visit) { return IsSettled(bench_, carer, visit); }

  // How often a change runs that needs the carer's cursor unmoved, where `meanwhile` comes between its first run and
  // the commit.
  int RunsThatNeedTheCursorOf(int carer, const std::function<void()>& meanwhile) {
    int runs = 0;
    const auto committed = bench_.Run([&](commit::Transaction& transaction) {
      Delivery delivery(transaction, bench_.tenant());
      const absl::Status required = delivery.RequireUnmoved(MismatchBench::Carer(carer), transaction);
      transaction.Put(Space::kRecords, "a row of the test's own", "");
      if (++runs == 1) meanwhile();
      return required;
    });
    EXPECT_TRUE(committed.ok()) << committed.status();
    return runs;
  }
  bool HasCopy(int carer) const {
    const std::unique_ptr<storage::Snapshot> snapshot = bench_.Snapshot();
    const absl::StatusOr<bool> has_copy = Delivery(*snapshot, bench_.tenant()).HasCopy(MismatchBench::Carer(carer));
    EXPECT_TRUE(has_copy.ok()) << has_copy.status();
    return has_copy.ok() && *has_copy;
  }
  // Forgets all removals of the carer's feed.
  void Forget(int carer) {
    const auto forgotten = bench_.Run([&](commit::Transaction& transaction) {
      return feed::Compact(transaction, records::CarerFeed(carer), Position::EndOf(transaction.revision()), 100)
          .status();
    });
    ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  }

  MismatchBench bench_;
};

// ---- Of a visit that the carer's devices are to hold

TEST_F(SettledTest, ByPositionAndRecordKey) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(11))});
  const Position first = bench_.EntryOf(1, 1).position;
  const Position second = bench_.EntryOf(1, 2).position;
  ASSERT_EQ(first.revision, second.revision);
  ASSERT_LT(first, second);
  bench_.Acknowledge(1, 1, Position::EndOf(first.revision - 1));
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
  bench_.Acknowledge(1, 1, first);
  EXPECT_TRUE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
  bench_.Acknowledge(1, 1, second);
  EXPECT_TRUE(IsSettled(1, 1));
  EXPECT_TRUE(IsSettled(1, 2));
}

TEST_F(SettledTest, NoMoreOnceItChangesAgain) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(1, 1));
  bench_.Put({VisitAt(1, At(10))});
  EXPECT_FALSE(IsSettled(1, 1));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(1, 1));
}

TEST_F(SettledTest, NoMoreOnceTheDeviceComesBackWithAnOlderToken) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(1, 1));
  bench_.Acknowledge(1, 1, Position::EndOf(bench_.EntryOf(1, 1).position.revision - 1));
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, NotByTheAcksOfAFirstCopyThatIsBeingMade) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_rebuild_number(1); });
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, NotByARebuildUnderWayBesideAnOlderCopy) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_rebuild_number(2); });
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, ByTheCaughtUpOfARebuild) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_rebuild_number(1); });
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(1, 1));
}

TEST_F(SettledTest, NotByACopyThatDiverged) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(11))});
  bench_.Put({Cancelled(VisitAt(2, At(11)))});
  bench_.AcknowledgeAll(1, 1);
  ASSERT_TRUE(IsSettled(1, 1));
  ASSERT_TRUE(IsSettled(1, 2));
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_diverged(true); });
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2)) << "it may show what is gone";
  EXPECT_TRUE(HasCopy(1));
}

TEST_F(SettledTest, NotByAForeignCursor) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_timeline("of a store that was lost"); });
  EXPECT_FALSE(IsSettled(1, 1));
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_FALSE(IsSettled(1, 1)) << "the device may hold it";
}

TEST_F(SettledTest, NotByACursorAboveTheHead) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_revision(copy.revision() + 100); });
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, ByACursorOfAnEarlierOpening) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Start();
  bench_.Put({VisitAt(2, At(9))});
  EXPECT_TRUE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
}

TEST_F(SettledTest, ByTheDeviceInUseAlone) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 2);
  EXPECT_FALSE(IsSettled(1, 1));
  bench_.SignIn(1, 2);
  EXPECT_TRUE(IsSettled(1, 1));
  bench_.SignIn(1, 1);
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, NotByTheCopyOfAnotherCarerOfTheDevice) {
  bench_.SignIn(1, 1);
  bench_.SignIn(2, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AcknowledgeAll(2, 1);
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_TRUE(IsSettled(2, 1));
}

TEST_F(SettledTest, NotWhereTheCarerHasSignedInNowhere) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  EXPECT_FALSE(IsSettled(1, 1));
}

// ---- Of one that they are not to hold

TEST_F(SettledTest, AVisitThatIsGoneIsSettledByTheRemovalsPosition) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9))), VisitAt(2, At(9), {2})});
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
  bench_.Acknowledge(1, 1, bench_.EntryOf(1, 1).position);
  EXPECT_TRUE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(1, 2));
}

TEST_F(SettledTest, ByAForgottenRemovalAtTheHorizon) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9))), Cancelled(VisitAt(2, At(9)))});
  const Position last = bench_.EntryOf(1, 2).position;
  Forget(1);
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_FALSE(IsSettled(1, 2));
  bench_.Acknowledge(1, 1, last);
  EXPECT_TRUE(IsSettled(1, 1));
  EXPECT_TRUE(IsSettled(1, 2));
}

TEST_F(SettledTest, AVisitThatNeverWasTheCarersIsSettledByAnyCopy) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9), {2})});
  EXPECT_TRUE(IsSettled(1, 1));
}

TEST_F(SettledTest, ADeviceThatHoldsNothingNeedNotHearOfWhatItNeverHad) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {2})});
  EXPECT_TRUE(IsSettled(1, 1));
}

// ---- While a fan-out is under way: an entry at a time has room

commit::CommitRoom LittleRoom() {
  commit::CommitRoom room;
  room.moved = 1;
  return room;
}

TEST_F(SettledTest, NotWhileTheFanOutOfItsChangeIsUnderWay) {
  MismatchBench bench(LittleRoom());
  bench.SignIn(1, 1);
  bench.Put({VisitAt(1, At(9), {1, 2})});
  bench.AcknowledgeAll(1, 1);
  ASSERT_TRUE(IsSettled(bench, 1, 1));
  bench.PutAlone({VisitAt(1, At(10), {1, 2})});
  ASSERT_LT(bench.EntryOf(1, 1).version, bench.Stored(1).version()) << "the fan-out has not begun";
  bench.AcknowledgeAll(1, 1);
  EXPECT_FALSE(IsSettled(bench, 1, 1));
  bench.RunAll();
  ASSERT_EQ(bench.EntryOf(1, 1).version, bench.Stored(1).version());
  EXPECT_FALSE(IsSettled(bench, 1, 1));
  bench.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(bench, 1, 1));
}

TEST_F(SettledTest, NotWhileTheFanOutThatTakesItAwayIsUnderWay) {
  MismatchBench bench(LittleRoom());
  bench.SignIn(1, 1);
  bench.Put({VisitAt(1, At(9), {1, 2})});
  bench.PutAlone({Cancelled(VisitAt(1, At(9), {1, 2}))});
  ASSERT_FALSE(bench.EntryOf(1, 1).removal) << "the fan-out has not begun";
  bench.AcknowledgeAll(1, 1);
  EXPECT_FALSE(IsSettled(bench, 1, 1));
  bench.RunAll();
  ASSERT_TRUE(bench.EntryOf(1, 1).removal);
  EXPECT_FALSE(IsSettled(bench, 1, 1));
  bench.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(bench, 1, 1));
}

TEST_F(SettledTest, NotWhileTheFanOutThatBringsItIsUnderWay) {
  MismatchBench bench(LittleRoom());
  bench.SignIn(1, 1);
  bench.PutAlone({VisitAt(1, At(9), {1, 2})});
  bench.AcknowledgeAll(1, 1);
  EXPECT_FALSE(IsSettled(bench, 1, 1));
  bench.RunAll();
  bench.AcknowledgeAll(1, 1);
  EXPECT_TRUE(IsSettled(bench, 1, 1));
}

// ---- Rows that cannot be read

TEST_F(SettledTest, OfADeviceWhoseReportIsDamagedNothingIsKnownToBeDelivered) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AcknowledgeAll(1, 1);
  bench_.SignIn(2, 2);
  bench_.AcknowledgeAll(2, 2);
  bench_.PutDeviceRow(1, DevicePart::kReport, "\xFF\xFF");
  EXPECT_FALSE(IsSettled(1, 1));
  EXPECT_TRUE(IsSettled(2, 1));
  bench_.Put({Cancelled(VisitAt(1, At(9), {1, 2}))});
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, OfACarerWhoseDeviceInUseIsDamagedNothingIsKnownToBeDelivered) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Write({Space::kDevices, base::keys::DeviceInUse(bench_.tenant(), MismatchBench::Carer(1)), "\xFF\xFF"});
  EXPECT_FALSE(IsSettled(1, 1));
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  EXPECT_FALSE(IsSettled(1, 1)) << "nor that the device lacks it";
}

TEST_F(SettledTest, WhereTheFeedsRowOfTheVisitIsDamagedNothingIsKnownToBeDelivered) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  const std::string place = base::keys::FeedPlace(bench_.tenant(), records::CarerFeed(1), MismatchBench::Visit(1));
  bench_.Write({Space::kFeeds, place, "\xFF\xFF"});
  EXPECT_FALSE(IsSettled(1, 1));
}

TEST_F(SettledTest, WhereTheFeedsRowsOfAVisitThatIsGoneAreDamagedNothingIsKnownToBeDelivered) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  bench_.Write({Space::kFeeds, base::keys::FeedPlace(bench_.tenant(), records::CarerFeed(1), MismatchBench::Visit(1)),
                "\xFF\xFF"});
  EXPECT_FALSE(IsSettled(1, 1));
  bench_.Put({VisitAt(3, At(9), {2})});
  EXPECT_TRUE(IsSettled(1, 3)) << "it never was in the feed";
  bench_.Write({Space::kFeeds, base::keys::FeedHead(bench_.tenant(), records::CarerFeed(1)), "\xFF\xFF"});
  EXPECT_FALSE(IsSettled(1, 3)) << "it may have been forgotten";
}

TEST_F(SettledTest, AStoreThatCannotBeReadIsAnError) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  const auto snapshot = bench_.store().NewSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const store::Record record = bench_.Stored(1);
  Delivery delivery(**snapshot, bench_.tenant());
  bench_.store().FailReads(true);
  const auto settled = delivery.IsSettled(MismatchBench::Of(1, 1), record, true);
  const auto has_copy = delivery.HasCopy(MismatchBench::Carer(1));
  bench_.store().FailReads(false);
  EXPECT_EQ(settled.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(has_copy.status().code(), absl::StatusCode::kUnavailable);
}

// ---- Copies and cursors

TEST_F(SettledTest, ACopyIsOneOfTheDeviceInUse) {
  EXPECT_FALSE(HasCopy(1));
  bench_.SignIn(1, 1);
  EXPECT_FALSE(HasCopy(1));
  bench_.AcknowledgeAll(1, 2);
  EXPECT_FALSE(HasCopy(1));
  bench_.AcknowledgeAll(1, 1);
  EXPECT_TRUE(HasCopy(1));
  EXPECT_FALSE(HasCopy(2));
}

TEST_F(SettledTest, ACommitThatNeedsTheCursorUnmovedRunsAgainWhereItMoved) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  EXPECT_EQ(RunsThatNeedTheCursorOf(1, [this] { bench_.AcknowledgeAll(1, 1); }), 2);
}

TEST_F(SettledTest, ACommitThatNeedsTheCursorUnmovedRunsAgainWhereAnotherDeviceCameIntoUse) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  for (const int carer : {1, 2}) {  // The second has signed in nowhere.
    EXPECT_EQ(RunsThatNeedTheCursorOf(carer, [this, carer] { bench_.SignIn(carer, 3); }), 2);
  }
}

TEST_F(SettledTest, ACommitThatNeedsTheCursorUnmovedIsMadeWhereOnlyAnotherDeviceMoved) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  for (const int carer : {1, 2}) {  // The second has signed in nowhere.
    EXPECT_EQ(RunsThatNeedTheCursorOf(carer, [this] { bench_.AcknowledgeAll(1, 2); }), 1);
  }
}

}  // namespace
}  // namespace caresync::mismatch

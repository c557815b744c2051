// Mismatches of visits at which the carer was all the same.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "caresync/v1/mismatches.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/teller.h"
#include "server/mismatch/transitions.h"
#include "server/records/care_events.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

using State = store::Mismatch;
using storage::Space;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

// Carers 1 to 3 on devices of the same numbers, each of which has acknowledged all.
class SignsTest : public testing::Test {
 protected:
  void SetUp() override { bench_.SignAllIn(); }
  void Note(int carer, int visit, absl::Time occurred, absl::Time received) {
    const auto noted = bench_.Run([&](commit::Transaction& transaction) {
      return NoteSign(transaction, MismatchBench::Of(carer, visit), {occurred, received});
    });
    ASSERT_TRUE(noted.ok()) << noted.status();
  }
  // That the visit was begun then is stored, or kept for review.
  v1::EventOutcome TakeStart(int number, int carer, int visit, absl::Time occurred) {
    v1::CareEvent event = records::NoteEvent(carer, records::VisitName(visit));
    event.mutable_visit_started();
    *event.mutable_occurred_time() = base::ToTimestamp(occurred);
    v1::UploadedEvent upload;
    upload.set_event_id(records::EventName(number).id.ToString());
    upload.set_event(event.SerializeAsString());
    v1::EventResult result;
    const auto taken = bench_.Run([&](commit::Transaction& transaction) -> absl::Status {
      records::RecordStore store(transaction);
      const records::EventSender sender{MismatchBench::DeviceUuid(carer), MismatchBench::Carer(carer)};
      ASSIGN_OR_RETURN(result, records::TakeEvent(store, sender, upload));
      return absl::OkStatus();
    });
    EXPECT_TRUE(taken.ok()) << taken.status();
    return result.outcome();
  }
  template <typename Request>
  static Request RequestOf(int carer, int visit) {
    Request request;
    request.set_carer_id(MismatchBench::Carer(carer).ToString());
    request.set_visit_id(records::VisitName(visit).id.ToString());
    return request;
  }
  std::string ReopenSays(int carer, int visit) {
    const auto request = RequestOf<v1::ReopenMismatchRequest>(carer, visit);
    return base::Reason(bench_
                            .Run([&](commit::Transaction& transaction) {
                              return Reopen(transaction, request, "someone", {.opening = bench_.timeline()}).status();
                            })
                            .status());
  }
  void Close(int carer, int visit) {
    const auto request = RequestOf<v1::CloseMismatchRequest>(carer, visit);
    const auto closed = bench_.Run([&](commit::Transaction& transaction) {
      return mismatch::Close(transaction, request, "someone", {.opening = bench_.timeline()}).status();
    });
    ASSERT_TRUE(closed.ok()) << closed.status();
  }
  v1::Mismatch Told(int carer, int visit) {
    const devices::AsOf as_of{.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()};
    const auto snapshot = bench_.Snapshot();
    Teller teller(*snapshot, bench_.tenant(), as_of);
    const auto told = teller.Tell(MismatchBench::Of(carer, visit), bench_.Get(carer, visit));
    EXPECT_TRUE(told.ok()) << told.status();
    return told.ok() ? *told : v1::Mismatch();
  }

  MismatchBench bench_;
};

// ---- When the sign comes

TEST_F(SignsTest, AnOpenOneIsResolvedWithTheTimesOfTheSign) {
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(11));
  Note(1, 1, At(9, 2), At(11));
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).sign().occurred_us(), Us(At(9, 2)));
  EXPECT_EQ(bench_.Get(1, 1).sign().received_us(), Us(At(11)));
  EXPECT_EQ(bench_.Get(1, 1).ended_us(), Us(At(11)));
  EXPECT_TRUE(bench_.OpenOf(1).empty());
  EXPECT_EQ(bench_.StateOf(2, 1), State::OPEN) << "the other carer's is another one";
}

TEST_F(SignsTest, PeopleAreToldWhyAndWithTheTrueTimes) {
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(11));
  Note(1, 1, At(9, 2), At(11));
  bench_.Sync(2, 2);
  const v1::Mismatch started = Told(1, 1);
  EXPECT_EQ(started.state(), v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(started.resolution(), v1::MISMATCH_RESOLUTION_STARTED);
  EXPECT_EQ(base::FromTimestamp(started.started_time()), At(9, 2));
  EXPECT_EQ(base::FromTimestamp(started.started_received_time()), At(11));
  EXPECT_EQ(started.headline(), "The rota changed and Ann Smith has been at the visit.");
  EXPECT_EQ(started.advice(), "");
  const v1::Mismatch synced = Told(2, 1);
  EXPECT_EQ(synced.resolution(), v1::MISMATCH_RESOLUTION_SYNCED);
  EXPECT_FALSE(synced.has_started_time());
  EXPECT_FALSE(synced.has_started_received_time());
}

TEST_F(SignsTest, ASnoozedOneIsResolvedToo) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  auto request = RequestOf<v1::SnoozeMismatchRequest>(1, 1);
  *request.mutable_until_time() = base::ToTimestamp(At(12));
  ASSERT_TRUE(bench_
                  .Run([&](commit::Transaction& transaction) {
                    return Snooze(transaction, request, "someone", {.opening = bench_.timeline()}).status();
                  })
                  .ok());
  Note(1, 1, At(6, 15), At(6, 20));
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).snoozed_until_us(), 0);
}

TEST_F(SignsTest, OneThatIsNotLiveIsLeftAsItIs) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AdvanceTo(At(6, 20));
  Close(1, 1);
  bench_.Put({VisitAt(3, At(9))});
  const base::Revision head = bench_.Head();
  Note(1, 1, At(9), At(6, 20));
  Note(1, 3, At(9), At(6, 20));
  Note(1, 99, At(9), At(6, 20));
  EXPECT_EQ(bench_.Head(), head);
  EXPECT_EQ(bench_.StateOf(1, 1), State::CLOSED);
  EXPECT_EQ(bench_.StateOf(1, 3), State::PENDING);
}

TEST_F(SignsTest, OneThatOpensAgainHasNoSignAnyMore) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  Note(1, 1, At(6, 15), At(6, 20));
  // No event is stored of it.
  bench_.Put({VisitAt(1, At(10))});
  bench_.AdvanceTo(At(6, 40));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  EXPECT_FALSE(bench_.Get(1, 1).has_sign());
}

// ---- When it is due

TEST_F(SignsTest, OneIsNotOpenedWhereTheCarerWasAtTheVisitByThen) {
  bench_.Put({VisitAt(1, At(6, 25), {1, 2})});
  ASSERT_EQ(TakeStart(1, 1, 1, At(6)), v1::EVENT_OUTCOME_ACCEPTED);
  bench_.AdvanceTo(At(7));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
  EXPECT_EQ(bench_.StateOf(2, 1), State::OPEN) << "the other carer was not";
}

TEST_F(SignsTest, ASignOfBeforeTheChangeCounts) {
  bench_.Put({VisitAt(1, At(7))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7, 5));
  ASSERT_EQ(TakeStart(1, 1, 1, At(7)), v1::EVENT_OUTCOME_ACCEPTED);
  bench_.Put({VisitAt(1, At(7), {1}, "bring gloves")});
  bench_.AdvanceTo(At(7, 30));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
}

TEST_F(SignsTest, ASignOfAnotherTimeOfTheVisitDoesNotCount) {
  bench_.Put({VisitAt(1, At(7)), VisitAt(2, At(7))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(7, 5));
  ASSERT_EQ(TakeStart(1, 1, 1, At(7)), v1::EVENT_OUTCOME_ACCEPTED);
  bench_.Put({VisitAt(1, At(10, 1)), VisitAt(2, At(10, 1))});
  bench_.AdvanceTo(At(7, 30));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  ASSERT_EQ(bench_.StateOf(1, 2), State::OPEN);
  Note(1, 2, At(7), At(7, 30));
  EXPECT_EQ(bench_.StateOf(1, 2), State::OPEN);
  Note(1, 2, At(7, 1), At(7, 31));
  EXPECT_EQ(bench_.StateOf(1, 2), State::RESOLVED);
}

TEST_F(SignsTest, AStartThatIsForReviewCounts) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  ASSERT_EQ(TakeStart(1, 1, 1, At(6)), v1::EVENT_OUTCOME_FOR_REVIEW);
  bench_.AdvanceTo(At(7));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
}

TEST_F(SignsTest, WhereTheEventsCannotBeReadItOpens) {
  bench_.Put({VisitAt(1, At(9))});
  ASSERT_EQ(TakeStart(1, 1, 1, At(6)), v1::EVENT_OUTCOME_ACCEPTED);
  bench_.Write(
      {Space::kRecords, base::keys::Record(bench_.tenant(), records::KeyOf(records::EventName(1))), "\xFF\xFF"});
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(SignsTest, WhereTheCarerWasAtTheVisitAPersonCannotOpenItAgain) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  Close(1, 1);
  ASSERT_EQ(TakeStart(1, 1, 1, At(6, 20)), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(ReopenSays(1, 1), "MISMATCH_RESOLVED");
  EXPECT_EQ(bench_.StateOf(1, 1), State::CLOSED);
}

}  // namespace
}  // namespace caresync::mismatch

#include "server/records/window.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/care_events.h"
#include "server/records/fan_out.h"
#include "tests/fakes/feeds.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;
using Visits = std::set<int>;

constexpr int kUnbounded = 0;

class WindowTest : public testing::Test {
 protected:
  // The clock stands at 06:00 of a day.
  void SetUp() override {
    PutAll(engine_, tenant_, {CarerRecord(1), CarerRecord(2), ServiceUserRecord(1), ServiceUserRecord(2)});
  }

  // A visit by `carers` that begins so many hours after 06:00 and takes one.
  store::Record VisitAt(int number, double hour, const std::vector<int>& carers = {1}, int service_user = 1) const {
    store::Record record = VisitRecord(number, service_user, carers);
    v1::Visit visit;
    visit.ParseFromString(record.payload());
    for (v1::Assignment& part : *visit.mutable_assignments()) {
      *part.mutable_start_time() = base::ToTimestamp(six_ + absl::Hours(hour));
      *part.mutable_end_time() = base::ToTimestamp(six_ + absl::Hours(hour + 1));
    }
    record.set_payload(visit.SerializeAsString());
    return record;
  }
  void Put(const std::vector<store::Record>& records) { PutAll(engine_, tenant_, records); }

  commit::Change Setting(int window_hours, int retention_hours) const {
    return [window_hours, retention_hours](commit::Transaction& transaction) {
      return SetWindow(transaction, {absl::Hours(window_hours), absl::Hours(retention_hours)});
    };
  }
  void Set(int window_hours, int retention_hours) {
    ASSERT_TRUE(engine_.Run(tenant_, Setting(window_hours, retention_hours)).ok());
  }
  // Commits the change and nothing after it: no step that it leads to has run yet.
  void CommitAlone(commit::Change change) {
    bool done = false;
    engine_.sequencer().Submit(tenant_, std::move(change),
                               [&done](const absl::StatusOr<commit::Committed>& set) { done = set.ok(); });
    while (!done) ASSERT_TRUE(engine_.executor().RunOne());
  }
  void SetAlone(int window_hours, int retention_hours) { CommitAlone(Setting(window_hours, retention_hours)); }

  Visits SeenBy(int carer = 1) const {
    Visits seen;
    const base::ReceiverId receiver = CarerReceiver(CarerName(carer).id);
    for (const RecordName& name : fakes::SeenBy(*engine_.Snapshot(), tenant_, receiver)) {
      for (int number = 1; number < 40; ++number) {
        if (name == VisitName(number)) seen.insert(number);
      }
    }
    return seen;
  }
  bool Sees(const RecordName& name) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(1).id)).contains(name);
  }
  store::WindowEdges Edges() const { return *ReadEdges(*engine_.Snapshot(), tenant_); }
  bool IsLagging() const { return *WindowLags(*engine_.Snapshot(), tenant_, clock().Now()); }
  size_t Tasks() const {
    size_t tasks = 0;
    const auto scanned = engine_.Snapshot()->Scan(storage::Space::kRecords, base::keys::AllTasks(tenant_), 1'000,
                                                  [&tasks](std::string_view, std::string_view) { return ++tasks; });
    return scanned.ok() ? tasks : 1'000;
  }
  fakes::ManualClock& clock() const { return engine_.clock(); }

  mutable fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const absl::Time six_ = engine_.clock().Now();
};

TEST_F(WindowTest, WithoutLengthsAllPublishedVisitsAreInside) {
  Put({VisitAt(1, -24 * 1'000), VisitAt(2, 1), VisitAt(3, 24 * 1'000)});
  engine_.Advance(absl::Hours(100));
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3}));
  EXPECT_FALSE(IsLagging());
  EXPECT_EQ(Tasks(), 0u);
  EXPECT_FALSE(engine_.Snapshot()->Get(storage::Space::kRecords, base::keys::WindowEdges(tenant_))->has_value());
}

TEST_F(WindowTest, VisitsAreIndexedByEarliestStartAndLatestEnd) {
  store::Record record = VisitAt(1, 2, {1, 2});
  v1::Visit visit;
  visit.ParseFromString(record.payload());
  *visit.mutable_assignments(1)->mutable_start_time() = base::ToTimestamp(six_ + absl::Hours(3));
  *visit.mutable_assignments(1)->mutable_end_time() = base::ToTimestamp(six_ + absl::Hours(5));
  record.set_payload(visit.SerializeAsString());
  const auto places = [this](VisitIndex index) {
    return *ReadPlaces(*engine_.Snapshot(), tenant_, index, {}, std::nullopt, 10);
  };
  const auto at = [this](int hours) { return absl::ToUnixMicros(six_ + absl::Hours(hours)); };
  Put({record});
  EXPECT_EQ(places(VisitIndex::kByStart), (std::vector<Place>{{at(2), KeyOf(VisitName(1))}}));
  EXPECT_EQ(places(VisitIndex::kByEnd), (std::vector<Place>{{at(5), KeyOf(VisitName(1))}}));
  Put({VisitAt(1, 7)});
  EXPECT_EQ(places(VisitIndex::kByStart), (std::vector<Place>{{at(7), KeyOf(VisitName(1))}}));
  EXPECT_EQ(places(VisitIndex::kByEnd), (std::vector<Place>{{at(8), KeyOf(VisitName(1))}}));
}

TEST_F(WindowTest, AVisitComesWhenItsTimeComesWithoutAnyChangeOfTheRota) {
  Put({VisitAt(1, 1), VisitAt(2, 2), VisitAt(3, 2.5, {1}, 2)});
  Set(2, kUnbounded);
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  EXPECT_FALSE(Sees(ServiceUserName(2)));
  engine_.Advance(absl::Minutes(30) - absl::Microseconds(1));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  engine_.Advance(absl::Microseconds(1));
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3}));
  EXPECT_TRUE(Sees(ServiceUserName(2)));
  EXPECT_FALSE(IsLagging());
}

TEST_F(WindowTest, AVisitThatComesLaterIsOnTimeToo) {
  Set(2, kUnbounded);
  engine_.Advance(absl::Minutes(40));
  Put({VisitAt(1, 2.5), VisitAt(2, 2.75), VisitAt(3, 100)});
  EXPECT_EQ(SeenBy(), Visits{1});
  engine_.Advance(absl::Minutes(5));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  Put({VisitAt(3, 2.8)});
  engine_.Advance(absl::Minutes(3));
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3}));
}

TEST_F(WindowTest, AVisitThatMovesOutOfTheWindowLeaves) {
  Set(2, kUnbounded);
  Put({VisitAt(1, 1)});
  EXPECT_EQ(SeenBy(), Visits{1});
  Put({VisitAt(1, 10)});
  EXPECT_EQ(SeenBy(), Visits{});
  EXPECT_FALSE(Sees(ServiceUserName(1)));
  engine_.Advance(absl::Hours(8));
  EXPECT_EQ(SeenBy(), Visits{1});
}

TEST_F(WindowTest, AVisitLeavesWhenItsRetentionIsOver) {
  Put({VisitAt(1, 1), VisitAt(2, 1, {1}, 2)});
  Set(kUnbounded, 24);
  engine_.Advance(absl::Hours(26));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  Put({VisitAt(2, 2, {1}, 2)});
  engine_.Advance(absl::Microseconds(1));
  EXPECT_EQ(SeenBy(), Visits{2});
  EXPECT_FALSE(Sees(ServiceUserName(1)));
  engine_.Advance(absl::Hours(1));
  EXPECT_EQ(SeenBy(), Visits{});
  Put({VisitAt(3, -100)});
  EXPECT_EQ(SeenBy(), Visits{});
}

TEST_F(WindowTest, AVisitOutsideIsNotGivenByBeingPublished) {
  store::Record visit = VisitAt(1, 10);
  visit.set_published(false);
  Set(2, kUnbounded);
  Put({visit});
  visit.set_published(true);
  Put({visit});
  EXPECT_EQ(SeenBy(), Visits{});
  visit.set_cancelled(true);
  Put({visit});
  engine_.Advance(absl::Hours(9));
  EXPECT_EQ(SeenBy(), Visits{});
  visit.set_cancelled(false);
  Put({visit});
  EXPECT_EQ(SeenBy(), Visits{1});
}

TEST_F(WindowTest, WhatWasRecordedOnAVisitFollowsIt) {
  Put({VisitAt(1, 1)});
  RunRecords(engine_, tenant_, [this](RecordStore& records) {
    return records.PutCareEvent(EventRecord(1, NoteEvent(1, VisitName(1))), VisitAt(1, 1));
  });
  Set(kUnbounded, 24);
  EXPECT_TRUE(Sees(EventName(1)));
  engine_.Advance(absl::Hours(27));
  EXPECT_FALSE(Sees(EventName(1)));
  Set(kUnbounded, 48);
  EXPECT_TRUE(Sees(EventName(1)));
}

TEST_F(WindowTest, ALongerWindowAndALongerRetentionBringVisitsBack) {
  Put({VisitAt(1, -40), VisitAt(2, -20), VisitAt(3, 1), VisitAt(4, 5), VisitAt(5, 50)});
  Set(2, 24);
  EXPECT_EQ(SeenBy(), (Visits{2, 3}));
  Set(6, 24);
  EXPECT_EQ(SeenBy(), (Visits{2, 3, 4}));
  Set(6, 72);
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3, 4}));
  Set(kUnbounded, 24);
  EXPECT_EQ(SeenBy(), (Visits{2, 3, 4, 5}));
  Set(kUnbounded, kUnbounded);
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3, 4, 5}));
  EXPECT_EQ(Tasks(), 0u);
  EXPECT_FALSE(engine_.Snapshot()->Get(storage::Space::kRecords, base::keys::WindowEdges(tenant_))->has_value());
}

TEST_F(WindowTest, AShorterWindowTakesVisitsAwayAndEverybodyWaitsMeanwhile) {
  Put({VisitAt(1, 1), VisitAt(2, 5), VisitAt(3, 9)});
  Set(10, kUnbounded);
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3}));
  int told = 0;
  const commit::Subscriptions::Handle heard =
      engine_.subscriptions().Subscribe(tenant_, FanOutTopic(), [&told](base::Revision) { ++told; });
  SetAlone(2, kUnbounded);
  EXPECT_TRUE(IsLagging());
  EXPECT_EQ(told, 0);
  // Judged by where the edge is now, whatever the steps have done yet.
  engine_.executor().RunAll();
  EXPECT_EQ(SeenBy(), Visits{1});
  EXPECT_FALSE(IsLagging());
  EXPECT_EQ(told, 1);
  engine_.Advance(absl::Hours(3));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
}

TEST_F(WindowTest, AWindowThatIsShortenedAndLengthenedAtOnceEndsRight) {
  Put({VisitAt(1, 1), VisitAt(2, 5), VisitAt(3, 9)});
  Set(10, kUnbounded);
  SetAlone(2, kUnbounded);
  SetAlone(1, kUnbounded);
  SetAlone(6, kUnbounded);
  EXPECT_TRUE(IsLagging());
  EXPECT_EQ(Tasks(), 1u);
  engine_.executor().RunAll();
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  EXPECT_FALSE(IsLagging());
  EXPECT_EQ(Tasks(), 1u);
}

TEST_F(WindowTest, NobodyIsCaughtUpWhileTheOpeningEdgeIsLate) {
  Put({VisitAt(1, 3)});
  Set(2, kUnbounded);
  // The task does not run: time passes with nobody at work.
  clock().Advance(absl::Hours(1) + limits::kOpeningEdgeLag - absl::Microseconds(1));
  EXPECT_FALSE(IsLagging());
  clock().Advance(absl::Microseconds(1));
  EXPECT_TRUE(IsLagging());
  // Which is what every read of a session asks.
  EXPECT_TRUE(*MustWait(*engine_.Snapshot(), tenant_, CarerFeed(1), clock().Now()));
  engine_.executor().RunAll();
  EXPECT_FALSE(IsLagging());
  EXPECT_FALSE(*MustWait(*engine_.Snapshot(), tenant_, CarerFeed(1), clock().Now()));
  EXPECT_EQ(SeenBy(), Visits{1});
}

TEST_F(WindowTest, TheEdgeIsNotLateWhereNoVisitLiesInWhatItHasNotPassed) {
  Put({VisitAt(1, 30)});
  Set(2, kUnbounded);
  clock().Advance(absl::Hours(20));
  EXPECT_FALSE(IsLagging());
}

TEST_F(WindowTest, AVisitPutBehindALateEdgeComesAtOnce) {
  Set(2, kUnbounded);
  clock().Advance(absl::Minutes(50));
  Put({VisitAt(1, 2.5)});
  EXPECT_EQ(SeenBy(), Visits{1});
}

// ---- Clocks that are set

TEST_F(WindowTest, AClockSetForwardIsFollowedAndSetBackTakesNothingAway) {
  Put({VisitAt(1, 1), VisitAt(2, 5)});
  Set(2, kUnbounded);
  clock().SetNow(six_ + absl::Hours(4));
  engine_.Advance(limits::kTaskSleep);
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  clock().SetNow(six_);
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
}

TEST_F(WindowTest, APersonPutsRightWhatAWrongClockMoved) {
  Put({VisitAt(1, 1)});
  Set(2, 24);
  clock().SetNow(six_ + absl::Hours(24 * 3'650));
  engine_.Advance(limits::kTaskSleep);
  clock().SetNow(six_);
  Put({VisitAt(2, 3)});
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  Set(1, 48);
  EXPECT_EQ(SeenBy(), (Visits{1}));
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(SeenBy(), (Visits{1, 2}));
  EXPECT_EQ(Tasks(), 1u);
}

TEST_F(WindowTest, NobodyWaitsForAClockThatIsSetBack) {
  Put({VisitAt(1, 5)});
  Set(10, kUnbounded);
  clock().SetNow(six_ + absl::Hours(1));
  SetAlone(1, kUnbounded);
  clock().SetNow(six_ - absl::Hours(100));
  EXPECT_TRUE(IsLagging());
  engine_.executor().RunAll();
  EXPECT_FALSE(IsLagging());
  EXPECT_EQ(SeenBy(), Visits{});
}

TEST_F(WindowTest, ATaskPutFarAwayByAWrongClockIsBroughtBackByTheNextVisit) {
  Set(kUnbounded, 24);
  clock().SetNow(six_ + absl::Hours(10));
  engine_.Advance(limits::kTaskSleep);
  clock().SetNow(six_);
  EXPECT_GT(Edges().next_due_us(), absl::ToUnixMicros(six_ + absl::Hours(10)));
  Put({VisitAt(1, 1)});
  EXPECT_LE(Edges().next_due_us(), absl::ToUnixMicros(six_ + limits::kWindowSleep));
  EXPECT_EQ(Tasks(), 1u);
  engine_.Advance(absl::Hours(27));
  EXPECT_EQ(SeenBy(), Visits{});
}

TEST_F(WindowTest, AWrongClockCannotEmptyAFleet) {
  Put({VisitAt(1, -1), VisitAt(2, 23), VisitAt(3, 47), VisitAt(4, 71)});
  Set(kUnbounded, 24);
  clock().SetNow(six_ + absl::Hours(24 * 365));
  engine_.Advance(limits::kTaskSleep);
  // One day at once: what ended by then is gone, no more.
  const int64_t first = Edges().closing().time_us();
  EXPECT_EQ(first, absl::ToUnixMicros(six_));
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3, 4}));
  engine_.Advance(absl::Minutes(59));
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3, 4}));
  engine_.Advance(absl::Minutes(2));
  EXPECT_EQ(SeenBy(), (Visits{2, 3, 4}));
  EXPECT_LE(Edges().closing().time_us(), absl::ToUnixMicros(six_ + absl::Hours(25)));
  // Put right within the hour, the clock does no more harm.
  clock().SetNow(six_ + absl::Hours(1));
  engine_.Advance(absl::Hours(5));
  EXPECT_EQ(SeenBy(), (Visits{2, 3, 4}));
}

TEST_F(WindowTest, AServerThatWasAwayForDaysMovesOneDayAtItsStart) {
  engine_.CreateTenant(tenant_);
  Put({VisitAt(1, 1), VisitAt(2, 30), VisitAt(3, 60)});
  Set(kUnbounded, 24);
  fakes::Engine later(engine_.memory().Copy(), 2);
  const auto seen = [&] { return fakes::SeenBy(*later.Snapshot(), tenant_, CarerReceiver(CarerName(1).id)); };
  later.clock().SetNow(six_ + absl::Hours(200));
  later.Advance(limits::kTaskSleep);
  EXPECT_TRUE(seen().contains(VisitName(1)));
  later.Advance(absl::Hours(1));
  EXPECT_FALSE(seen().contains(VisitName(1)));
  EXPECT_TRUE(seen().contains(VisitName(2)));
  later.Advance(absl::Hours(4));
  EXPECT_FALSE(seen().contains(VisitName(3)));
}

TEST_F(WindowTest, APersonMayTakeAwayYearsAtOnce) {
  Put({VisitAt(1, -24 * 300), VisitAt(2, -24 * 30), VisitAt(3, -1)});
  Set(kUnbounded, 24 * 366);
  EXPECT_EQ(SeenBy(), (Visits{1, 2, 3}));
  Set(kUnbounded, 24);
  EXPECT_EQ(SeenBy(), Visits{3});
}

// ---- The task

TEST_F(WindowTest, ThereIsOneTaskAndAnotherOneDoesNothing) {
  Put({VisitAt(1, 3)});
  Set(2, 24);
  Put({VisitAt(2, 2.5), VisitAt(3, 2.2)});
  EXPECT_EQ(Tasks(), 1u);
  const std::string before = Edges().SerializeAsString();
  ASSERT_TRUE(engine_
                  .Run(tenant_,
                       [](commit::Transaction& transaction) {
                         commit::ScheduleTask(transaction, transaction.now(), "another", kWindowTask, "17");
                         return absl::OkStatus();
                       })
                  .ok());
  EXPECT_EQ(Tasks(), 1u);
  EXPECT_EQ(Edges().SerializeAsString(), before);
}

TEST_F(WindowTest, TheSameLengthsAgainChangeNothing) {
  Set(2, 24);
  const base::Revision before = engine_.Head(tenant_);
  Set(2, 24);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

// Thousands of visits that begin at one time.
class LargeWindowTest : public WindowTest {
 protected:
  static constexpr int kVisits = 9'000;

  void PutVisits(double hour) {
    for (int first = 1; first <= kVisits; first += 500) {
      std::vector<store::Record> visits;
      for (int number = first; number < first + 500; ++number) visits.push_back(VisitAt(100 + number, hour));
      Put(visits);
    }
  }
  size_t CountSeen() const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(1).id)).size();
  }
  // The most entries of the carer's feed under one revision.
  size_t MostInOneCommit() const {
    std::map<base::Revision, size_t> commits;
    const auto scanned = engine_.Snapshot()->Scan(
        storage::Space::kFeeds,
        base::keys::FeedEntriesAfter(tenant_, CarerReceiver(CarerName(1).id), 0, base::RecordKey()), 1'000'000,
        [&commits](std::string_view key, std::string_view) {
          base::Revision revision = 0;
          base::RecordKey record;
          if (base::keys::ParseFeedEntry(key, &revision, &record)) ++commits[revision];
          return true;
        });
    size_t most = scanned.ok() ? 0 : 1'000'000;
    for (const auto& [revision, entries] : commits) most = std::max(most, entries);
    return most;
  }
};

TEST_F(LargeWindowTest, EdgesMoveInStepsOfBoundedCommits) {
  Set(2, 24);
  PutVisits(3);
  EXPECT_EQ(CountSeen(), 1u);
  clock().Advance(absl::Hours(1));
  // Between two steps a part has come; nobody is called caught up before the last.
  clock().Advance(absl::Minutes(2));
  while (CountSeen() == 1) ASSERT_TRUE(engine_.executor().RunOne());
  EXPECT_LT(CountSeen(), kVisits);
  EXPECT_TRUE(IsLagging());
  engine_.executor().RunAll();
  EXPECT_EQ(CountSeen(), kVisits + 2u);
  EXPECT_LE(MostInOneCommit(), limits::kFanOutEntries);
  EXPECT_FALSE(IsLagging());

  Set(1, 24);
  EXPECT_EQ(CountSeen(), 1u);
  EXPECT_LE(MostInOneCommit(), limits::kFanOutEntries);
  Set(2, 24);
  EXPECT_EQ(CountSeen(), kVisits + 2u);
  engine_.Advance(absl::Hours(28));
  EXPECT_EQ(CountSeen(), 1u);
  EXPECT_LE(MostInOneCommit(), limits::kFanOutEntries);
}

TEST_F(LargeWindowTest, AVisitPutBetweenTwoStepsIsRightAtOnce) {
  Set(10, kUnbounded);
  PutVisits(8);
  SetAlone(2, kUnbounded);
  CommitAlone([this](commit::Transaction& transaction) -> absl::Status {
    RecordStore records(transaction);
    RETURN_IF_ERROR(records.Put(VisitAt(1, 9)).status());
    return records.Put(VisitAt(2, 1)).status();
  });
  EXPECT_TRUE(IsLagging());
  EXPECT_EQ(SeenBy(), Visits{2});
  EXPECT_GT(CountSeen(), 3u);
  engine_.executor().RunAll();
  EXPECT_EQ(CountSeen(), 3u);
  EXPECT_FALSE(IsLagging());
}

}  // namespace
}  // namespace caresync::records

#include "server/records/record_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/feed/feed_reader.h"
#include "server/records/fan_out_walk.h"
#include "server/records/grants.h"
#include "tests/fakes/feeds.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

using Names = std::set<RecordName>;

class RecordStoreTest : public testing::Test {
 protected:
  PutOutcome Put(const std::vector<store::Record>& records) { return PutAll(engine_, tenant_, records); }

  void PutEvent(int number, const v1::CareEvent& event, const store::Record& parent) {
    RunRecords(engine_, tenant_,
               [&](RecordStore& records) { return records.PutCareEvent(EventRecord(number, event), parent); });
  }

  // Carers 1 to 3, service users 1 and 2.
  void PutPeople() {
    Put({CarerRecord(1), CarerRecord(2), CarerRecord(3), ServiceUserRecord(1), ServiceUserRecord(2)});
  }

  Names SeenByCarer(int carer) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(carer).id));
  }
  Names SeenBySource(const std::string& source) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, SourceReceiver(source));
  }
  base::Revision EntryOf(int carer, const RecordName& record) const {
    return fakes::HeldBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(carer).id)).at(record).revision;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(RecordStoreTest, ACarerSeesItsOwnRecord) {
  Put({CarerRecord(1), CarerRecord(2)});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_EQ(SeenByCarer(2), Names{CarerName(2)});
}

TEST_F(RecordStoreTest, AnAssignedCarerSeesTheVisitAndItsServiceUser) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1)}));
  EXPECT_EQ(SeenByCarer(2), Names{CarerName(2)});
}

TEST_F(RecordStoreTest, PeopleWhoComeAfterTheirVisitReachItsCarers) {
  Put({VisitRecord(1, 1, {1, 2})});
  EXPECT_EQ(SeenByCarer(1), Names{VisitName(1)});
  PutPeople();
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), CarerName(2), ServiceUserName(1), VisitName(1)}));
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(1), CarerName(2), ServiceUserName(1), VisitName(1)}));
}

TEST_F(RecordStoreTest, CarersOfADoubleUpVisitSeeEachOther) {
  PutPeople();
  Put({VisitRecord(1, 1, {1, 2})});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), CarerName(2), ServiceUserName(1), VisitName(1)}));
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(1), CarerName(2), ServiceUserName(1), VisitName(1)}));
  Put({CarerRecord(2, "Another name")});
  EXPECT_EQ(EntryOf(1, CarerName(2)), engine_.Head(tenant_));
}

TEST_F(RecordStoreTest, AReassignedVisitMovesWithAllThatCameWithIt) {
  PutPeople();
  Put({VisitRecord(1, 1, {1, 2})});
  Put({VisitRecord(1, 1, {2, 3})});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(2), CarerName(3), ServiceUserName(1), VisitName(1)}));
  EXPECT_EQ(SeenByCarer(3), (Names{CarerName(2), CarerName(3), ServiceUserName(1), VisitName(1)}));
}

TEST_F(RecordStoreTest, ASharedServiceUserStaysUntilTheLastVisitGoes) {
  PutPeople();
  Put({VisitRecord(1, 1, {1, 2}), VisitRecord(2, 1, {1})});
  Put({VisitRecord(1, 1, {3})});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(2)}));
  Put({VisitRecord(2, 1, {3})});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
}

TEST_F(RecordStoreTest, ACancelledVisitLeavesTheDevicesAndComesBackWhenItIsOnAgain) {
  PutPeople();
  store::Record visit = VisitRecord(1, 1, {1});
  Put({visit});
  visit.set_cancelled(true);
  EXPECT_EQ(Put({visit}), PutOutcome::kUpdated);
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_TRUE(GetRecord(*engine_.Snapshot(), tenant_, KeyOf(VisitName(1)))->has_value());
  visit.set_cancelled(false);
  Put({visit});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1)}));
}

TEST_F(RecordStoreTest, AVisitIsSeenOnlyWhilePublished) {
  PutPeople();
  store::Record visit = VisitRecord(1, 1, {1});
  visit.set_published(false);
  Put({visit});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  visit.set_published(true);
  Put({visit});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1)}));
  visit.set_published(false);
  Put({visit});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
}

TEST_F(RecordStoreTest, AVisitOfAnotherServiceUserBringsThatOneInstead) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  Put({VisitRecord(1, 2, {1})});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(2), VisitName(1)}));
}

TEST_F(RecordStoreTest, AChangedServiceUserMovesInTheFeedsOfThoseWhoSeeIt) {
  PutPeople();
  Put({VisitRecord(1, 1, {1, 2})});
  const base::Revision before = EntryOf(1, VisitName(1));
  Put({ServiceUserRecord(1, "Mary")});
  EXPECT_EQ(EntryOf(1, ServiceUserName(1)), engine_.Head(tenant_));
  EXPECT_EQ(EntryOf(2, ServiceUserName(1)), engine_.Head(tenant_));
  EXPECT_EQ(EntryOf(1, VisitName(1)), before);
}

TEST_F(RecordStoreTest, WhatIsThereAlreadyTakesNoRevision) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  const base::Revision before = engine_.Head(tenant_);
  store::Record again = VisitRecord(1, 1, {1});
  again.mutable_origin()->set_changed_time_us(7);
  EXPECT_EQ(Put({again}), PutOutcome::kUnchanged);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(RecordStoreTest, AChangeThatNoDeviceGetsMovesNoEntry) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  const base::Revision before = EntryOf(1, VisitName(1));
  store::Record newer = VisitRecord(1, 1, {1});
  newer.mutable_origin()->set_source_version(5);
  EXPECT_EQ(Put({newer}), PutOutcome::kUpdated);
  EXPECT_EQ(EntryOf(1, VisitName(1)), before);
}

TEST_F(RecordStoreTest, TheLastOfSeveralWritesInOneChangeCounts) {
  PutPeople();
  Put({VisitRecord(1, 1, {1}, "first"), VisitRecord(1, 2, {1, 2}, "second"), VisitRecord(1, 2, {2}, "third")});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(2), ServiceUserName(2), VisitName(1)}));
  Put({ServiceUserRecord(2, "one name"), ServiceUserRecord(2, "the other")});
  const store::Record stored = **GetRecord(*engine_.Snapshot(), tenant_, KeyOf(ServiceUserName(2)));
  const auto held = fakes::HeldBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(2).id));
  EXPECT_EQ(held.at(ServiceUserName(2)).fingerprint, stored.fingerprint());
}

// Its bytes are marked in the record's row: whoever worked it out again would not give the mark.
TEST_F(RecordStoreTest, AFingerprintIsWorkedOutOnceAVersionAndCopiedToEveryFeed) {
  constexpr uint64_t kMark = 1;
  const auto mark = [&](const RecordName& name) {
    store::Record stored = **GetRecord(*engine_.Snapshot(), tenant_, KeyOf(name));
    stored.set_fingerprint(kMark);
    const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, base::keys::Record(tenant_, KeyOf(name)), stored.SerializeAsString());
      return absl::OkStatus();
    });
    ASSERT_TRUE(committed.ok()) << committed.status();
  };
  const auto held = [&](int carer, const RecordName& record) {
    return fakes::HeldBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(carer).id)).at(record).fingerprint;
  };
  PutPeople();
  mark(ServiceUserName(1));
  Put({VisitRecord(1, 1, {1, 2})});
  EXPECT_EQ(held(1, ServiceUserName(1)), kMark);
  EXPECT_EQ(held(2, ServiceUserName(1)), kMark);
  mark(VisitName(1));
  store::Record visit = VisitRecord(1, 1, {1, 2});
  visit.set_cancelled(true);
  Put({visit});
  visit.set_cancelled(false);
  Put({visit});
  EXPECT_EQ(held(1, VisitName(1)), kMark);
  Put({VisitRecord(1, 1, {1, 2}, "another version")});
  EXPECT_NE(held(1, VisitName(1)), kMark);
}

TEST_F(RecordStoreTest, ARolledBackPutLeavesNoTrace) {
  PutPeople();
  RunRecords(engine_, tenant_, [](RecordStore& records) -> absl::Status {
    RETURN_IF_ERROR(records.Put(VisitRecord(1, 1, {1})).status());
    const RecordStore::Mark mark = records.SetMark();
    RETURN_IF_ERROR(records.Put(VisitRecord(2, 2, {1, 2})).status());
    records.RollBackTo(mark);
    return absl::OkStatus();
  });
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1)}));
  EXPECT_EQ(SeenByCarer(2), Names{CarerName(2)});
}

TEST_F(RecordStoreTest, TheTimeOfCreationStays) {
  Put({ServiceUserRecord(1)});
  const store::Record created = **GetRecord(*engine_.Snapshot(), tenant_, KeyOf(ServiceUserName(1)));
  engine_.Advance(absl::Hours(1));
  Put({ServiceUserRecord(1, "Mary")});
  const store::Record updated = **GetRecord(*engine_.Snapshot(), tenant_, KeyOf(ServiceUserName(1)));
  EXPECT_EQ(updated.created_time_us(), created.created_time_us());
  EXPECT_EQ(updated.version(), engine_.Head(tenant_));
  EXPECT_LT(created.version(), updated.version());
}

TEST_F(RecordStoreTest, EventsFollowTheirVisit) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  PutEvent(1, NoteEvent(1, VisitName(1)), VisitRecord(1, 1, {1}));
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1), EventName(1)}));
  Put({VisitRecord(1, 1, {2})});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(2), ServiceUserName(1), VisitName(1), EventName(1)}));
  EXPECT_EQ(SeenBySource("planner"), Names{EventName(1)});
}

TEST_F(RecordStoreTest, EventsOnAServiceUserFollowTheServiceUser) {
  PutPeople();
  Put({VisitRecord(1, 1, {1}), VisitRecord(2, 1, {2})});
  PutEvent(1, NoteEvent(1, ServiceUserName(1)), ServiceUserRecord(1));
  EXPECT_TRUE(SeenByCarer(1).contains(EventName(1)));
  EXPECT_TRUE(SeenByCarer(2).contains(EventName(1)));
  EXPECT_FALSE(SeenByCarer(3).contains(EventName(1)));
  Put({VisitRecord(2, 2, {2})});
  EXPECT_FALSE(SeenByCarer(2).contains(EventName(1)));
}

TEST_F(RecordStoreTest, WhoSeesAnEventIsToldByTheGrants) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  PutEvent(1, NoteEvent(1, VisitName(1)), VisitRecord(1, 1, {1}));
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  const base::RecordKey event = KeyOf(EventName(1));
  EXPECT_TRUE(*IsVisible(*snapshot, tenant_, event, CarerReceiver(CarerName(1).id)));
  EXPECT_FALSE(*IsVisible(*snapshot, tenant_, event, CarerReceiver(CarerName(2).id)));
  EXPECT_TRUE(*IsVisible(*snapshot, tenant_, event, SourceReceiver("planner")));
  EXPECT_FALSE(*IsVisible(*snapshot, tenant_, event, SourceReceiver("other")));
}

// Requirement: I9
TEST_F(RecordStoreTest, EventsOnAHandMadeRecordGoToNoSource) {
  PutPeople();
  store::Record visit = VisitRecord(1, 1, {1});
  visit.clear_origin();
  Put({visit});
  PutEvent(1, NoteEvent(1, VisitName(1)), visit);
  EXPECT_TRUE(SeenByCarer(1).contains(EventName(1)));
  EXPECT_EQ(SeenBySource("planner"), Names{});
  EXPECT_EQ(SeenBySource(""), Names{});
}

// Requirement: I3
TEST_F(RecordStoreTest, TwoSourcesGetTheEventsOnTheirOwnRecordsOnly) {
  PutPeople();
  const store::Record planner_visit = VisitRecord(1, 1, {1});
  store::Record other_visit = VisitRecord(2, 1, {1});
  other_visit.mutable_origin()->set_source("other");
  Put({planner_visit, other_visit});
  PutEvent(1, NoteEvent(1, VisitName(1)), planner_visit);
  PutEvent(2, NoteEvent(1, VisitName(2)), other_visit);
  EXPECT_EQ(SeenBySource("planner"), Names{EventName(1)});
  EXPECT_EQ(SeenBySource("other"), Names{EventName(2)});
}

TEST_F(RecordStoreTest, TenantsNeverMeet) {
  const base::TenantId other = fakes::Tenant("acme-2");
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  PutAll(engine_, other, {CarerRecord(1)});
  EXPECT_EQ(fakes::SeenBy(*engine_.Snapshot(), other, CarerReceiver(CarerName(1).id)), Names{CarerName(1)});
}

TEST_F(RecordStoreTest, HoldersAreListedOnceUpToAsManyAsAsked) {
  PutPeople();
  Put({VisitRecord(1, 1, {1, 2, 3}), VisitRecord(2, 1, {1, 2, 3})});
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  EXPECT_EQ(HoldersOf(*snapshot, tenant_, KeyOf(ServiceUserName(1)), 5)->size(), 3u);
  EXPECT_EQ(HoldersOf(*snapshot, tenant_, KeyOf(ServiceUserName(1)), 1)->size(), 1u);
  EXPECT_TRUE(HoldersOf(*snapshot, tenant_, KeyOf(ServiceUserName(2)), 5)->empty());
}

// Removals past the bound are forgotten by a task: what is kept is the records and the recent removals.
TEST_F(RecordStoreTest, AFeedDoesNotOutgrowItsRecordsAndTheRecentRemovals) {
  PutPeople();
  const int visits = static_cast<int>(base::limits::kFeedRemovals) + 200;
  for (const int carer : {1, 2}) {
    for (int first = 1; first <= visits; first += 500) {
      std::vector<store::Record> records;
      for (int number = first; number < std::min(first + 500, visits + 1); ++number) {
        records.push_back(VisitRecord(number, 1, {carer}));
      }
      Put(records);
    }
  }
  const feed::FeedSummary summary = *feed::ReadSummary(*engine_.Snapshot(), tenant_, CarerFeed(1));
  EXPECT_EQ(summary.count, 1u);
  EXPECT_LE(summary.removals, summary.count + base::limits::kFeedRemovals);
  EXPECT_GT(summary.removals, 0u);
  EXPECT_GT(summary.horizon.revision, 0u);
  const feed::FeedSummary others = *feed::ReadSummary(*engine_.Snapshot(), tenant_, CarerFeed(2));
  EXPECT_EQ(others.count, static_cast<uint64_t>(visits) + 2);
  EXPECT_EQ(others.removals, 0u);
}

// A service user whom as many carers see as one commit may touch.
class LargeFanOutTest : public RecordStoreTest {
 protected:
  void SetUp() override {
    RunRecords(engine_, tenant_, [](RecordStore& records) {
      for (int carer = 0; carer < static_cast<int>(base::limits::kFanOutEntries); ++carer) {
        AddGrant(records.transaction(), {KeyOf(ServiceUserName(1)), CarerReceiver(CarerName(carer).id), "a visit"});
      }
      return absl::OkStatus();
    });
  }
};

TEST_F(LargeFanOutTest, IsDoneAtOnceUpToTheBoundAndByATaskPastIt) {
  const base::Revision before = engine_.Head(tenant_);
  Put({ServiceUserRecord(1)});
  EXPECT_EQ(engine_.Head(tenant_), before + 1);
  const int one_more = static_cast<int>(base::limits::kFanOutEntries);
  Put({VisitRecord(1, 1, {one_more})});
  const base::Revision unchanged = engine_.Head(tenant_);
  Put({ServiceUserRecord(1, "Mary")});
  // The change, and the steps of its task.
  constexpr size_t kSteps = base::limits::kFanOutEntries / base::limits::kFanOutStepEntries + 1;
  EXPECT_EQ(engine_.Head(tenant_), unchanged + 1 + kSteps);
  for (const int carer : {0, 1, one_more - 1, one_more}) {
    EXPECT_GT(EntryOf(carer, ServiceUserName(1)), unchanged) << carer;
  }
}

TEST_F(LargeFanOutTest, WhatDoesNotFitIntoACommitBecomesATask) {
  base::Revision head = 0;
  RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
    head = records.transaction().revision();
    RETURN_IF_ERROR(records.Put(ServiceUserRecord(1)).status());
    return records.Put(CarerRecord(1)).status();
  });
  EXPECT_EQ(engine_.Head(tenant_), head + 1);
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1)}));
}

TEST_F(RecordStoreTest, AStoredVisitThatCannotBeReadIsDamageAndNotTheEndOfTheServer) {
  PutPeople();
  v1::Visit nobodys;
  nobodys.set_service_user_id("nobody");
  v1::Visit unassigned;
  unassigned.set_service_user_id(ServiceUserName(1).id.ToString());
  unassigned.add_assignments()->set_carer_id("nobody");
  for (const std::string& payload :
       {std::string("\xff"), nobodys.SerializeAsString(), unassigned.SerializeAsString()}) {
    store::Record damaged = VisitRecord(1, 1, {1});
    damaged.set_payload(payload);
    const absl::StatusOr<commit::Committed> put = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, base::keys::Record(tenant_, KeyOf(VisitName(1))),
                      damaged.SerializeAsString());
      RecordStore records(transaction);
      return records.Put(VisitRecord(1, 1, {1, 2})).status();
    });
    EXPECT_EQ(base::Reason(put.status()), "DAMAGED_ROW") << payload;
  }
}

TEST_F(RecordStoreTest, AParentStoredUnderAnIdThatIsNoneIsDamageToo) {
  PutPeople();
  Put({VisitRecord(1, 1, {1})});
  store::Record damaged = VisitRecord(1, 1, {1});
  damaged.set_record_id("nobody");
  const absl::StatusOr<commit::Committed> put = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    RecordStore records(transaction);
    return records.PutCareEvent(EventRecord(1, NoteEvent(1, VisitName(1))), damaged);
  });
  EXPECT_EQ(base::Reason(put.status()), "DAMAGED_ROW");
}

TEST_F(RecordStoreTest, ManyAreReadAtOnceInTheOrderAskedFor) {
  PutPeople();
  const auto found =
      GetRecords(*engine_.Snapshot(), tenant_,
                 {KeyOf(CarerName(2)), KeyOf(CarerName(9)), KeyOf(ServiceUserName(1)), KeyOf(CarerName(2))});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 4u);
  EXPECT_EQ((*found)[0]->record_id(), CarerName(2).id.ToString());
  EXPECT_FALSE((*found)[1].has_value());
  EXPECT_EQ((*found)[2]->record_id(), ServiceUserName(1).id.ToString());
  EXPECT_EQ((*found)[3]->record_id(), CarerName(2).id.ToString());
  EXPECT_TRUE(GetRecords(*engine_.Snapshot(), tenant_, {})->empty());
}

}  // namespace
}  // namespace caresync::records

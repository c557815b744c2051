#include "server/records/review_resolution.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/care_events.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/feeds.h"
#include "tests/records/fan_out_bench.h"
#include "tests/records/review_items.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

class ReviewResolutionTest : public testing::Test {
 protected:
  // Carers 1 and 2, service user 1 with visit 1 of carer 1. Visit 9 is not known.
  void SetUp() override {
    PutAll(engine_, tenant_,
           {CarerRecord(1), CarerRecord(2), ServiceUserRecord(1), ServiceUserRecord(2), VisitRecord(1, 1, {1})});
  }

  v1::EventResult Take(int number, int carer, const v1::CareEvent& event) {
    v1::UploadedEvent upload;
    upload.set_sequence(static_cast<uint64_t>(number));
    upload.set_event_id(EventName(number).id.ToString());
    upload.set_event(event.SerializeAsString());
    return Take(carer, upload);
  }

  v1::EventResult Take(int carer, const v1::UploadedEvent& upload) {
    v1::EventResult result;
    RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
      ASSIGN_OR_RETURN(result, TakeEvent(records, {device_, CarerName(carer).id}, upload));
      return absl::OkStatus();
    });
    return result;
  }

  // As many rows of events as may hang on the record: nothing reads the events themselves.
  void Fill(const RecordName& parent) {
    RunRecords(engine_, tenant_, [&](RecordStore& records) {
      for (size_t i = 0; i < base::limits::kEventsOfRecord; ++i) {
        const base::RecordKey event = KeyOf(EventName(1'000 + static_cast<int>(i)));
        records.transaction().Put(storage::Space::kRecords, base::keys::Child(tenant_, KeyOf(parent), event), "");
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Resolved> Rule(const ReviewName& name, const Ruling& ruling) {
    absl::StatusOr<Resolved> resolved;
    const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      RecordStore records(transaction);
      resolved = Resolve(records, name, ruling);
      return resolved.status();
    });
    return committed.ok() ? resolved : absl::StatusOr<Resolved>(committed.status());
  }

  static Ruling Apply(std::optional<RecordName> visit = std::nullopt) {
    return {v1::RESOLUTION_APPLIED, visit, "", "ann"};
  }
  static Ruling Unplanned(std::optional<RecordName> service_user = std::nullopt) {
    return {v1::RESOLUTION_ACCEPTED_AS_UNPLANNED, service_user, "", "ann"};
  }
  static Ruling Discard(const std::string& note) { return {v1::RESOLUTION_DISCARDED, std::nullopt, note, "ann"}; }

  std::vector<KeptReview> Waiting() const { return ReviewsIn(*engine_.Snapshot(), tenant_, false); }
  ReviewName OnlyOne() const {
    EXPECT_EQ(Waiting().size(), 1u);
    return Waiting().at(0).name;
  }
  bool Sees(int carer, int event) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(carer).id)).contains(EventName(event));
  }
  void ChangeRow(const ReviewName& name, const std::function<void(store::ReviewItem&)>& change) {
    const auto put = [&](commit::Transaction& transaction) -> absl::Status {
      store::ReviewItem item = **GetReview(transaction, tenant_, name);
      change(item);
      transaction.Put(storage::Space::kRecords, base::keys::ReviewItem(tenant_, name.event_id, name.digest),
                      item.SerializeAsString());
      return absl::OkStatus();
    };
    ASSERT_TRUE(engine_.Run(tenant_, put).ok());
  }
  std::optional<v1::CareEvent> Stored(int number) const {
    const auto record = *GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(number)));
    if (!record.has_value()) return std::nullopt;
    v1::CareEvent event;
    EXPECT_TRUE(event.ParseFromString(record->payload()));
    return event;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
};

TEST_F(ReviewResolutionTest, AnEventOnAnUnknownVisitIsTakenWhenTheVisitComes) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 1, NoteEvent(1, VisitName(9), "And later"));
  ASSERT_EQ(Waiting().size(), 2u);
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {1, 2})});
  EXPECT_TRUE(Waiting().empty());
  EXPECT_TRUE(Sees(1, 1));
  EXPECT_TRUE(Sees(2, 1));
  EXPECT_TRUE(Sees(1, 2));
  const std::vector<KeptReview> resolved = ReviewsIn(*engine_.Snapshot(), tenant_, true);
  ASSERT_EQ(resolved.size(), 2u);
  EXPECT_EQ(resolved[0].item.resolution(), v1::RESOLUTION_BY_ITSELF);
  EXPECT_EQ(resolved[0].item.resolved_by(), "");
  // The device that sends it again hears that it took effect, and nothing happens twice.
  const v1::EventResult again = Take(1, 1, NoteEvent(1, VisitName(9)));
  EXPECT_EQ(again.outcome(), v1::EVENT_OUTCOME_KNOWN);
  EXPECT_EQ(again.review_reason(), v1::REVIEW_REASON_UNSPECIFIED);
}

TEST_F(ReviewResolutionTest, AnEventWaitsWhereTheVisitThatComesIsNotItsCarers) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {2})});
  EXPECT_EQ(Waiting().size(), 1u);
  EXPECT_FALSE(Sees(2, 1));
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {2, 1})});
  EXPECT_TRUE(Waiting().empty());
  EXPECT_TRUE(Sees(2, 1));
}

TEST_F(ReviewResolutionTest, AnEventOnAServiceUserIsTakenWhenTheCarerMaySeeThem) {
  Take(1, 1, NoteEvent(1, ServiceUserName(2)));
  ASSERT_EQ(Waiting().size(), 1u);
  PutAll(engine_, tenant_, {VisitRecord(5, 2, {1})});
  EXPECT_TRUE(Waiting().empty());
  EXPECT_TRUE(Sees(1, 1));
}

TEST_F(ReviewResolutionTest, OneOnAServiceUserThatAPersonMustTakeHoldsNoOtherUp) {
  Take(1, 1, NoteEvent(1, ServiceUserName(1)));
  Take(1, 1, NoteEvent(1, ServiceUserName(1), "under the same ID"));
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2})});
  Take(2, 1, NoteEvent(1, ServiceUserName(1), "And later"));
  ASSERT_EQ(Waiting().size(), 2u);
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {1})});
  ASSERT_EQ(Waiting().size(), 1u);
  EXPECT_EQ(Waiting()[0].item.reason(), v1::REVIEW_REASON_EVENT_ID_REUSED);
  EXPECT_TRUE(Sees(1, 2));
}

TEST_F(ReviewResolutionTest, OneOnAServiceUserThatIsNoLongerUnderstoodHoldsNoOtherUp) {
  Take(1, 1, NoteEvent(1, ServiceUserName(2)));
  Take(2, 1, NoteEvent(1, ServiceUserName(2), "And later"));
  ChangeRow(Waiting().at(0).name, [](store::ReviewItem& item) { item.set_event("no event"); });
  PutAll(engine_, tenant_, {VisitRecord(5, 2, {1})});
  EXPECT_TRUE(Sees(1, 2));
  ASSERT_EQ(Waiting().size(), 1u);
  EXPECT_TRUE(Waiting()[0].item.waits_on().empty()) << "it is a person's now, and read no more with the others";
}

// While a fan-out is under way a feed may still hold what its carer may not see any more: then nothing appears in it
// when the carer may see it again.
TEST(ReviewResolution, AnEventOnAServiceUserIsTakenThoughTheFeedNeverLostIt) {
  storage::MemoryStore store;
  FanOutBench bench(store, {.moved = 2, .looked = 16, .rows = 20'000});
  bench.Change([](RecordStore& records) -> absl::Status {
    for (const int carer : {1, 2, 3, 4, 5}) RETURN_IF_ERROR(records.Put(CarerRecord(carer)).status());
    RETURN_IF_ERROR(records.Put(ServiceUserRecord(1)).status());
    RETURN_IF_ERROR(records.Put(GroupRecord(1, {1, 2, 3, 4, 5})).status());
    return records.SetAccess(KeyOf(ServiceUserName(1)), {GroupHolderOf(1)}).status();
  });
  bench.RunAll();
  bench.Change([](RecordStore& records) { return records.SetAccess(KeyOf(ServiceUserName(1)), {}).status(); });
  ASSERT_EQ(bench.FanOuts().size(), 1u);
  bench.Change([](RecordStore& records) -> absl::Status {
    v1::UploadedEvent upload;
    upload.set_sequence(1);
    upload.set_event_id(EventName(1).id.ToString());
    upload.set_event(NoteEvent(1, ServiceUserName(1)).SerializeAsString());
    const base::Uuid device = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
    ASSIGN_OR_RETURN(const v1::EventResult result, TakeEvent(records, {device, CarerName(1).id}, upload));
    EXPECT_EQ(result.review_reason(), v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE);
    return absl::OkStatus();
  });
  bench.Change(
      [](RecordStore& records) { return records.SetAccess(KeyOf(ServiceUserName(1)), {CarerFeed(1)}).status(); });
  bench.RunAll();

  for (const auto& [key, row] :
       fakes::RowsOf(*bench.Snapshot(), storage::Space::kRecords, base::keys::AllTasks(bench.tenant()))) {
    const absl::StatusOr<store::Task> task = base::ParseStored<store::Task>(row);
    ASSERT_TRUE(task.ok() && task->kind() == kReviewTask);
    bench.Change([&](RecordStore& records) { return ReviewStep(records.transaction(), task->payload()); });
  }
  EXPECT_TRUE(ReviewsIn(*bench.Snapshot(), bench.tenant(), false).empty());
  EXPECT_EQ(ReviewsIn(*bench.Snapshot(), bench.tenant(), true).size(), 1u);
}

TEST_F(ReviewResolutionTest, ManyAreTakenInTheirOrderOverSeveralCommits) {
  const int count = static_cast<int>(base::limits::kFollowersPerCommit) * 2 + 5;
  for (int i = 1; i <= count; ++i) Take(i, 1, NoteEvent(1, VisitName(9), std::to_string(i)));
  const base::Revision before = engine_.Head(tenant_);
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {1})});
  EXPECT_TRUE(Waiting().empty());
  EXPECT_EQ(engine_.Head(tenant_), before + 1 + 3);
  base::Revision last = 0;
  for (int i = 1; i <= count; ++i) {
    const base::Revision version = (*GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(i))))->version();
    EXPECT_GE(version, last) << i;
    last = version;
  }
}

TEST_F(ReviewResolutionTest, APersonAppliesAnEventToAnotherVisitAndItsFollowersGoAlong) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 1, NoteEvent(1, VisitName(9), "And later"));
  const ReviewName first = Waiting().at(0).name;
  const auto resolved = Rule(first, Apply(VisitName(1)));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->followers, 1u);
  EXPECT_EQ(resolved->item.resolved_by(), "ann");
  EXPECT_TRUE(Waiting().empty());
  EXPECT_EQ(Stored(1)->visit_id(), VisitName(1).id.ToString());
  EXPECT_EQ(Stored(2)->visit_id(), VisitName(1).id.ToString());
  EXPECT_EQ(Stored(2)->note().text(), "And later");
  EXPECT_TRUE(Sees(1, 2));
  // The item keeps the bytes as they came.
  EXPECT_EQ(resolved->item.event(), NoteEvent(1, VisitName(9)).SerializeAsString());
}

TEST_F(ReviewResolutionTest, ManyFollowersGoAlongWhateverBecomesOfTheirVisitMeanwhile) {
  const int count = static_cast<int>(base::limits::kFollowersPerCommit) + 10;
  for (int i = 1; i <= count; ++i) Take(i, 1, NoteEvent(1, VisitName(9), std::to_string(i)));
  const ReviewName first = Waiting().at(0).name;
  RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
    RETURN_IF_ERROR(Resolve(records, first, Apply(VisitName(1))).status());
    RETURN_IF_ERROR(records.Put(VisitRecord(9, 1, {1})).status());
    return records.Put(VisitRecord(9, 1, {2})).status();
  });
  EXPECT_TRUE(Waiting().empty());
  EXPECT_EQ(Stored(count)->visit_id(), VisitName(1).id.ToString());
}

TEST_F(ReviewResolutionTest, AWordOnALaterEventMovesNoneThatWaitsBeforeIt) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 1, NoteEvent(1, VisitName(9), "And later"));
  Take(3, 1, NoteEvent(1, VisitName(9), "And last"));
  const auto resolved = Rule(Waiting().at(1).name, Apply(VisitName(1)));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->followers, 0u);
  EXPECT_FALSE(Stored(1).has_value());
  EXPECT_TRUE(Stored(2).has_value());
  EXPECT_FALSE(Stored(3).has_value());
}

TEST_F(ReviewResolutionTest, AWordOnAServiceUsersEventIsOfThatOneAlone) {
  Take(1, 2, NoteEvent(2, ServiceUserName(1)));
  Take(2, 2, NoteEvent(2, ServiceUserName(1), "And later"));
  const auto resolved = Rule(Waiting().at(0).name, Unplanned(ServiceUserName(2)));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->followers, 0u);
  EXPECT_EQ(Stored(1)->service_user_id(), ServiceUserName(2).id.ToString());
  EXPECT_FALSE(Stored(2).has_value());
}

TEST_F(ReviewResolutionTest, APersonAppliesAnEventToTheVisitThatTheCarerLost) {
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2})});
  Take(1, 1, NoteEvent(1, VisitName(1)));
  const std::string bytes = NoteEvent(1, VisitName(1)).SerializeAsString();
  ASSERT_TRUE(Rule(OnlyOne(), Apply()).ok());
  EXPECT_EQ((*GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(1))))->payload(), bytes);
  EXPECT_TRUE(Sees(2, 1));
  EXPECT_FALSE(Sees(1, 1));
}

TEST_F(ReviewResolutionTest, AnUnplannedEventHangsOnTheServiceUser) {
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2})});
  Take(1, 1, NoteEvent(1, VisitName(1)));
  ASSERT_TRUE(Rule(OnlyOne(), Unplanned()).ok());
  EXPECT_EQ(Stored(1)->service_user_id(), ServiceUserName(1).id.ToString());
  EXPECT_EQ(Stored(1)->visit_id(), "");
  EXPECT_TRUE(Sees(2, 1));
}

TEST_F(ReviewResolutionTest, ADiscardedEventIsKeptAndItsFollowersAreJudgedByThemselves) {
  v1::CareEvent faulty = NoteEvent(1, VisitName(1));
  faulty.clear_what();
  Take(1, 1, faulty);
  Take(2, 1, NoteEvent(1, VisitName(1)));
  const ReviewName first = Waiting().at(0).name;
  const auto resolved = Rule(first, Discard("a test"));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->followers, 1u);
  EXPECT_TRUE(Waiting().empty());
  EXPECT_FALSE(Stored(1).has_value());
  EXPECT_TRUE(Sees(1, 2));
  EXPECT_EQ((*GetReview(*engine_.Snapshot(), tenant_, first))->resolution_note(), "a test");
}

TEST_F(ReviewResolutionTest, AFollowerThatCannotBeTakenByItselfLeadsAndSaysWhy) {
  v1::CareEvent faulty = NoteEvent(1, VisitName(1));
  faulty.clear_what();
  Take(1, 1, faulty);
  Take(2, 1, NoteEvent(1, VisitName(1)));
  Take(3, 1, NoteEvent(1, VisitName(1)));
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2})});
  ASSERT_TRUE(Rule(Waiting().at(0).name, Discard("a test")).ok());
  const std::vector<KeptReview> waiting = Waiting();
  ASSERT_EQ(waiting.size(), 2u);
  EXPECT_EQ(waiting[0].item.reason(), v1::REVIEW_REASON_CARER_NOT_ASSIGNED);
  EXPECT_EQ(waiting[1].item.reason(), v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW);
}

TEST_F(ReviewResolutionTest, AFollowerThatFindsNoRoomLeadsAndSaysWhy) {
  v1::CareEvent faulty = NoteEvent(1, VisitName(1));
  faulty.clear_what();
  Take(1, 1, faulty);
  Take(2, 1, NoteEvent(1, VisitName(1)));
  Fill(VisitName(1));
  ASSERT_TRUE(Rule(Waiting().at(0).name, Discard("a test")).ok());
  EXPECT_EQ(Waiting().at(0).item.reason(), v1::REVIEW_REASON_TOO_MANY_EVENTS);
}

TEST_F(ReviewResolutionTest, OneThatWouldGoByItselfAndFindsNoRoomSaysSo) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Fill(VisitName(9));
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {1})});
  ASSERT_EQ(Waiting().size(), 1u);
  EXPECT_EQ(Waiting()[0].item.reason(), v1::REVIEW_REASON_TOO_MANY_EVENTS);
}

// As after an update that made a bound narrower.
TEST_F(ReviewResolutionTest, OneThatIsNoLongerUnderstoodWaitsForAPersonAndIsInNobodysWay) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 1, NoteEvent(1, VisitName(9), "And later"));
  ChangeRow(Waiting().at(1).name, [](store::ReviewItem& item) { item.set_event("no event"); });
  ASSERT_TRUE(Rule(Waiting().at(0).name, Apply(VisitName(1))).ok());
  EXPECT_TRUE(Stored(1).has_value());
  ASSERT_EQ(Waiting().size(), 1u);
  EXPECT_TRUE(Rule(Waiting().at(0).name, Discard("a test")).ok());
}

TEST_F(ReviewResolutionTest, OneUnderAUsedIdBecomesARecordOfItsOwn) {
  Take(1, 1, NoteEvent(1, VisitName(1), "First"));
  Take(1, 1, NoteEvent(1, VisitName(1), "Second"));
  ASSERT_TRUE(Rule(OnlyOne(), Apply()).ok());
  EXPECT_EQ(Stored(1)->note().text(), "First");
  size_t events = 0;
  for (const RecordName& name : fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(1).id))) {
    if (name.kind == v1::RECORD_KIND_CARE_EVENT) ++events;
  }
  EXPECT_EQ(events, 2u);
}

TEST_F(ReviewResolutionTest, TheSameWordAgainIsHarmlessAndAnotherIsRefused) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  const ReviewName name = OnlyOne();
  ASSERT_TRUE(Rule(name, Discard("a test")).ok());
  const base::Revision head = engine_.Head(tenant_);
  EXPECT_TRUE(Rule(name, Discard("a test")).ok());
  EXPECT_EQ(engine_.Head(tenant_), head);
  EXPECT_EQ(base::Reason(Rule(name, Discard("another")).status()), "EVENT_RESOLVED");
  EXPECT_EQ(base::Reason(Rule(name, Apply(VisitName(1))).status()), "EVENT_RESOLVED");
}

TEST_F(ReviewResolutionTest, ItsOwnVisitIsAnotherWordThanTheVisitThatItWasAppliedTo) {
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2}), VisitRecord(2, 1, {1})});
  Take(1, 1, NoteEvent(1, VisitName(1)));
  const ReviewName elsewhere = OnlyOne();
  ASSERT_TRUE(Rule(elsewhere, Apply(VisitName(2))).ok());
  EXPECT_EQ(base::Reason(Rule(elsewhere, Apply()).status()), "EVENT_RESOLVED");
  EXPECT_TRUE(Rule(elsewhere, Apply(VisitName(2))).ok());
  Take(2, 1, NoteEvent(1, VisitName(1)));
  const ReviewName own = OnlyOne();
  ASSERT_TRUE(Rule(own, Apply()).ok());
  EXPECT_TRUE(Rule(own, Apply()).ok());
  EXPECT_TRUE(Rule(own, Apply(VisitName(1))).ok());
}

TEST_F(ReviewResolutionTest, WhatCannotBeDoneIsRefusedByName) {
  v1::CareEvent faulty = NoteEvent(1, VisitName(1));
  faulty.clear_what();
  Take(1, 1, faulty);
  const ReviewName name = OnlyOne();
  EXPECT_EQ(base::Reason(Rule(name, Apply()).status()), "EVENT_CANNOT_BE_STORED");
  EXPECT_EQ(base::Reason(Rule({"no such event", name.digest}, Discard("x")).status()), "REVIEW_UNKNOWN");
  Take(2, 2, NoteEvent(2, VisitName(9)));
  const ReviewName unknown = Waiting().at(1).name;
  EXPECT_EQ(base::Reason(Rule(unknown, Apply()).status()), "VISIT_UNKNOWN");
  EXPECT_EQ(base::Reason(Rule(unknown, Unplanned(ServiceUserName(9))).status()), "SERVICE_USER_UNKNOWN");
  Take(3, 2, NoteEvent(2, ServiceUserName(2)));
  EXPECT_EQ(base::Reason(Rule(Waiting().at(2).name, Apply()).status()), "INVALID_FIELD");
}

TEST_F(ReviewResolutionTest, WhatAnOlderServerDidNotUnderstandIsAppliedByOneThatDoes) {
  Take(1, 1, NoteEvent(1, VisitName(9), "First"));
  const ReviewName name = OnlyOne();
  ChangeRow(name, [](store::ReviewItem& item) { item.set_reason(v1::REVIEW_REASON_NOT_UNDERSTOOD); });
  const absl::StatusOr<Resolved> resolved = Rule(name, Apply(VisitName(1)));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(Stored(1)->note().text(), "First");
}

TEST_F(ReviewResolutionTest, ADamagedOneWaitsAndEndsNoServer) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  ChangeRow(OnlyOne(), [](store::ReviewItem& item) { item.set_carer_id("no UUID"); });
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {1})});
  EXPECT_EQ(Waiting().size(), 1u);
  EXPECT_FALSE(Sees(1, 1));
}

TEST_F(ReviewResolutionTest, OneThatIsResolvedAndIsSaidToWaitTakesNoEffectAndHoldsNoneUp) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 1, NoteEvent(1, VisitName(9), "And later"));
  ChangeRow(Waiting().at(0).name, [](store::ReviewItem& item) { item.set_resolution(v1::RESOLUTION_DISCARDED); });
  PutAll(engine_, tenant_, {VisitRecord(9, 1, {1})});
  EXPECT_FALSE(Sees(1, 1));
  EXPECT_TRUE(Sees(1, 2));
  EXPECT_TRUE(Waiting().empty());
}

TEST_F(ReviewResolutionTest, ItsNameIsTextThatReadsBack) {
  const ReviewName name{"an event", std::string(32, '\xFF')};
  EXPECT_EQ(ParseReviewName(TextOf(name)), name);
  EXPECT_EQ(ParseReviewName(""), std::nullopt);
  EXPECT_EQ(ParseReviewName("not/base64url"), std::nullopt);
  EXPECT_EQ(ParseReviewName("c2hvcnQ"), std::nullopt);
}

}  // namespace
}  // namespace caresync::records

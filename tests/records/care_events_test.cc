#include "server/records/care_events.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/records/review.h"
#include "server/records/window.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/feeds.h"
#include "tests/records/review_items.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;

class CareEventsTest : public testing::Test {
 protected:
  // Carers 1 to 3; service users 1 and 2; visit 1 of carers 1 and 2 at service user 1.
  void SetUp() override {
    PutAll(engine_, tenant_,
           {CarerRecord(1), CarerRecord(2), CarerRecord(3), ServiceUserRecord(1), ServiceUserRecord(2),
            VisitRecord(1, 1, {1, 2})});
  }

  static v1::UploadedEvent Upload(int number, const v1::CareEvent& event) {
    v1::UploadedEvent upload;
    upload.set_sequence(static_cast<uint64_t>(number));
    upload.set_event_id(EventName(number).id.ToString());
    upload.set_event(event.SerializeAsString());
    return upload;
  }

  v1::EventResult Take(int carer, const v1::UploadedEvent& upload) {
    v1::EventResult result;
    RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
      ASSIGN_OR_RETURN(result, TakeEvent(records, {device_, CarerName(carer).id}, upload));
      return absl::OkStatus();
    });
    EXPECT_EQ(result.event_id(), upload.event_id());
    return result;
  }
  v1::EventResult Take(int number, int carer, const v1::CareEvent& event) { return Take(carer, Upload(number, event)); }

  static void ExpectForReview(const v1::EventResult& result, v1::ReviewReason reason) {
    EXPECT_EQ(result.outcome(), v1::EVENT_OUTCOME_FOR_REVIEW);
    EXPECT_EQ(result.review_reason(), reason) << v1::ReviewReason_Name(result.review_reason());
  }

  std::vector<store::ReviewItem> Review() const {
    std::vector<store::ReviewItem> items;
    for (KeptReview& kept : ReviewsIn(*engine_.Snapshot(), tenant_, false)) items.push_back(std::move(kept.item));
    return items;
  }
  bool Sees(int carer, const RecordName& name) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerReceiver(CarerName(carer).id)).contains(name);
  }
  bool IsStored(int number) const {
    return GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(number)))->has_value();
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
};

TEST_F(CareEventsTest, AnEventOnTheCarersVisitIsAcceptedAndSeenByAllOfTheVisit) {
  const v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  EXPECT_EQ(Take(1, upload).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(Sees(1, EventName(1)));
  EXPECT_TRUE(Sees(2, EventName(1)));
  EXPECT_FALSE(Sees(3, EventName(1)));
  const store::Record stored = **GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(1)));
  EXPECT_EQ(stored.payload(), upload.event());
  EXPECT_TRUE(Review().empty());
}

// A phone that was offline for longer than a visit stays on devices.
TEST_F(CareEventsTest, AnEventOnAVisitThatDevicesHoldNoMoreIsAccepted) {
  RunRecords(engine_, tenant_, [](RecordStore& records) {
    return SetWindow(records.transaction(), {absl::Hours(1), absl::Hours(24)});
  });
  engine_.Advance(absl::Hours(24 * 10));
  ASSERT_FALSE(Sees(1, VisitName(1)));
  EXPECT_EQ(Take(1, 1, NoteEvent(1, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(IsStored(1));
  EXPECT_FALSE(Sees(1, EventName(1)));
  const auto planner = fakes::SeenBy(*engine_.Snapshot(), tenant_, SourceReceiver("planner"));
  EXPECT_TRUE(planner.contains(EventName(1)));
  ExpectForReview(Take(2, 3, NoteEvent(3, VisitName(1))), v1::REVIEW_REASON_VISIT_UNKNOWN);

  store::Record cancelled = VisitRecord(1, 1, {1, 2});
  cancelled.set_cancelled(true);
  PutAll(engine_, tenant_, {cancelled});
  ExpectForReview(Take(3, 2, NoteEvent(2, VisitName(1))), v1::REVIEW_REASON_VISIT_CANCELLED);
}

TEST_F(CareEventsTest, AnEventOnAVisitThatDevicesDoNotHoldYetIsAccepted) {
  RunRecords(engine_, tenant_, [](RecordStore& records) {
    return SetWindow(records.transaction(), {absl::Hours(1), absl::ZeroDuration()});
  });
  ASSERT_FALSE(Sees(1, VisitName(1)));
  EXPECT_EQ(Take(1, 1, NoteEvent(1, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  engine_.Advance(absl::Hours(3));
  EXPECT_TRUE(Sees(1, EventName(1)));
}

TEST_F(CareEventsTest, AnEventOnAVisibleServiceUserIsAccepted) {
  EXPECT_EQ(Take(1, 1, NoteEvent(1, ServiceUserName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_TRUE(Sees(2, EventName(1)));
}

TEST_F(CareEventsTest, EveryKindOfEventIsAccepted) {
  std::vector<v1::CareEvent> events(6, NoteEvent(1, VisitName(1)));
  events[0].mutable_visit_started();
  events[1].mutable_visit_finished()->mutable_location()->set_latitude(51.5);
  events[2].mutable_activity_outcome()->set_activity_id("wash");
  events[2].mutable_activity_outcome()->set_outcome(v1::ActivityOutcome::OUTCOME_DONE);
  events[3].mutable_form_submitted()->set_form_id("fluids");
  (*events[3].mutable_form_submitted()->mutable_answers())["how much"] = "200 ml";
  events[4].mutable_note()->set_text("Slept well");
  events[5].mutable_rota_change_seen()->set_revision(7);
  int number = 0;
  for (const v1::CareEvent& event : events) {
    EXPECT_EQ(Take(++number, 1, event).outcome(), v1::EVENT_OUTCOME_ACCEPTED) << number;
  }
}

TEST_F(CareEventsTest, TheSameEventAgainIsKnownAndChangesNothing) {
  const v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  Take(1, upload);
  const base::Revision before = engine_.Head(tenant_);
  const v1::EventResult again = Take(1, upload);
  EXPECT_EQ(again.outcome(), v1::EVENT_OUTCOME_KNOWN);
  EXPECT_EQ(again.review_reason(), v1::REVIEW_REASON_UNSPECIFIED);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(CareEventsTest, TheRunningNumberAndTheSpellingOfTheIdAreNoPartOfTheIdentity) {
  v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  upload.set_event_id("ABCDEF00-0000-4000-8000-000000000001");
  Take(1, upload);
  upload.set_event_id("abcdef00-0000-4000-8000-000000000001");
  upload.set_sequence(99);
  EXPECT_EQ(Take(1, upload).outcome(), v1::EVENT_OUTCOME_KNOWN);
}

TEST_F(CareEventsTest, OtherBytesUnderAKnownIdAreKeptBesideTheFirst) {
  Take(1, 1, NoteEvent(1, VisitName(1), "first"));
  const v1::UploadedEvent other = Upload(1, NoteEvent(1, VisitName(1), "second"));
  ExpectForReview(Take(1, other), v1::REVIEW_REASON_EVENT_ID_REUSED);
  ASSERT_EQ(Review().size(), 1u);
  EXPECT_EQ(Review()[0].event(), other.event());
  EXPECT_EQ(Review()[0].reason(), v1::REVIEW_REASON_EVENT_ID_REUSED);
  const base::Revision before = engine_.Head(tenant_);
  ExpectForReview(Take(1, other), v1::REVIEW_REASON_EVENT_ID_REUSED);
  EXPECT_EQ(engine_.Head(tenant_), before);
  EXPECT_EQ(Take(1, 1, NoteEvent(1, VisitName(1), "first")).outcome(), v1::EVENT_OUTCOME_KNOWN);
}

// What was taken may be erased one day; that it was taken is not forgotten.
TEST_F(CareEventsTest, IdAndDigestOutliveTheEvent) {
  const v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  Take(1, upload);
  fakes::CommitAndWait(engine_.memory(),
                       fakes::DeleteOf(storage::Space::kRecords, base::keys::Record(tenant_, KeyOf(EventName(1)))));
  ASSERT_FALSE(IsStored(1));
  EXPECT_EQ(Take(1, upload).outcome(), v1::EVENT_OUTCOME_KNOWN);
  ExpectForReview(Take(1, 1, NoteEvent(1, VisitName(1), "other")), v1::REVIEW_REASON_EVENT_ID_REUSED);
  EXPECT_FALSE(IsStored(1));
}

TEST_F(CareEventsTest, AnEventForReviewIsKnownWhenItComesAgain) {
  const v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(9)));
  ExpectForReview(Take(1, upload), v1::REVIEW_REASON_VISIT_UNKNOWN);
  const base::Revision before = engine_.Head(tenant_);
  const v1::EventResult again = Take(1, upload);
  EXPECT_EQ(again.outcome(), v1::EVENT_OUTCOME_KNOWN);
  EXPECT_EQ(again.review_reason(), v1::REVIEW_REASON_VISIT_UNKNOWN);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(CareEventsTest, TheItemForReviewHoldsAllThatAPersonNeeds) {
  const v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(9)));
  Take(1, upload);
  ASSERT_EQ(Review().size(), 1u);
  const store::ReviewItem item = Review()[0];
  EXPECT_EQ(item.event_id(), upload.event_id());
  EXPECT_EQ(item.event(), upload.event());
  EXPECT_EQ(item.device_uuid(), device_.ToString());
  EXPECT_EQ(item.carer_id(), CarerName(1).id.ToString());
  EXPECT_GT(item.received_time_us(), 0);
  EXPECT_FALSE(IsStored(1));
}

TEST_F(CareEventsTest, AVisitCancelledMeanwhileIsNamedToWhoHadIt) {
  store::Record visit = VisitRecord(1, 1, {1, 2});
  visit.set_cancelled(true);
  PutAll(engine_, tenant_, {visit});
  ExpectForReview(Take(1, 1, NoteEvent(1, VisitName(1))), v1::REVIEW_REASON_VISIT_CANCELLED);
}

TEST_F(CareEventsTest, AVisitWithdrawnMeanwhileIsAsOneCancelled) {
  store::Record visit = VisitRecord(1, 1, {1, 2});
  visit.set_published(false);
  PutAll(engine_, tenant_, {visit});
  ExpectForReview(Take(1, 1, NoteEvent(1, VisitName(1))), v1::REVIEW_REASON_VISIT_CANCELLED);
}

TEST_F(CareEventsTest, AVisitTakenAwayMeanwhileIsNamedToWhoHadIt) {
  PutAll(engine_, tenant_, {VisitRecord(1, 1, {2})});
  ExpectForReview(Take(1, 1, NoteEvent(1, VisitName(1))), v1::REVIEW_REASON_CARER_NOT_ASSIGNED);
}

TEST_F(CareEventsTest, AVisitThatTheCarerNeverHadIsUnknownToItAndNotToThePersonWhoReviews) {
  ExpectForReview(Take(1, 3, NoteEvent(3, VisitName(1))), v1::REVIEW_REASON_VISIT_UNKNOWN);
  ASSERT_EQ(Review().size(), 1u);
  EXPECT_EQ(Review()[0].reason(), v1::REVIEW_REASON_CARER_NOT_ASSIGNED);

  store::Record hidden = VisitRecord(2, 2, {3});
  hidden.set_published(false);
  PutAll(engine_, tenant_, {hidden});
  ExpectForReview(Take(2, 3, NoteEvent(3, VisitName(2))), v1::REVIEW_REASON_VISIT_UNKNOWN);
  ASSERT_EQ(Review().size(), 2u);
  EXPECT_EQ(Review()[1].reason(), v1::REVIEW_REASON_VISIT_CANCELLED);
  EXPECT_EQ(Take(2, 3, NoteEvent(3, VisitName(2))).review_reason(), v1::REVIEW_REASON_VISIT_UNKNOWN);
}

TEST_F(CareEventsTest, AServiceUserWhomTheCarerMayNotSeeIsAsOneUnknown) {
  ExpectForReview(Take(1, 1, NoteEvent(1, ServiceUserName(2))), v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE);
  ExpectForReview(Take(2, 1, NoteEvent(1, ServiceUserName(9))), v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE);
}

TEST_F(CareEventsTest, LaterEventsOfTheSameCarerAndVisitFollowOneForReview) {
  v1::CareEvent faulty = NoteEvent(1, VisitName(1));
  faulty.clear_what();
  ExpectForReview(Take(1, 1, faulty), v1::REVIEW_REASON_NOT_UNDERSTOOD);
  ExpectForReview(Take(2, 1, NoteEvent(1, VisitName(1))), v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW);
  EXPECT_EQ(Take(3, 2, NoteEvent(2, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(Take(4, 1, NoteEvent(1, ServiceUserName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
}

TEST_F(CareEventsTest, AnEventForReviewOnAServiceUserHoldsNothingUp) {
  v1::CareEvent faulty = NoteEvent(1, ServiceUserName(1));
  faulty.clear_what();
  ExpectForReview(Take(1, 1, faulty), v1::REVIEW_REASON_NOT_UNDERSTOOD);
  EXPECT_EQ(Take(2, 1, NoteEvent(1, ServiceUserName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
}

TEST_F(CareEventsTest, AnEventOfAnotherCarerIsForReviewAndHoldsNobodyUp) {
  ExpectForReview(Take(1, 1, NoteEvent(2, VisitName(1))), v1::REVIEW_REASON_OTHER_CARER);
  EXPECT_EQ(Take(2, 1, NoteEvent(1, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ(Take(3, 2, NoteEvent(2, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
}

TEST_F(CareEventsTest, AnEventOfANewerAppKeepsItsBytes) {
  v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  // Field 1000, a varint, which no CareEvent of this version has.
  upload.mutable_event()->append("\xC0\x3E\x07", 3);
  EXPECT_EQ(Take(1, upload).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ((*GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(1))))->payload(), upload.event());
}

TEST_F(CareEventsTest, AnAttachmentIsAReference) {
  v1::CareEvent event = NoteEvent(1, VisitName(1));
  v1::Attachment& photo = *event.add_attachments();
  photo.set_attachment_id("33333333-3333-4333-8333-333333333333");
  photo.set_sha256(std::string(32, '\xAB'));
  photo.set_size_bytes(48'000);
  photo.set_url("https://files.example/wound.jpg");
  EXPECT_EQ(Take(1, 1, event).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_EQ((*GetRecord(*engine_.Snapshot(), tenant_, KeyOf(EventName(1))))->payload(), event.SerializeAsString());
}

TEST_F(CareEventsTest, BytesThatAreNoEventAreKept) {
  v1::UploadedEvent upload = Upload(1, v1::CareEvent());
  upload.set_event("\xFF\xFF no message");
  ExpectForReview(Take(1, upload), v1::REVIEW_REASON_NOT_UNDERSTOOD);
  ASSERT_EQ(Review().size(), 1u);
  EXPECT_EQ(Review()[0].event(), upload.event());
}

TEST_F(CareEventsTest, AnIdThatIsNoUuidIsKeptUnderItsText) {
  for (const std::string& id : {std::string("seven"), std::string(), std::string(64, 'x'), std::string(5000, 'y')}) {
    v1::UploadedEvent upload = Upload(1, NoteEvent(1, ServiceUserName(1), "note " + id.substr(0, 9)));
    upload.set_event_id(id);
    ExpectForReview(Take(1, upload), v1::REVIEW_REASON_NOT_UNDERSTOOD);
    EXPECT_EQ(Take(1, upload).outcome(), v1::EVENT_OUTCOME_KNOWN);
  }
  EXPECT_EQ(Review().size(), 4u);
}

TEST_F(CareEventsTest, BreakingABoundIsNotUnderstood) {
  const v1::CareEvent good = NoteEvent(1, VisitName(1));
  std::vector<v1::CareEvent> bad(16, good);
  bad[0].clear_what();
  bad[1].clear_occurred_time();
  bad[2].mutable_occurred_time()->set_seconds(253402300800);
  bad[3].mutable_occurred_time()->set_nanos(-1);
  bad[4].set_service_user_id(ServiceUserName(1).id.ToString());
  bad[5].clear_visit_id();
  bad[6].set_carer_id("me");
  bad[7].mutable_note()->set_text("");
  bad[8].mutable_note()->set_text(std::string(limits::kNoteCharacters + 1, 'x'));
  bad[9].mutable_activity_outcome()->set_activity_id("wash");
  bad[10].mutable_activity_outcome()->set_outcome(v1::ActivityOutcome::OUTCOME_DONE);
  bad[11].mutable_activity_outcome()->set_activity_id("wash");
  bad[11].mutable_activity_outcome()->set_outcome(static_cast<v1::ActivityOutcome::Outcome>(77));
  bad[12].mutable_activity_outcome()->set_activity_id("wash");
  bad[12].mutable_activity_outcome()->set_outcome(v1::ActivityOutcome::OUTCOME_DONE);
  bad[12].mutable_activity_outcome()->set_comment(std::string(limits::kOutcomeCommentCharacters + 1, 'x'));
  bad[13].mutable_form_submitted()->set_form_id("fluids");
  (*bad[13].mutable_form_submitted()->mutable_answers())["q"] = std::string(limits::kFormAnswerCharacters + 1, 'x');
  bad[14].mutable_form_submitted()->set_form_id("fluids");
  for (size_t i = 0; i <= limits::kFormAnswers; ++i) {
    (*bad[14].mutable_form_submitted()->mutable_answers())[std::to_string(i)] = "yes";
  }
  bad[15].add_attachments();
  int number = 0;
  for (const v1::CareEvent& event : bad) {
    SCOPED_TRACE(testing::Message() << "event " << number);
    ExpectForReview(Take(++number, 1, event), v1::REVIEW_REASON_NOT_UNDERSTOOD);
  }
  EXPECT_EQ(Review().size(), bad.size());
}

TEST_F(CareEventsTest, AnEventLargerThanTheBoundIsKept) {
  v1::UploadedEvent upload = Upload(1, NoteEvent(1, VisitName(1)));
  // Field 1000, length-delimited: well-formed, and too long.
  const size_t padding = limits::kEventBytes;
  upload.mutable_event()->append("\xC2\x3E\x80\x80\x10", 5).append(padding, 'x');
  v1::CareEvent parsed;
  ASSERT_TRUE(parsed.ParseFromString(upload.event()));
  ExpectForReview(Take(1, upload), v1::REVIEW_REASON_NOT_UNDERSTOOD);
}

TEST_F(CareEventsTest, CharactersAreCountedNotBytes) {
  std::string text;
  for (size_t i = 0; i < limits::kNoteCharacters; ++i) text += "\xC3\xA9";
  EXPECT_EQ(Take(1, 1, NoteEvent(1, VisitName(1), text)).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
}

TEST_F(CareEventsTest, AVisitTakesOnlySoManyEvents) {
  RunRecords(engine_, tenant_, [](RecordStore& records) -> absl::Status {
    for (size_t i = 1; i <= limits::kEventsOfRecord / 2; ++i) {
      const int number = static_cast<int>(i);
      RETURN_IF_ERROR(records.PutCareEvent(EventRecord(number, NoteEvent(1, VisitName(1))), VisitRecord(1, 1, {1, 2})));
    }
    return absl::OkStatus();
  });
  RunRecords(engine_, tenant_, [](RecordStore& records) -> absl::Status {
    for (size_t i = limits::kEventsOfRecord / 2 + 1; i < limits::kEventsOfRecord; ++i) {
      const int number = static_cast<int>(i);
      RETURN_IF_ERROR(records.PutCareEvent(EventRecord(number, NoteEvent(1, VisitName(1))), VisitRecord(1, 1, {1, 2})));
    }
    return absl::OkStatus();
  });
  const int last = static_cast<int>(limits::kEventsOfRecord);
  EXPECT_EQ(Take(last, 1, NoteEvent(1, VisitName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  const v1::UploadedEvent past = Upload(last + 1, NoteEvent(1, VisitName(1)));
  ExpectForReview(Take(1, past), v1::REVIEW_REASON_TOO_MANY_EVENTS);
  ASSERT_EQ(Review().size(), 1u);
  EXPECT_EQ(Review()[0].reason(), v1::REVIEW_REASON_TOO_MANY_EVENTS);
  EXPECT_EQ(Review()[0].event(), past.event());
  // Other records have room.
  EXPECT_EQ(Take(last + 2, 1, NoteEvent(1, ServiceUserName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
}

TEST_F(CareEventsTest, CarePlansTakeNoRoomFromEvents) {
  const base::RecordKey service_user = KeyOf(ServiceUserName(1));
  RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
    for (size_t i = 2; i <= limits::kEventsOfRecord; ++i) {
      const std::string row = base::keys::Child(tenant_, service_user, KeyOf(EventName(static_cast<int>(i))));
      records.transaction().Put(storage::Space::kRecords, row, std::string());
    }
    return records.PutCarePlan(PlanRecord(1, 1)).status();
  });
  EXPECT_EQ(Take(1, 1, NoteEvent(1, ServiceUserName(1))).outcome(), v1::EVENT_OUTCOME_ACCEPTED);
  const int past = static_cast<int>(limits::kEventsOfRecord) + 1;
  ExpectForReview(Take(past, 1, NoteEvent(1, ServiceUserName(1))), v1::REVIEW_REASON_TOO_MANY_EVENTS);
}

}  // namespace
}  // namespace caresync::records

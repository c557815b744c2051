#include "server/care_events/event_lists.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/care_events/resolving.h"
#include "server/records/care_events.h"
#include "tests/fakes/commits.h"
#include "tests/records/sample_records.h"

namespace caresync::care_events {
namespace {

using records::CarerName;
using records::EventName;
using records::NoteEvent;
using records::ServiceUserName;
using records::VisitName;

class EventListsTest : public testing::Test {
 protected:
  void SetUp() override {
    records::PutAll(engine_, tenant_,
                    {records::CarerRecord(1, "Ann"), records::CarerRecord(2), records::ServiceUserRecord(1),
                     records::VisitRecord(1, 1, {1, 2})});
  }

  void Take(int number, int carer, const v1::CareEvent& event) {
    v1::UploadedEvent upload;
    upload.set_sequence(static_cast<uint64_t>(number));
    upload.set_event_id(EventName(number).id.ToString());
    upload.set_event(event.SerializeAsString());
    engine_.Advance(absl::Seconds(1));
    records::RunRecords(engine_, tenant_, [&](records::RecordStore& store) {
      return records::TakeEvent(store, {device_, CarerName(carer).id}, upload).status();
    });
  }

  absl::StatusOr<v1::ListCareEventsResponse> OnVisit(int visit, int page_size, const std::string& token = "",
                                                     const std::string& carer = "") {
    v1::ListCareEventsRequest request;
    request.set_visit_id(VisitName(visit).id.ToString());
    request.set_page_size(page_size);
    request.set_page_token(token);
    request.set_carer_id(carer);
    return ListCareEvents(*engine_.Snapshot(), tenant_, request);
  }

  absl::StatusOr<v1::ListEventsForReviewResponse> ForReview(const v1::ListEventsForReviewRequest& request) {
    return ListEventsForReview(*engine_.Snapshot(), tenant_, request);
  }

  absl::StatusOr<v1::ResolveEventResponse> Resolve(const v1::ResolveEventRequest& request) {
    absl::StatusOr<v1::ResolveEventResponse> response;
    const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      response = ResolveEvent(transaction, request, "eve");
      return response.status();
    });
    return committed.ok() ? response : committed.status();
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const base::Uuid device_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000001");
};

TEST_F(EventListsTest, AVisitsEventsComeInTheOrderReceivedPageByPage) {
  for (int i = 5; i >= 1; --i) Take(i, 1 + i % 2, NoteEvent(1 + i % 2, VisitName(1)));
  std::string token;
  std::vector<std::string> ids;
  do {
    const auto page = OnVisit(1, 2, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::RecordedEvent& event : page->events()) ids.push_back(event.event_id());
    token = page->next_page_token();
  } while (!token.empty());
  std::vector<std::string> expected;
  for (int i = 5; i >= 1; --i) expected.push_back(EventName(i).id.ToString());
  EXPECT_EQ(ids, expected);
  EXPECT_EQ(OnVisit(1, 0, "", CarerName(2).id.ToString())->events_size(), 3);
}

TEST_F(EventListsTest, WhatIsTakenBetweenTwoPagesComesThoughTheClockWasSetBack) {
  Take(1, 1, NoteEvent(1, VisitName(1)));
  Take(2, 1, NoteEvent(1, VisitName(1)));
  const auto first = OnVisit(1, 1);
  ASSERT_TRUE(first.ok()) << first.status();
  engine_.clock().SetNow(engine_.clock().Now() - absl::Hours(1));
  Take(3, 1, NoteEvent(1, VisitName(1)));
  const auto rest = OnVisit(1, 5, first->next_page_token());
  ASSERT_TRUE(rest.ok()) << rest.status();
  ASSERT_EQ(rest->events_size(), 2);
  EXPECT_EQ(rest->events(0).event_id(), EventName(2).id.ToString());
  EXPECT_EQ(rest->events(1).event_id(), EventName(3).id.ToString());
}

TEST_F(EventListsTest, AnEventWhoseRowIsGoneKeepsNoOtherFromTheList) {
  Take(1, 1, NoteEvent(1, VisitName(1)));
  Take(2, 1, NoteEvent(1, VisitName(1)));
  const base::RecordKey gone = records::KeyOf(EventName(1));
  fakes::CommitAndWait(engine_.memory(), fakes::DeleteOf(storage::Space::kRecords, base::keys::Record(tenant_, gone)));
  const auto listed = OnVisit(1, 0);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->events_size(), 1);
  EXPECT_EQ(listed->events(0).event_id(), EventName(2).id.ToString());
}

TEST_F(EventListsTest, WrongQuestionsAreNamed) {
  v1::ListCareEventsRequest none;
  EXPECT_EQ(base::Reason(ListCareEvents(*engine_.Snapshot(), tenant_, none).status()), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(OnVisit(9, 0).status()), "VISIT_UNKNOWN");
  EXPECT_EQ(base::Reason(OnVisit(1, -1).status()), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(OnVisit(1, 0, "x").status()), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(base::Reason(OnVisit(1, 0, "", "Ann").status()), "INVALID_FIELD");
  v1::ListEventsForReviewRequest request;
  request.set_reason(static_cast<v1::ReviewReason>(99));
  EXPECT_EQ(base::Reason(ForReview(request).status()), "INVALID_FIELD");
  request.clear_reason();
  request.set_page_token("x");
  EXPECT_EQ(base::Reason(ForReview(request).status()), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(EventListsTest, WhatWaitsIsListedWithItsCarerAndGoesWhenItIsResolved) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  Take(2, 2, NoteEvent(2, ServiceUserName(9)));
  const auto all = ForReview({});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->events_size(), 2);
  EXPECT_EQ(all->events(0).carer_name(), "Ann");
  EXPECT_EQ(all->events(0).reason(), v1::REVIEW_REASON_VISIT_UNKNOWN);
  v1::ListEventsForReviewRequest of_carer;
  of_carer.set_carer_id(CarerName(2).id.ToString());
  EXPECT_EQ(ForReview(of_carer)->events_size(), 1);
  v1::ListEventsForReviewRequest of_reason;
  of_reason.set_reason(v1::REVIEW_REASON_VISIT_UNKNOWN);
  const auto unknown = ForReview(of_reason);
  ASSERT_EQ(unknown->events_size(), 1);
  EXPECT_EQ(unknown->events(0).review_id(), all->events(0).review_id());

  v1::ResolveEventRequest discard;
  discard.set_review_id(all->events(0).review_id());
  discard.mutable_discard()->set_reason("made by mistake");
  const auto resolved = Resolve(discard);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->event().resolved_by(), "eve");
  EXPECT_EQ(ForReview({})->events_size(), 1);
  v1::ListEventsForReviewRequest with_resolved;
  with_resolved.set_with_resolved(true);
  with_resolved.set_page_size(1);
  const auto first = ForReview(with_resolved);
  EXPECT_EQ(first->events(0).resolution(), v1::RESOLUTION_UNSPECIFIED);
  with_resolved.set_page_token(first->next_page_token());
  const auto second = ForReview(with_resolved);
  ASSERT_EQ(second->events_size(), 1);
  EXPECT_EQ(second->events(0).resolution_note(), "made by mistake");
}

TEST_F(EventListsTest, AWordThatIsNoneIsRefused) {
  Take(1, 1, NoteEvent(1, VisitName(9)));
  v1::ResolveEventRequest request;
  EXPECT_EQ(base::Reason(Resolve(request).status()), "INVALID_FIELD");
  request.set_review_id(ForReview({})->events(0).review_id());
  EXPECT_EQ(base::Reason(Resolve(request).status()), "INVALID_FIELD");
  request.mutable_discard();
  EXPECT_EQ(base::Reason(Resolve(request).status()), "INVALID_FIELD");
  request.mutable_apply_to_visit()->set_visit_id("the blue house");
  EXPECT_EQ(base::Reason(Resolve(request).status()), "INVALID_FIELD");
  request.mutable_accept_as_unplanned()->set_service_user_id(ServiceUserName(1).id.ToString());
  EXPECT_TRUE(Resolve(request).ok());
}

}  // namespace
}  // namespace caresync::care_events

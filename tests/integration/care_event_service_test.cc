// What the office does with what carers recorded, by gRPC.
#include <memory>
#include <string>

#include "caresync/v1/care_events.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using Stub = v1::CareEventService::Stub;

constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class CareEventServiceTest : public testing::Test {
 protected:
  CareEventServiceTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("morning", "su", {"ann"})});
    service_user_ = applied.results(1).record_id();
    visit_ = applied.results(2).record_id();
    phone_ = std::make_unique<Device>(client_, "acme", applied.results(0).record_id(), kPhone);
    EXPECT_TRUE(phone_->Sync().ok());
  }

  // The event that cannot be applied, since its visit was cancelled meanwhile.
  std::string NoteOnACancelledVisit(const std::string& text = "Went there all the same") {
    v1::RosterChange cancelled = fakes::VisitChange("morning", "su", {"ann"});
    cancelled.mutable_visit()->set_cancelled(true);
    client_.Apply("acme", "rota", {cancelled});
    const std::string id = phone_->Note(visit_, text);
    EXPECT_TRUE(phone_->Sync().ok());
    return id;
  }

  v1::ListEventsForReviewResponse ForReview(Role role) {
    v1::ListEventsForReviewResponse response;
    EXPECT_EQ(ReasonOf(client_.Call(*stub_, &Stub::ListEventsForReview, As(role, "acme"),
                                    v1::ListEventsForReviewRequest(), &response)),
              "");
    return response;
  }

  v1::ListCareEventsResponse OnServiceUser() {
    v1::ListCareEventsRequest request;
    request.set_service_user_id(service_user_);
    v1::ListCareEventsResponse response;
    EXPECT_EQ(ReasonOf(client_.Call(*stub_, &Stub::ListCareEvents, As(Role::kSupport, "acme"), request, &response)),
              "");
    return response;
  }

  std::string Resolve(const v1::ResolveEventRequest& request, const access::Identity& caller,
                      v1::ResolveEventResponse* response) {
    return ReasonOf(client_.Call(*stub_, &Stub::ResolveEvent, caller, request, response));
  }
  std::string Resolve(const v1::ResolveEventRequest& request, const access::Identity& caller) {
    v1::ResolveEventResponse response;
    return Resolve(request, caller, &response);
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  const Client client_{server_};
  const std::unique_ptr<Stub> stub_ = v1::CareEventService::NewStub(client_.channel());
  std::string service_user_;
  std::string visit_;
  std::unique_ptr<Device> phone_;
};

TEST_F(CareEventServiceTest, WhatCannotBeAppliedIsListedAndResolvedByAPerson) {
  const std::string id = NoteOnACancelledVisit();
  const v1::ListEventsForReviewResponse listed = ForReview(Role::kSupport);
  ASSERT_EQ(listed.events_size(), 1);
  EXPECT_EQ(listed.events(0).event_id(), id);
  EXPECT_EQ(listed.events(0).reason(), v1::REVIEW_REASON_VISIT_CANCELLED);
  EXPECT_EQ(listed.events(0).carer_name(), "ann");
  EXPECT_EQ(OnServiceUser().events_size(), 0);

  v1::ResolveEventRequest unplanned;
  unplanned.set_review_id(listed.events(0).review_id());
  unplanned.mutable_accept_as_unplanned();
  EXPECT_EQ(Resolve(unplanned, As(Role::kSupport, "acme")), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(Resolve(unplanned, As(Role::kCoordinator, "acme", "eve")), "");
  EXPECT_EQ(Resolve(unplanned, As(Role::kAdministrator, "acme")), "") << "the same word again";
  v1::ResolveEventRequest discard;
  discard.set_review_id(listed.events(0).review_id());
  discard.mutable_discard()->set_reason("a mistake");
  EXPECT_EQ(Resolve(discard, As(Role::kAdministrator, "acme")), "EVENT_RESOLVED");

  EXPECT_EQ(ForReview(Role::kAdministrator).events_size(), 0);
  const v1::ListCareEventsResponse taken = OnServiceUser();
  ASSERT_EQ(taken.events_size(), 1);
  EXPECT_EQ(taken.events(0).event_id(), id);
  EXPECT_EQ(taken.events(0).device_uuid(), kPhone);
}

TEST_F(CareEventServiceTest, ResolvesNothingOfAnotherTenantAndOntoNothingThatIsNotThere) {
  NoteOnACancelledVisit();
  client_.CreateTenant("other");
  const auto theirs = client_.Apply(
      "other", "rota",
      {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("v", "su", {"ann"})});
  v1::ResolveEventRequest request;
  request.set_review_id(ForReview(Role::kCoordinator).events(0).review_id());
  request.mutable_discard()->set_reason("not ours");
  EXPECT_EQ(Resolve(request, As(Role::kCoordinator, "other")), "REVIEW_UNKNOWN");
  for (const std::string& visit : {theirs.results(2).record_id(), service_user_}) {
    request.mutable_apply_to_visit()->set_visit_id(visit);
    EXPECT_EQ(Resolve(request, As(Role::kCoordinator, "acme")), "VISIT_UNKNOWN") << visit;
  }
  for (const std::string& service_user : {theirs.results(1).record_id(), visit_}) {
    request.mutable_accept_as_unplanned()->set_service_user_id(service_user);
    EXPECT_EQ(Resolve(request, As(Role::kCoordinator, "acme")), "SERVICE_USER_UNKNOWN") << service_user;
  }
  EXPECT_EQ(ForReview(Role::kSupport).events_size(), 1);
}

TEST_F(CareEventServiceTest, APersonMayApplyAnEventToAnotherVisitOrDiscardIt) {
  const std::string evening =
      client_.Apply("acme", "rota", {fakes::VisitChange("evening", "su", {"ann"})}).results(0).record_id();
  const std::string applied_id = NoteOnACancelledVisit();
  v1::ResolveEventRequest apply;
  apply.set_review_id(ForReview(Role::kCoordinator).events(0).review_id());
  apply.mutable_apply_to_visit()->set_visit_id(evening);
  v1::ResolveEventResponse applied;
  ASSERT_EQ(Resolve(apply, As(Role::kCoordinator, "acme", "eve"), &applied), "");
  EXPECT_EQ(applied.event().resolution(), v1::RESOLUTION_APPLIED);
  EXPECT_EQ(applied.event().resolved_by(), "eve");

  NoteOnACancelledVisit("Not mine");
  v1::ResolveEventRequest discard;
  discard.set_review_id(ForReview(Role::kAdministrator).events(0).review_id());
  discard.mutable_discard()->set_reason("another carer's");
  v1::ResolveEventResponse discarded;
  ASSERT_EQ(Resolve(discard, As(Role::kAdministrator, "acme", "ada"), &discarded), "");
  EXPECT_EQ(discarded.event().resolution(), v1::RESOLUTION_DISCARDED);
  EXPECT_EQ(discarded.event().resolution_note(), "another carer's");

  EXPECT_EQ(ForReview(Role::kSupport).events_size(), 0);
  v1::ListCareEventsRequest of_evening;
  of_evening.set_visit_id(evening);
  v1::ListCareEventsResponse taken;
  ASSERT_EQ(ReasonOf(client_.Call(*stub_, &Stub::ListCareEvents, As(Role::kSupport, "acme"), of_evening, &taken)), "");
  ASSERT_EQ(taken.events_size(), 1) << "the one that was applied to it";
  EXPECT_EQ(taken.events(0).event_id(), applied_id);
}

TEST_F(CareEventServiceTest, IsForTheOfficeOfItsTenantOnly) {
  NoteOnACancelledVisit();
  client_.CreateTenant("other");
  v1::ListEventsForReviewResponse response;
  const auto reason_for = [&](const access::Identity& caller) {
    return ReasonOf(
        client_.Call(*stub_, &Stub::ListEventsForReview, caller, v1::ListEventsForReviewRequest(), &response));
  };
  EXPECT_EQ(reason_for(As(Role::kSupport, "other")), "");
  EXPECT_EQ(response.events_size(), 0);
  EXPECT_EQ(reason_for(As(Role::kRostering, "acme", "rota")), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(reason_for(AsOperator()), "ROLE_NOT_ALLOWED");
}

}  // namespace
}  // namespace caresync::integration

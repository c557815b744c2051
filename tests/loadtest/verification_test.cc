#include "loadtest/verification.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

RecordName Visit(const std::string& id) { return {v1::RECORD_KIND_VISIT, id}; }

TEST(DifferenceOf, EqualHoldingsIsNone) {
  HeldCopy copy;
  copy.Put(Visit("a"), "1");
  EXPECT_EQ(DifferenceOf(copy, {{Visit("a"), "1"}}), "");
}

TEST(DifferenceOf, NamesWhatIsMissingOtherAndTooMuch) {
  HeldCopy copy;
  copy.Put(Visit("same"), "1");
  copy.Put(Visit("other"), "1");
  copy.Put(Visit("surplus"), "1");
  const std::string text = DifferenceOf(copy, {{Visit("same"), "1"}, {Visit("other"), "2"}, {Visit("missing"), "1"}});
  EXPECT_THAT(text, HasSubstr("1 missing: VISIT missing"));
  EXPECT_THAT(text, HasSubstr("1 with other content: VISIT other"));
  EXPECT_THAT(text, HasSubstr("1 too much: VISIT surplus"));
}

class FaultsOfEventsTest : public testing::Test {
 protected:
  FaultsOfEventsTest() {
    v1::ApplyChangesRequest request;
    v1::ApplyChangesResponse response;
    const auto add = [&](const std::string& id) -> v1::RosterChange& {
      response.add_results()->set_record_id(id);
      response.mutable_results()->rbegin()->set_index(static_cast<uint32_t>(request.changes_size()));
      response.mutable_results()->rbegin()->set_outcome(v1::CHANGE_OUTCOME_CREATED);
      v1::RosterChange& change = *request.add_changes();
      change.set_external_id("ext-" + id);
      return change;
    };
    add("ann").mutable_carer()->set_name("Ann");
    add("ida").mutable_service_user()->set_name("Ida");
    for (const std::string id : {"v", "w"}) {
      v1::RosterVisit& visit = *add(id).mutable_visit();
      visit.set_service_user("ext-ida");
      visit.set_published(true);
      visit.add_assignments()->set_carer("ext-ann");
    }
    EXPECT_TRUE(model_.Take(request, response).ok());
    // w is taken off Ann.
    v1::ApplyChangesRequest cancel;
    *cancel.add_changes() = request.changes(3);
    cancel.mutable_changes(0)->mutable_visit()->set_cancelled(true);
    v1::ApplyChangesResponse cancelled;
    cancelled.add_results()->set_record_id("w");
    cancelled.mutable_results(0)->set_outcome(v1::CHANGE_OUTCOME_UPDATED);
    EXPECT_TRUE(model_.Take(cancel, cancelled).ok());
  }

  OwnEvent Event(const std::string& id, const std::string& visit, v1::EventOutcome outcome,
                 v1::ReviewReason reason = v1::REVIEW_REASON_UNSPECIFIED) {
    v1::CareEvent care_event;
    care_event.set_carer_id("ann");
    care_event.set_visit_id(visit);
    OwnEvent event;
    event.device_uuid = kDevice;
    event.upload.set_event_id(id);
    event.upload.set_sequence(1);
    event.upload.set_event(care_event.SerializeAsString());
    event.parent = Visit(visit);
    event.result.emplace();
    event.result->set_outcome(outcome);
    event.result->set_review_reason(reason);
    return event;
  }

  v1::CareEventDelivery DeliveryOf(const OwnEvent& event) {
    v1::CareEventDelivery delivery;
    delivery.set_event_id(event.upload.event_id());
    delivery.set_event(event.upload.event());
    delivery.set_sequence(event.upload.sequence());
    delivery.set_device_uuid(event.device_uuid);
    delivery.set_parent_kind(event.parent.kind);
    delivery.set_parent_external_id("ext-" + event.parent.id);
    return delivery;
  }

  Model model_;
};

TEST_F(FaultsOfEventsTest, AcceptedAndReadBackOnceIsRight) {
  const OwnEvent accepted = Event("e1", "v", v1::EVENT_OUTCOME_ACCEPTED);
  const OwnEvent known = Event("e2", "v", v1::EVENT_OUTCOME_KNOWN);
  EXPECT_THAT(FaultsOfEvents({&accepted, &known}, {DeliveryOf(known), DeliveryOf(accepted)}, model_), IsEmpty());
}

TEST_F(FaultsOfEventsTest, FindsALostOneADoubledOneAndAStrangeOne) {
  const OwnEvent lost = Event("lost", "v", v1::EVENT_OUTCOME_ACCEPTED);
  const OwnEvent doubled = Event("doubled", "v", v1::EVENT_OUTCOME_ACCEPTED);
  const OwnEvent strange = Event("strange", "v", v1::EVENT_OUTCOME_ACCEPTED);
  EXPECT_THAT(
      FaultsOfEvents({&lost, &doubled}, {DeliveryOf(doubled), DeliveryOf(doubled), DeliveryOf(strange)}, model_),
      ElementsAre(HasSubstr("doubled was read back twice"), HasSubstr("lost was accepted, and cannot"),
                  HasSubstr("strange was read back, and no device")));
}

TEST_F(FaultsOfEventsTest, FindsOneThatIsReadBackOtherwise) {
  const OwnEvent event = Event("e", "v", v1::EVENT_OUTCOME_ACCEPTED);
  v1::CareEventDelivery delivery = DeliveryOf(event);
  delivery.set_event("other bytes");
  EXPECT_THAT(FaultsOfEvents({&event}, {delivery}, model_), ElementsAre(HasSubstr("otherwise than recorded")));
  delivery = DeliveryOf(event);
  delivery.set_device_uuid("another");
  EXPECT_THAT(FaultsOfEvents({&event}, {delivery}, model_), ElementsAre(HasSubstr("otherwise than recorded")));
}

TEST_F(FaultsOfEventsTest, ReviewIsRightWhereTheVisitWasTakenAway) {
  const OwnEvent explained = Event("e", "w", v1::EVENT_OUTCOME_FOR_REVIEW, v1::REVIEW_REASON_VISIT_CANCELLED);
  const OwnEvent known = Event("k", "w", v1::EVENT_OUTCOME_KNOWN, v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW);
  EXPECT_THAT(FaultsOfEvents({&explained, &known}, {}, model_), IsEmpty());
}

TEST_F(FaultsOfEventsTest, FindsReviewWithoutACause) {
  const OwnEvent always_seen = Event("e", "v", v1::EVENT_OUTCOME_FOR_REVIEW, v1::REVIEW_REASON_CARER_NOT_ASSIGNED);
  const OwnEvent odd = Event("o", "w", v1::EVENT_OUTCOME_FOR_REVIEW, v1::REVIEW_REASON_NOT_UNDERSTOOD);
  EXPECT_THAT(FaultsOfEvents({&always_seen, &odd}, {}, model_),
              ElementsAre(HasSubstr("always could see VISIT v"), HasSubstr("NOT_UNDERSTOOD")));
}

TEST_F(FaultsOfEventsTest, AReviewedOneMayBeTakenByItselfLaterAndIsReadBackOnceAndAsRecorded) {
  const OwnEvent reviewed = Event("e", "w", v1::EVENT_OUTCOME_FOR_REVIEW, v1::REVIEW_REASON_VISIT_CANCELLED);
  EXPECT_THAT(FaultsOfEvents({&reviewed}, {DeliveryOf(reviewed)}, model_), IsEmpty());
  EXPECT_THAT(FaultsOfEvents({&reviewed}, {DeliveryOf(reviewed), DeliveryOf(reviewed)}, model_),
              ElementsAre(HasSubstr("twice")));
  v1::CareEventDelivery other = DeliveryOf(reviewed);
  other.set_event("other bytes");
  EXPECT_THAT(FaultsOfEvents({&reviewed}, {other}, model_), ElementsAre(HasSubstr("otherwise than recorded")));
}

}  // namespace
}  // namespace caresync::loadtest

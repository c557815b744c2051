// Which step of a visit's way to a phone fails first.
#include "server/deliveries/visit_way.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace caresync::deliveries {
namespace {

// Everything is right, and the device has it.
WayFacts AllWell() {
  WayFacts facts;
  facts.published = true;
  facts.assigned = true;
  facts.cause = v1::MISMATCH_CAUSE_SILENT;
  facts.in_feed = true;
  facts.acknowledged = true;
  return facts;
}

// The device has not synced since.
WayFacts Silent() {
  WayFacts facts = AllWell();
  facts.acknowledged = false;
  return facts;
}

v1::DeliveryStepTold StepOf(const WayFacts& facts, v1::DeliveryStep step) {
  for (const v1::DeliveryStepTold& told : WayOf(facts)) {
    if (told.step() == step) return told;
  }
  ADD_FAILURE() << "there is no such step";
  return {};
}

// "SENT NO_SYNC_SINCE"; empty: none fails.
std::string FirstFailure(const WayFacts& facts) {
  const std::vector<v1::DeliveryStepTold> steps = WayOf(facts);
  const auto failed = std::find_if(steps.begin(), steps.end(), [](const v1::DeliveryStepTold& step) {
    return step.state() == v1::DELIVERY_STEP_STATE_FAILED;
  });
  if (failed == steps.end()) return "";
  for (auto behind = failed + 1; behind != steps.end(); ++behind) {
    if (behind->step() == v1::DELIVERY_STEP_SEEN) continue;
    EXPECT_EQ(behind->state(), v1::DELIVERY_STEP_STATE_UNSPECIFIED) << behind->DebugString();
  }
  return absl::StrCat(v1::DeliveryStep_Name(failed->step()).substr(std::string("DELIVERY_STEP_").size()), " ",
                      v1::DeliveryFault_Name(failed->fault()).substr(std::string("DELIVERY_FAULT_").size()));
}

TEST(VisitWayTest, HasEachStepOnceInTheirOrder) {
  const std::vector<v1::DeliveryStepTold> steps = WayOf(AllWell());
  ASSERT_EQ(steps.size(), static_cast<size_t>(v1::DeliveryStep_MAX));
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(static_cast<size_t>(steps[i].step()), i + 1);
}

TEST(VisitWayTest, OfAVisitThatTheDeviceHasNoStepFails) {
  EXPECT_EQ(FirstFailure(AllWell()), "");
  for (const v1::DeliveryStepTold& step : WayOf(AllWell())) {
    EXPECT_EQ(step.state(),
              step.step() == v1::DELIVERY_STEP_SEEN ? v1::DELIVERY_STEP_STATE_UNKNOWN : v1::DELIVERY_STEP_STATE_DONE);
  }
}

TEST(VisitWayTest, TheRotaComesFirst) {
  WayFacts facts;
  facts.cause = v1::MISMATCH_CAUSE_DEVICE_BLOCKED;
  facts.window = WayFacts::Window::kTooFarAhead;
  facts.cancelled = true;
  EXPECT_EQ(FirstFailure(facts), "PUBLISHED CANCELLED");
  facts.cancelled = false;
  EXPECT_EQ(FirstFailure(facts), "PUBLISHED NOT_PUBLISHED");
  facts.published = true;
  EXPECT_EQ(FirstFailure(facts), "ASSIGNED NOT_ASSIGNED");
  facts.assigned = true;
  EXPECT_EQ(FirstFailure(facts), "IN_WINDOW TOO_FAR_AHEAD");
  facts.window = WayFacts::Window::kTooLongAgo;
  EXPECT_EQ(FirstFailure(facts), "IN_WINDOW TOO_LONG_AGO");
  facts.window = WayFacts::Window::kMoving;
  EXPECT_EQ(FirstFailure(facts), "IN_WINDOW WINDOW_MOVING");
  facts.window = WayFacts::Window::kInside;
  EXPECT_EQ(FirstFailure(facts), "DEVICE DEVICE_BLOCKED");
}

TEST(VisitWayTest, WhatKeepsTheDeviceFromAnySyncFailsThoughItHasTheVisit) {
  WayFacts facts = AllWell();
  facts.cause = v1::MISMATCH_CAUSE_CARER_LEFT;
  EXPECT_EQ(FirstFailure(facts), "DEVICE CARER_LEFT");
  facts.cause = v1::MISMATCH_CAUSE_DEVICE_BLOCKED;
  EXPECT_EQ(FirstFailure(facts), "DEVICE DEVICE_BLOCKED");
  facts.cause = v1::MISMATCH_CAUSE_DEVICE_CLONED;
  EXPECT_EQ(FirstFailure(facts), "DEVICE DEVICE_CLONED");
  facts.cause = v1::MISMATCH_CAUSE_NOT_A_USER;
  EXPECT_EQ(FirstFailure(facts), "DEVICE NOT_A_USER");
}

TEST(VisitWayTest, WhatOnlyTheNextSyncNeedsDoesNotFailWhereTheDeviceHasTheVisit) {
  WayFacts facts = AllWell();
  facts.failing = true;
  facts.credential_refused = true;
  facts.cause = v1::MISMATCH_CAUSE_APP_TOO_OLD;
  EXPECT_EQ(FirstFailure(facts), "");
  facts.acknowledged = false;
  EXPECT_EQ(FirstFailure(facts), "SIGNED_IN CREDENTIAL_REFUSED");
  facts.credential_refused = false;
  EXPECT_EQ(FirstFailure(facts), "SENT APP_TOO_OLD");
}

TEST(VisitWayTest, ACarerWithoutADeviceAndOneWhoNeverSignedInAreToldApart) {
  WayFacts facts = Silent();
  facts.cause = v1::MISMATCH_CAUSE_NO_DEVICE;
  EXPECT_EQ(FirstFailure(facts), "DEVICE NO_DEVICE");
  facts.has_device = true;
  EXPECT_EQ(FirstFailure(facts), "DEVICE DEVICE_BLOCKED");
  facts.has_usable_device = true;
  EXPECT_EQ(FirstFailure(facts), "SIGNED_IN NEVER_SIGNED_IN");
}

TEST(VisitWayTest, SaysWhyItWasNotSent) {
  WayFacts facts = Silent();
  EXPECT_EQ(FirstFailure(facts), "SENT NO_SYNC_SINCE");
  facts.failing = true;
  EXPECT_EQ(FirstFailure(facts), "SENT CALLS_FAIL");
  facts.cause = v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE;
  EXPECT_EQ(FirstFailure(facts), "SENT WAITING_AFTER_RESTORE");
  facts.in_feed = false;
  EXPECT_EQ(FirstFailure(facts), "SENT BEING_PREPARED");
}

TEST(VisitWayTest, WhatMayHaveBeenSentIsNotGuessedAndTheAckIsMissing) {
  WayFacts facts = Silent();
  facts.may_have_been_sent = true;
  EXPECT_EQ(StepOf(facts, v1::DELIVERY_STEP_SENT).state(), v1::DELIVERY_STEP_STATE_UNKNOWN);
  EXPECT_EQ(FirstFailure(facts), "APPLIED NOT_ACKNOWLEDGED");
  facts.copy_unfinished = true;
  EXPECT_EQ(FirstFailure(facts), "APPLIED COPY_UNFINISHED");
  facts.sync_under_way = true;
  EXPECT_EQ(FirstFailure(facts), "APPLIED SYNC_UNDER_WAY");
}

TEST(VisitWayTest, OfADeviceThatCannotBeReadNothingIsKnown) {
  WayFacts facts = Silent();
  facts.cause = v1::MISMATCH_CAUSE_UNSPECIFIED;
  EXPECT_EQ(FirstFailure(facts), "");
  EXPECT_EQ(StepOf(facts, v1::DELIVERY_STEP_DEVICE).fault(), v1::DELIVERY_FAULT_NOT_READABLE);
  for (const v1::DeliveryStep step :
       {v1::DELIVERY_STEP_DEVICE, v1::DELIVERY_STEP_SIGNED_IN, v1::DELIVERY_STEP_SENT, v1::DELIVERY_STEP_APPLIED}) {
    EXPECT_EQ(StepOf(facts, step).state(), v1::DELIVERY_STEP_STATE_UNKNOWN) << v1::DeliveryStep_Name(step);
  }
}

TEST(VisitWayTest, ThatTheCarerSawItIsKnownOrUnknownAndNeverFails) {
  WayFacts facts = Silent();
  EXPECT_EQ(StepOf(facts, v1::DELIVERY_STEP_SEEN).state(), v1::DELIVERY_STEP_STATE_UNKNOWN);
  facts.seen = true;
  EXPECT_EQ(StepOf(facts, v1::DELIVERY_STEP_SEEN).state(), v1::DELIVERY_STEP_STATE_DONE);
}

}  // namespace
}  // namespace caresync::deliveries

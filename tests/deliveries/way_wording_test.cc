// What the office reads of a visit's way to a phone.
#include "server/deliveries/way_wording.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"

namespace caresync::deliveries {
namespace {

using testing::HasSubstr;

constexpr char kDevice[] = "33333333-3333-4333-8333-333333333333";

v1::ExplainVisitResponse FailsWith(v1::DeliveryStep step, v1::DeliveryFault fault) {
  v1::ExplainVisitResponse response;
  response.set_carer_id("11111111-1111-4111-8111-111111111111");
  response.set_carer_name("Ann Smith");
  response.mutable_device()->set_device_uuid(kDevice);
  response.mutable_device()->set_device_name("Pixel 6");
  v1::DeliveryStepTold& told = *response.add_steps();
  told.set_step(step);
  told.set_state(v1::DELIVERY_STEP_STATE_FAILED);
  told.set_fault(fault);
  response.set_failed_step(step);
  response.set_fault(fault);
  AddWords(absl::UTCTimeZone(), response);
  return response;
}

TEST(WayWordingTest, EachFaultHasWordsOfItsOwn) {
  std::set<std::string> texts;
  for (int fault = v1::DELIVERY_FAULT_UNSPECIFIED + 1; fault <= v1::DeliveryFault_MAX; ++fault) {
    const v1::ExplainVisitResponse told = FailsWith(v1::DELIVERY_STEP_SENT, static_cast<v1::DeliveryFault>(fault));
    EXPECT_NE(told.steps(0).text(), "") << fault;
    EXPECT_EQ(told.headline(), told.steps(0).text());
    EXPECT_TRUE(texts.insert(told.headline()).second) << told.headline();
    EXPECT_EQ(told.headline().back(), '.') << told.headline();
  }
}

TEST(WayWordingTest, WhatKeepsAVisitFromTheDeviceHasAnAdvice) {
  for (int fault = v1::DELIVERY_FAULT_CARER_LEFT; fault <= v1::DeliveryFault_MAX; ++fault) {
    const auto of = static_cast<v1::DeliveryFault>(fault);
    EXPECT_NE(FailsWith(v1::DELIVERY_STEP_DEVICE, of).advice(), "") << v1::DeliveryFault_Name(of);
  }
}

TEST(WayWordingTest, TimesAreTheTenants) {
  v1::ExplainVisitResponse response = FailsWith(v1::DELIVERY_STEP_SENT, v1::DELIVERY_FAULT_NO_SYNC_SINCE);
  response.mutable_last_change_time()->set_seconds(1'795'251'600);  // 2026-11-21 09:00 UTC
  AddWords(absl::FixedTimeZone(3600), response);
  EXPECT_THAT(response.headline(), HasSubstr("since the last change of 21 November 2026, 10:00"));
}

TEST(WayWordingTest, ADeviceWithoutANameIsNamedByItsUuid) {
  v1::ExplainVisitResponse response = FailsWith(v1::DELIVERY_STEP_DEVICE, v1::DELIVERY_FAULT_NOT_A_USER);
  response.mutable_device()->clear_device_name();
  AddWords(absl::UTCTimeZone(), response);
  EXPECT_THAT(response.headline(), HasSubstr(kDevice));
}

TEST(WayWordingTest, AStepThatWasNotLookedAtHasNoWords) {
  v1::ExplainVisitResponse response = FailsWith(v1::DELIVERY_STEP_DEVICE, v1::DELIVERY_FAULT_NOT_A_USER);
  response.add_steps()->set_step(v1::DELIVERY_STEP_SENT);
  AddWords(absl::UTCTimeZone(), response);
  EXPECT_EQ(response.steps(1).text(), "");
}

}  // namespace
}  // namespace caresync::deliveries

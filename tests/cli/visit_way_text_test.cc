#include "tools/caresync/visit_way_text.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// 2026-11-21 09:00 UTC.
constexpr int64_t kNine = 1'795'251'600;

void AddStep(v1::DeliveryStep step, v1::DeliveryStepState state, v1::DeliveryFault fault, const std::string& text,
             v1::ExplainVisitResponse& told) {
  v1::DeliveryStepTold& of = *told.add_steps();
  of.set_step(step);
  of.set_state(state);
  of.set_fault(fault);
  of.set_text(text);
}

v1::ExplainVisitResponse NotSent() {
  v1::ExplainVisitResponse told;
  told.set_headline("Pixel 6 has not synced.");
  told.set_advice("Ask Ann Smith for a manual sync.");
  AddStep(v1::DELIVERY_STEP_SIGNED_IN, v1::DELIVERY_STEP_STATE_DONE, v1::DELIVERY_FAULT_UNSPECIFIED, "Signed in.",
          told);
  AddStep(v1::DELIVERY_STEP_SENT, v1::DELIVERY_STEP_STATE_FAILED, v1::DELIVERY_FAULT_CALLS_FAIL, "Its calls fail.",
          told);
  AddStep(v1::DELIVERY_STEP_APPLIED, v1::DELIVERY_STEP_STATE_UNSPECIFIED, v1::DELIVERY_FAULT_UNSPECIFIED, "", told);
  told.mutable_device()->set_device_name("Pixel 6");
  told.mutable_device()->mutable_last_api_call_time()->set_seconds(kNine);
  told.mutable_device()->set_last_api_call(v1::CALL_STATE_FAILED);
  told.mutable_device()->set_last_api_call_reason("STREAM_CUT");
  told.set_visit_revision(7);
  told.set_feed_revision(8);
  told.set_acknowledged_revision(6);
  return told;
}

std::string Text(const v1::ExplainVisitResponse& told) { return VisitWayText(told, absl::UTCTimeZone(), false); }

TEST(VisitWayText, BeginsWithWhatHappenedAndWhatToDo) {
  EXPECT_THAT(Text(NotSent()), StartsWith("Pixel 6 has not synced.\nAsk Ann Smith for a manual sync.\n\nStep"));
  v1::ExplainVisitResponse well = NotSent();
  well.clear_advice();
  EXPECT_THAT(Text(well), StartsWith("Pixel 6 has not synced.\n\nStep"));
}

TEST(VisitWayText, HasALineAStepWithItsFault) {
  const std::string text = Text(NotSent());
  EXPECT_THAT(text, ContainsRegex("\nsigned in +done +Signed in[.]\n"));
  EXPECT_THAT(text, ContainsRegex("\nsent +failed +calls fail +Its calls fail[.]\n"));
  EXPECT_THAT(text, ContainsRegex("\napplied +-\n"));
}

TEST(VisitWayText, ShowsTheFactsThatAreKnown) {
  v1::ExplainVisitResponse told = NotSent();
  std::string text = Text(told);
  EXPECT_THAT(text, ContainsRegex("\nLast API call time +2026-11-21 09:00:00 UTC\n"));
  EXPECT_THAT(text, ContainsRegex("\nLast API call +failed [(]STREAM_CUT[)]\n"));
  EXPECT_THAT(text, ContainsRegex("\nLast successful sync +Never\n"));
  EXPECT_THAT(text, HasSubstr("the visit's 7, in what the carer's devices get 8, acknowledged up to 6"));
  EXPECT_THAT(text, Not(HasSubstr("Seen")));
  told.mutable_seen_time()->set_seconds(kNine);
  text = Text(told);
  EXPECT_THAT(text, ContainsRegex("\nSeen +2026-11-21 09:00:00 UTC\n"));
}

TEST(VisitWayText, TextFromOthersDoesNotSteerTheTerminal) {
  v1::ExplainVisitResponse told = NotSent();
  told.set_headline("Ann \x1B[2J has no device.");
  EXPECT_THAT(Text(told), Not(HasSubstr("\x1B")));
}

}  // namespace
}  // namespace caresync::cli

#include "tools/caresync/check_client/event_ledger.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"

namespace caresync::cli::check {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr char kCarer[] = "11111111-1111-4111-8111-111111111111";
constexpr char kVisit[] = "33333333-3333-4333-8333-333333333333";

std::string IdOf(int number) { return "44444444-4444-4444-8444-44444444444" + std::to_string(number); }

v1::CareEvent Content() {
  v1::CareEvent content;
  content.set_carer_id(kCarer);
  content.set_visit_id(kVisit);
  *content.mutable_occurred_time() = base::ToTimestamp(absl::FromUnixSeconds(1'795'244'520));
  content.mutable_visit_started();
  return content;
}

v1::Upload Of(int number, uint64_t sequence, const v1::CareEvent& content = Content()) {
  v1::Upload upload;
  v1::UploadedEvent& event = *upload.add_events();
  event.set_event_id(IdOf(number));
  event.set_sequence(sequence);
  event.set_event(content.SerializeAsString());
  return upload;
}

std::vector<std::string> Rules(const Findings& findings) {
  std::vector<std::string> rules;
  for (const Finding& finding : findings) rules.emplace_back(finding.rule->name);
  return rules;
}

EventLedger Ledger(bool counts_from_one = true) {
  EventLedger ledger(counts_from_one);
  ledger.Recorded("e1", kCarer, kVisit);
  ledger.Recorded("e2", kCarer, kVisit);
  return ledger;
}

// From, to.
std::pair<size_t, size_t> Unsent(const EventLedger& ledger) {
  const EventLedger::UnsentRange range = ledger.Unsent(kCarer);
  return {range.least, range.most};
}

// Two events, answered by results that may be lost.
EventLedger LedgerInDoubt() {
  EventLedger ledger = Ledger();
  for (const int number : {1, 2}) {
    ledger.Take(kCarer, Of(number, static_cast<uint64_t>(number)), false);
    ledger.Answered(IdOf(number));
    ledger.Doubt(IdOf(number));
  }
  ledger.BeginStream();
  return ledger;
}

TEST(EventLedger, TakesEventsInTheirOrder) {
  EventLedger ledger = Ledger();
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 1), false), IsEmpty());
  EXPECT_THAT(ledger.Take(kCarer, Of(2, 2), false), IsEmpty());
  EXPECT_EQ(ledger.NameOf(IdOf(2)), "e2");
  EXPECT_THAT(Unsent(ledger), Pair(2, 2));
  ledger.Answered(IdOf(1));
  EXPECT_THAT(Unsent(ledger), Pair(1, 1));
}

TEST(EventLedger, AnEventWithoutAResultMayComeAgain) {
  EventLedger ledger = Ledger();
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 1), false), IsEmpty());
  ledger.BeginStream();
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 1), false), IsEmpty());
}

TEST(EventLedger, AnAnsweredOneOnlyWhereItIsAskedFor) {
  EventLedger ledger = Ledger();
  ledger.Take(kCarer, Of(1, 1), false);
  ledger.Answered(IdOf(1));
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 1), true), IsEmpty());
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1), false)), ElementsAre("EVENT_ANSWERED"));
}

TEST(EventLedger, AnEventWhoseResultMayBeLostMayComeAgainOrNot) {
  EventLedger ledger = LedgerInDoubt();
  EXPECT_THAT(Unsent(ledger), Pair(0, 2));
  EXPECT_FALSE(ledger.IsSettled(IdOf(1)));
  EXPECT_TRUE(ledger.WasAnswered(IdOf(1)));
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 1), false), IsEmpty());
  ledger.Answered(IdOf(1));
  EXPECT_THAT(Unsent(ledger), Pair(0, 1));
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1), false)), ElementsAre("EVENT_ANSWERED"));
}

TEST(EventLedger, ADeviceThatCountsNoneHasTheResults) {
  EventLedger ledger = LedgerInDoubt();
  ledger.Declared(kCarer, 0);
  EXPECT_THAT(Unsent(ledger), Pair(0, 0));
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1), false)), ElementsAre("EVENT_ANSWERED"));
}

TEST(EventLedger, ADeviceThatCountsAllHasNone) {
  EventLedger ledger = LedgerInDoubt();
  ledger.Declared(kCarer, 2);
  EXPECT_THAT(Unsent(ledger), Pair(2, 2));
  EXPECT_FALSE(ledger.WasAnswered(IdOf(1)));
}

TEST(EventLedger, ADeviceThatCountsSomeLeavesTheDoubt) {
  EventLedger ledger = LedgerInDoubt();
  ledger.Declared(kCarer, 1);
  EXPECT_THAT(Unsent(ledger), Pair(0, 2));
}

TEST(EventLedger, AnEventThatCameEarlierThanOneBeforeItIsOutOfOrder) {
  EventLedger ledger = Ledger();
  EXPECT_THAT(ledger.Take(kCarer, Of(2, 2), false), IsEmpty());
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1), false)), ElementsAre("EVENT_ORDER"));
}

TEST(EventLedger, NumbersBeginWhereAnAppThatIsNotNewHasThem) {
  EventLedger ledger = Ledger(/*counts_from_one=*/false);
  EXPECT_THAT(ledger.Take(kCarer, Of(1, 41), false), IsEmpty());
  EXPECT_THAT(ledger.Take(kCarer, Of(2, 42), false), IsEmpty());
}

TEST(EventLedger, ANumberLeftOutShows) {
  EventLedger ledger = Ledger();
  ledger.Take(kCarer, Of(1, 1), false);
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(2, 3), false)), ElementsAre("EVENT_SEQUENCE"));
}

TEST(EventLedger, ContentIsLookedAt) {
  v1::CareEvent content;
  EventLedger ledger = Ledger();
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1, content), false)),
              ElementsAre("EVENT_CONTENT", "EVENT_CONTENT", "EVENT_CONTENT", "EVENT_CONTENT"));
}

TEST(EventLedger, BoundsAreLookedAt) {
  EventLedger ledger = Ledger();
  EXPECT_THAT(Rules(ledger.Take(kCarer, v1::Upload(), false)), ElementsAre("UPLOAD_BOUNDS"));
  v1::CareEvent large = Content();
  large.mutable_note()->set_text(std::string(300'000, 'x'));
  EXPECT_THAT(Rules(ledger.Take(kCarer, Of(1, 1, large), false)), ElementsAre("UPLOAD_BOUNDS"));
}

}  // namespace
}  // namespace caresync::cli::check

#include "server/outbox/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/outbox/signature.h"
#include "tests/fakes/commits.h"
#include "tests/outbox/outbox_bench.h"

namespace caresync::outbox {
namespace {

namespace limits = base::limits;
using storage::Space;
using testing::IsEmpty;
using testing::SizeIs;

class DispatcherTest : public OutboxBench {};

TEST_F(DispatcherTest, ANoticeIsSentOnceAndGoesWhenItWasTaken) {
  EXPECT_EQ(AskToWake(1), "");
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Sent(0).url, kPushUrl);
  EXPECT_EQ(Sent(0).body, "{\"device_uuid\":\"00000000-0000-4000-8000-000000000001\",\"what\":\"sync\"}");
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_THAT(Listed(false), IsEmpty());
  EXPECT_THAT(Listed(true), IsEmpty());
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(sent(), 1u);
}

TEST_F(DispatcherTest, WhatIsSentIsSignedWithTheTenantsSecret) {
  AskToWake(1);
  const std::string id = HeaderOf(Sent(0), "webhook-id");
  EXPECT_EQ(id, Listed(false)[0].notice_id());
  EXPECT_EQ(HeaderOf(Sent(0), "webhook-timestamp"), absl::StrCat(absl::ToUnixSeconds(engine_.clock().Now())));
  EXPECT_EQ(HeaderOf(Sent(0), "webhook-signature"),
            SignatureOf(*KeyOfSecret(kPushSecret), id, engine_.clock().Now(), Sent(0).body));
}

TEST_F(DispatcherTest, OneThatFailedIsTriedAgainUnderTheSameId) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  EXPECT_EQ(sent(), 1u) << "tried again without a pause";
  ASSERT_THAT(Listed(false), SizeIs(1));
  EXPECT_EQ(Listed(false)[0].failures(), 1u);
  EXPECT_EQ(Listed(false)[0].failure(), "answered 503");
  EXPECT_TRUE(Listed(false)[0].has_failed_time());
  engine_.Advance(limits::kNoticePause);
  ASSERT_EQ(sent(), 2u);
  EXPECT_EQ(HeaderOf(Sent(1), "webhook-id"), HeaderOf(Sent(0), "webhook-id"));
  Answer(1, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
}

TEST_F(DispatcherTest, OneThatFailsTooOftenIsGivenUpAndKept) {
  AskToWake(1);
  FailUntilGivenUp("answered 500");
  engine_.Advance(absl::Hours(2));
  EXPECT_EQ(sent(), limits::kNoticeTries);
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_THAT(Listed(false), IsEmpty());
  ASSERT_THAT(Listed(true), SizeIs(1));
  EXPECT_EQ(Listed(true)[0].failures(), limits::kNoticeTries);
  EXPECT_EQ(Listed(true)[0].failure(), "answered 500");
  EXPECT_FALSE(Listed(true)[0].has_next_try_time());
}

// A certificate's name may be anything.
TEST_F(DispatcherTest, WhyOneFailedIsKeptAsText) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "certificate of \xff\xfe\n" + std::string(10'000, 'x'));
  ASSERT_THAT(Listed(false), SizeIs(1));
  EXPECT_THAT(Listed(false)[0].failure(), testing::StartsWith("certificate of ???xxx"));
  EXPECT_LT(Listed(false)[0].failure().size(), 1'000u);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2u);
}

TEST_F(DispatcherTest, OneOfWhichNothingIsHeardIsSentAgain) {
  AskToWake(1);
  engine_.Advance(limits::kSendLease - absl::Seconds(1));
  EXPECT_EQ(sent(), 1u);
  engine_.Advance(absl::Seconds(1));
  ASSERT_EQ(sent(), 2u);
  // It was late, but it was taken.
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
  Answer(1, SendOutcome::kFailed, "answered 409");
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_THAT(Listed(true), IsEmpty());
}

TEST_F(DispatcherTest, AFailureThatComesLateDoesNotCutTheNextTryShort) {
  AskToWake(1);
  engine_.Advance(limits::kSendLease);
  ASSERT_EQ(sent(), 2u);
  Answer(0, SendOutcome::kFailed, "no answer");
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2u);
  EXPECT_EQ(Listed(false)[0].failures(), 0u);
}

TEST_F(DispatcherTest, WhatThereWasNoRoomForIsTriedAgainAndNotCounted) {
  AskToWake(1);
  Answer(0, SendOutcome::kNotTried);
  EXPECT_EQ(Listed(false)[0].failures(), 0u);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2u);
}

TEST_F(DispatcherTest, WhereThereIsNoRoomForOneTheOthersAreNotTriedForAWhileEither) {
  const size_t most = limits::kSendsOfTenant;
  for (size_t phone = 1; phone <= 3 * most; ++phone) ASSERT_EQ(AskToWake(static_cast<int>(phone)), "");
  ASSERT_EQ(sent(), most);
  for (size_t i = 0; i < most; ++i) Answer(i, SendOutcome::kNotTried);
  EXPECT_EQ(sent(), most);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2 * most);
  // One that was taken makes room.
  Answer(most, SendOutcome::kTaken);
  EXPECT_EQ(sent(), 2 * most + 1);
}

TEST_F(DispatcherTest, NoMoreOfATenantAreSentAtOnceThanMayBe) {
  for (int phone = 1; phone <= 20; ++phone) ASSERT_EQ(AskToWake(phone), "");
  ASSERT_EQ(sent(), limits::kSendsOfTenant);
  engine_.Advance(absl::Seconds(10));
  EXPECT_EQ(sent(), limits::kSendsOfTenant);
  for (size_t i = 0; i < 20; ++i) {
    ASSERT_LT(i, sent());
    Answer(i, SendOutcome::kTaken);
  }
  EXPECT_EQ(sent(), 20u);
  EXPECT_EQ(Outbox().waiting(), 0u);
}

TEST_F(DispatcherTest, ThoseThatRestHoldNoneUp) {
  // As many as may be sent at once have failed and rest when another one comes.
  const int most = static_cast<int>(limits::kSendsOfTenant);
  for (int phone = 1; phone <= most; ++phone) AskToWake(phone);
  for (size_t i = 0; i < limits::kSendsOfTenant; ++i) Answer(i, SendOutcome::kFailed, "answered 503");
  AskToWake(most + 1);
  EXPECT_EQ(sent(), limits::kSendsOfTenant + 1);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2 * limits::kSendsOfTenant);
}

TEST_F(DispatcherTest, OneTenantsReceiverThatHangsIsInNoOthersWay) {
  const base::TenantId other = fakes::Tenant("other");
  engine_.CreateTenant(other);
  SetWebhook(other, "https://other.example.org/push", kPushSecret);
  for (int phone = 1; phone <= 20; ++phone) AskToWake(phone);
  ASSERT_EQ(sent(), limits::kSendsOfTenant);
  EXPECT_EQ(AskToWake(other, 1), "");
  ASSERT_EQ(sent(), limits::kSendsOfTenant + 1);
  EXPECT_EQ(Sent(limits::kSendsOfTenant).url, "https://other.example.org/push");
}

TEST_F(DispatcherTest, NothingIsSentBeforeThatIsCommitted) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  engine_.store().FailNext(fakes::Fault::kUnavailable);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(engine_.store().faults_left(), 0u);
  EXPECT_EQ(sent(), 1u);
  engine_.Advance(2 * limits::kTaskPause);
  EXPECT_EQ(sent(), 2u);
}

TEST_F(DispatcherTest, OneOfWhichItCouldNotBeNotedThatItWasTakenIsSentAgainUnderTheSameId) {
  AskToWake(1);
  engine_.store().FailNext(fakes::Fault::kUnavailable);
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 1u);
  engine_.Advance(limits::kSendLease);
  ASSERT_EQ(sent(), 2u);
  EXPECT_EQ(HeaderOf(Sent(1), "webhook-id"), HeaderOf(Sent(0), "webhook-id"));
  Answer(1, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
}

TEST_F(DispatcherTest, ARestartLosesNone) {
  AskToWake(1);
  AskToWake(2);
  Answer(1, SendOutcome::kFailed, "answered 503");
  fakes::Engine again(engine_.memory().Copy(), 2, engine_.clock().Now());
  // The first was under way when the server ended.
  again.Advance(limits::kSendLease);
  ASSERT_THAT(again.sender().requests(), SizeIs(2));
  EXPECT_EQ(HeaderOf(again.sender().requests()[0], "webhook-id"), HeaderOf(Sent(1), "webhook-id"));
  EXPECT_EQ(HeaderOf(again.sender().requests()[1], "webhook-id"), HeaderOf(Sent(0), "webhook-id"));
}

TEST_F(DispatcherTest, AClockThatWasAheadHoldsNoneUp) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  engine_.clock().SetNow(engine_.clock().Now() - absl::Hours(48));
  engine_.Advance(limits::kTaskSleep);
  EXPECT_EQ(sent(), 2u);
}

TEST_F(DispatcherTest, WithoutAWebhookItIsGivenUp) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  SetWebhook("", "");
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 1u);
  ASSERT_THAT(Listed(true), SizeIs(1));
  EXPECT_THAT(Listed(true)[0].failure(), testing::HasSubstr("no webhook"));
}

TEST_F(DispatcherTest, AnotherUrlHoldsOfWhatWaitsAsWell) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 410");
  SetWebhook("https://push.example.org/moved", "");
  engine_.Advance(limits::kNoticePause);
  ASSERT_EQ(sent(), 2u);
  EXPECT_EQ(Sent(1).url, "https://push.example.org/moved");
}

TEST_F(DispatcherTest, ADamagedNoticeHoldsNoOtherUp) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  const std::string key = base::keys::Notice(tenant_, Outbox().last_number());
  ASSERT_EQ(fakes::CommitAndWait(engine_.store(), fakes::PutOf(Space::kRecords, key, "\xff")).outcome,
            storage::CommitOutcome::kCommitted);
  AskToWake(2);
  engine_.Advance(limits::kNoticePause);
  ASSERT_EQ(sent(), 2u);
  Answer(1, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_EQ(AskToWake(1), "") << "the device can be asked again";
  EXPECT_EQ(sent(), 3u);
}

TEST_F(DispatcherTest, ATimeOfNoNoticeIsForgottenAndNotCounted) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  const std::string stray = base::keys::NoticeDue(tenant_, 1, 99);
  ASSERT_EQ(fakes::CommitAndWait(engine_.store(), fakes::PutOf(Space::kRecords, stray, "")).outcome,
            storage::CommitOutcome::kCommitted);
  engine_.Advance(limits::kNoticePause);
  EXPECT_EQ(sent(), 2u);
  EXPECT_EQ(Outbox().waiting(), 1u);
  EXPECT_FALSE(engine_.Snapshot()->Get(Space::kRecords, stray)->has_value());
}

TEST_F(DispatcherTest, PausesDoubleUpToABoundLessAHalfByChance) {
  for (int i = 0; i < 50; ++i) {
    const absl::Duration first = PauseAfter(1, engine_.random());
    EXPECT_GE(first, limits::kNoticePause / 2);
    EXPECT_LT(first, limits::kNoticePause);
    const absl::Duration fifth = PauseAfter(5, engine_.random());
    EXPECT_GE(fifth, 8 * limits::kNoticePause);
    EXPECT_LT(fifth, 16 * limits::kNoticePause);
    for (const uint32_t failures : {15u, 1'000'000u}) {
      const absl::Duration late = PauseAfter(failures, engine_.random());
      EXPECT_GE(late, limits::kNoticePauseMost / 2);
      EXPECT_LT(late, limits::kNoticePauseMost);
    }
  }
}

}  // namespace
}  // namespace caresync::outbox

#include "server/base/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "server/base/text.h"

namespace caresync::base {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

std::vector<absl::Status> EveryError() {
  using namespace errors;  // NOLINT(google-build-using-namespace): the list names nothing else.
  return {
      NoCredential(),
      CredentialNotValid("x"),
      CredentialExpired(),
      CredentialLifetimeTooLong(),
      RoleNotAllowed("x", "y"),
      OtherTenant("x"),
      SourceNotYours("x", "y"),
      InvalidArgument("page_size", "must not be negative"),
      MessageTooLarge("x", 1),
      PageTokenNotValid(),
      InvalidTenantId("x"),
      TenantUnknown("x"),
      TenantExists("x"),
      InvalidExternalId("x"),
      RecordMissing(),
      RecordTooLarge(1),
      TooManyWaiting("x"),
      CommitTooLarge(),
      TooManyChanges(1),
      ChangesSilent(),
      DeviceUnknown("x"),
      CarerUnknown("x"),
      BranchUnknown("x"),
      TooManyDrops(),
      ServiceUserUnknown("x"),
      GroupUnknown("x"),
      CarePlanUnknown("x"),
      VisitUnknown("x"),
      ReviewUnknown("x"),
      EventResolved(),
      EventCannotBeStored("x"),
      TooManyGroups("x"),
      DeviceBlocked(),
      DeviceCloned(),
      CarerLeft(),
      AppTooOld("1.2"),
      WaitingAfterRestore(absl::Seconds(1)),
      FanOutUnderWay(absl::Seconds(1)),
      StartExpected(),
      StartRepeated(),
      StartTooLate(),
      OtherDevice(),
      OtherCarer(),
      CarerNotAUser("x"),
      CleanSyncWouldLoseWork("x"),
      TokenNotValid(),
      TokenOfAnotherCopy(),
      AckNeverIssued(),
      TooManyEvents("x"),
      DeviceSilent(),
      DeviceNotReading(),
      StreamNotRead(),
      LeftUnfinished(),
      SessionTakenOver(),
      StreamCut(),
      CopyDiverged(),
      EmptyMessage(),
      Overloaded(absl::Seconds(1)),
      StoreFull(),
      StoreUnavailable("x"),
      ShuttingDown(absl::Seconds(1)),
      DamagedRow("x"),
      CommitConflict(),
      SigningKeyMissing("x"),
      SigningKeyNotUsable("x", "y"),
      SigningKeyUnavailable("x", "y"),
      SigningKeyLost("x"),
      SigningKeyReadableByOthers("x"),
      NoRoomToStart("x"),
      CannotListen("x", "y"),
      MessageNotUnderstood("x"),
  };
}

TEST(Errors, EachHasAReasonOfItsOwnAndAMessage) {
  std::set<std::string> reasons;
  for (const absl::Status& error : EveryError()) {
    EXPECT_FALSE(error.ok());
    EXPECT_THAT(Reason(error), ::testing::MatchesRegex("[A-Z][A-Z_]+"));
    EXPECT_TRUE(reasons.insert(Reason(error)).second) << Reason(error);
    EXPECT_GE(error.message().size(), 20u) << error;
  }
}

TEST(Errors, ReasonAndRetrySurviveACopy) {
  const absl::Status copy = errors::Overloaded(absl::Milliseconds(1'500));
  EXPECT_EQ(Reason(copy), "OVERLOADED");
  EXPECT_EQ(RetryDelay(copy), absl::Milliseconds(1'500));
  EXPECT_EQ(copy.code(), absl::StatusCode::kResourceExhausted);
}

TEST(Errors, AWaitThatAClientReadIsOneOfTheStatus) {
  const absl::Status status = WithRetryDelay(absl::UnavailableError("x"), absl::Seconds(7));
  EXPECT_EQ(RetryDelay(status), absl::Seconds(7));
  EXPECT_EQ(status.message(), "x");
  EXPECT_TRUE(WithRetryDelay(absl::OkStatus(), absl::Seconds(7)).ok());
}

TEST(Errors, OtherStatusesHaveNoReason) {
  EXPECT_EQ(Reason(absl::OkStatus()), "");
  EXPECT_EQ(Reason(absl::InternalError("x")), "");
  EXPECT_EQ(RetryDelay(absl::InternalError("x")), std::nullopt);
}

TEST(Errors, ComingBackIsOfferedOnlyWhereItHelps) {
  EXPECT_TRUE(RetryDelay(errors::StoreFull()).has_value());
  EXPECT_TRUE(RetryDelay(errors::ShuttingDown(absl::Seconds(3))).has_value());
  EXPECT_FALSE(RetryDelay(errors::TokenNotValid()).has_value());
  EXPECT_FALSE(RetryDelay(errors::TenantUnknown("x")).has_value());
}

TEST(Errors, SayWhatWasWrong) {
  EXPECT_THAT(MessageOf(errors::InvalidArgument("visit.start_time", "must be before end_time")),
              HasSubstr("visit.start_time: must be before end_time"));
  EXPECT_THAT(MessageOf(errors::TooManyChanges(101)), HasSubstr("101"));
  EXPECT_EQ(Reason(errors::InvalidArgument("a", "b")), "INVALID_FIELD");
}

TEST(Errors, WhatACallerSentIsQuotedOnlySoFar) {
  const std::string long_name(5'000, 'x');
  EXPECT_LT(errors::TenantUnknown(long_name).message().size(), 300u);
  EXPECT_THAT(MessageOf(errors::TenantUnknown("short")), HasSubstr("\"short\""));
  EXPECT_THAT(MessageOf(errors::TenantUnknown("short")), Not(HasSubstr("...")));
}

// A message with half a character in it is one that no client can read.
TEST(Errors, AQuotationEndsWithAWholeCharacter) {
  for (size_t before = 94; before <= 101; ++before) {
    for (const std::string character : {"x", "\u00e9", "\u20ac", "\U0001F600"}) {
      const std::string name = std::string(before, 'x') + character + "more than that";
      EXPECT_TRUE(CountCharacters(MessageOf(errors::TenantUnknown(name))).has_value()) << name;
    }
  }
}

}  // namespace
}  // namespace caresync::base

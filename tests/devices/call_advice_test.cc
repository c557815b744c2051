#include "server/devices/call_advice.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"

namespace caresync::devices {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Every way in which a device's call can end badly: what `Sync`, and what is before and below it, answers.
std::vector<std::pair<absl::Status, CallRemedy>> EndsOfCalls() {
  using namespace base::errors;  // NOLINT(google-build-using-namespace): the list names nothing else.
  const absl::Duration soon = absl::Seconds(1);
  return {
      {StreamCut(), CallRemedy::kNetwork},
      {DeviceSilent(), CallRemedy::kNetwork},
      {DeviceNotReading(), CallRemedy::kNetwork},
      {StartTooLate(), CallRemedy::kNetwork},
      {LeftUnfinished(), CallRemedy::kStayInApp},
      {SessionTakenOver(), CallRemedy::kNone},
      {NoCredential(), CallRemedy::kSignIn},
      {CredentialNotValid("x"), CallRemedy::kSignIn},
      {CredentialExpired(), CallRemedy::kSignIn},
      {OtherCarer(), CallRemedy::kSignIn},
      {OtherDevice(), CallRemedy::kSignIn},
      {CredentialLifetimeTooLong(), CallRemedy::kCredentials},
      {RoleNotAllowed("x", "y"), CallRemedy::kCredentials},
      {OtherTenant("x"), CallRemedy::kCredentials},
      {TenantUnknown("x"), CallRemedy::kCredentials},
      {CarerNotAUser("x"), CallRemedy::kMakeUser},
      {CarerLeft(), CallRemedy::kCarerLeft},
      {CarerUnknown("x"), CallRemedy::kSendCarer},
      {DeviceBlocked(), CallRemedy::kUnblock},
      {DeviceCloned(), CallRemedy::kInstallAnew},
      {AppTooOld("1.2"), CallRemedy::kUpdateApp},
      {CleanSyncWouldLoseWork("x"), CallRemedy::kUploadFirst},
      {CopyDiverged(), CallRemedy::kSyncForNewCopy},
      {WaitingAfterRestore(soon), CallRemedy::kSendRotaAgain},
      {Overloaded(soon), CallRemedy::kWait},
      {FanOutUnderWay(soon), CallRemedy::kWait},
      {ShuttingDown(soon), CallRemedy::kWait},
      {CommitConflict(), CallRemedy::kWait},
      {StoreFull(), CallRemedy::kOperator},
      {StoreUnavailable("x"), CallRemedy::kOperator},
      {DamagedRow("x"), CallRemedy::kOperator},
      {StartExpected(), CallRemedy::kAppMaker},
      {StartRepeated(), CallRemedy::kAppMaker},
      {EmptyMessage(), CallRemedy::kAppMaker},
      {MessageNotUnderstood("x"), CallRemedy::kAppMaker},
      {MessageTooLarge("x", 1), CallRemedy::kAppMaker},
      {InvalidArgument("x", "y"), CallRemedy::kAppMaker},
      {AckNeverIssued(), CallRemedy::kAppMaker},
      {TokenNotValid(), CallRemedy::kAppMaker},
      {TokenOfAnotherCopy(), CallRemedy::kAppMaker},
      {TooManyEvents("x"), CallRemedy::kAppMaker},
      {CommitTooLarge(), CallRemedy::kAppMaker},
      {RecordTooLarge(1), CallRemedy::kAppMaker},
  };
}

std::string AdviceOf(const absl::Status& end) {
  return AdviceText(RemedyOf(base::Reason(end)), "Ann Smith", "Pixel 6");
}

TEST(CallAdvice, EveryEndOfADevicesCallHasItsRemedy) {
  for (const auto& [end, remedy] : EndsOfCalls()) EXPECT_EQ(RemedyOf(base::Reason(end)), remedy) << end;
}

TEST(CallAdvice, OnlyWhereTheNetworkIsTheCauseTheNetworkIsAdvised) {
  for (const auto& [end, remedy] : EndsOfCalls()) {
    if (remedy == CallRemedy::kNetwork) {
      EXPECT_THAT(AdviceOf(end), HasSubstr("Wi-Fi")) << end;
    } else {
      EXPECT_THAT(AdviceOf(end), Not(HasSubstr("Wi-Fi"))) << end;
    }
  }
}

TEST(CallAdvice, EachRemedyHasAnAdviceOfItsOwn) {
  std::map<std::string, std::set<CallRemedy>> remedies;
  for (const auto& [end, remedy] : EndsOfCalls()) remedies[AdviceOf(end)].insert(remedy);
  remedies[AdviceText(CallRemedy::kNotKnown, "Ann Smith", "Pixel 6")].insert(CallRemedy::kNotKnown);
  for (const auto& [advice, of] : remedies) {
    EXPECT_GE(advice.size(), 20u) << advice;
    EXPECT_EQ(of.size(), 1u) << advice;
  }
}

TEST(CallAdvice, SaysWhoHasToDoWhat) {
  EXPECT_EQ(AdviceOf(base::errors::WaitingAfterRestore(absl::Seconds(1))),
            "Have the rostering system send the rota again, or end the wait (`caresync tenant release-rebuilds`); then "
            "Pixel 6 syncs when its turn has come.");
  EXPECT_THAT(AdviceOf(base::errors::CarerNotAUser("x")), StartsWith("Make Ann Smith a user of Pixel 6"));
  EXPECT_THAT(AdviceOf(base::errors::CleanSyncWouldLoseWork("x")), HasSubstr("a standard sync"));
  EXPECT_THAT(AdviceOf(base::errors::MessageNotUnderstood("x")), StartsWith("Tell the maker of the app"));
}

// Which of them are out of the carer's hands: the office then says by phone what the phone cannot show.
TEST(CallAdvice, WhatTakesOthersThanTheCarerIsToldApart) {
  EXPECT_TRUE(NeedsOthers(RemedyOf("STORE_FULL")));
  EXPECT_TRUE(NeedsOthers(RemedyOf("CARER_NOT_A_USER")));
  EXPECT_TRUE(NeedsOthers(RemedyOf("WAITING_AFTER_RESTORE")));
  EXPECT_FALSE(NeedsOthers(RemedyOf("STREAM_CUT")));
  EXPECT_FALSE(NeedsOthers(RemedyOf("CREDENTIAL_EXPIRED")));
  EXPECT_FALSE(NeedsOthers(RemedyOf("OVERLOADED")));
}

TEST(CallAdvice, WithoutAReasonItSaysWhatASyncNeedsAndOfAnUnknownOneWhereToLook) {
  EXPECT_EQ(RemedyOf(""), CallRemedy::kNetwork);
  EXPECT_EQ(RemedyOf("WRITTEN_BY_A_LATER_SERVER"), CallRemedy::kNotKnown);
}

}  // namespace
}  // namespace caresync::devices

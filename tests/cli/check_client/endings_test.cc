#include "tools/caresync/check_client/endings.h"

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

namespace server = base::errors;

// As the server itself ends a stream with that reason.
TEST(EndingOf, HasTheServersStatusAndReason) {
  for (const absl::Status& error :
       {server::AckNeverIssued(), server::AppTooOld("1"), server::CarerLeft(), server::CarerNotAUser("c"),
        server::CleanSyncWouldLoseWork("w"), server::CopyDiverged(), server::DeviceBlocked(), server::DeviceSilent(),
        server::FanOutUnderWay(absl::Seconds(1)), server::NoCredential(), server::Overloaded(absl::Seconds(1)),
        server::SessionTakenOver(), server::ShuttingDown(absl::Seconds(1)), server::TokenNotValid(),
        server::TokenOfAnotherCopy(), server::WaitingAfterRestore(absl::Seconds(1))}) {
    const std::string reason = base::Reason(error);
    ASSERT_TRUE(IsEnding(reason)) << reason;
    const grpc::Status ending = EndingOf(reason);
    EXPECT_EQ(static_cast<int>(ending.error_code()), error.raw_code()) << reason;
    EXPECT_EQ(ErrorReason(errors::FromCall(ending, "a server")), reason);
  }
}

TEST(EndingOf, SaysWhenToComeBackWhereTheServerDoes) {
  const absl::Status told = errors::FromCall(EndingOf("WAITING_AFTER_RESTORE"), "a server");
  EXPECT_NE(std::string(told.message()).find("2 s"), std::string::npos) << told;
}

TEST(EndingOf, SaysWhatANoticeSaidBefore) {
  const absl::Status told = errors::FromCall(EndingOf("SHUTTING_DOWN", absl::Seconds(7)), "a server");
  EXPECT_NE(std::string(told.message()).find("7 s"), std::string::npos) << told;
}

TEST(EndingOf, OkIsOne) {
  EXPECT_TRUE(IsEnding("OK"));
  EXPECT_TRUE(EndingOf("OK").ok());
  EXPECT_FALSE(IsEnding("GO_HOME"));
}

TEST(CutEnding, LooksLikeAServerThatCannotBeReached) {
  EXPECT_EQ(ErrorReason(errors::FromCall(CutEnding(), "a server")), "SERVER_UNREACHABLE");
}

}  // namespace
}  // namespace caresync::cli::check

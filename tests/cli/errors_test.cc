#include "tools/caresync/errors.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "tests/cli/server_error.h"
#include "tools/caresync/error_output.h"

namespace caresync::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

constexpr char kSteering[] = "tenant \"\x1b[2J\r\n\x1b]0;owned\x07\" is not known";

std::string Printed(const absl::Status& status) {
  CaptureStderr();
  PrintError(status);
  return GetCapturedStderr();
}

TEST(CallErrors, CarryTheServersReason) {
  const absl::Status status =
      errors::FromCall(ServerError(grpc::StatusCode::NOT_FOUND, "TENANT_UNKNOWN", "no tenant"), "here:1");
  EXPECT_EQ(ErrorReason(status), "TENANT_UNKNOWN");
  EXPECT_EQ(status.message(), "no tenant");
}

TEST(CallErrors, SayWhichCommandHelpsWhereTheServerNamesACall) {
  const auto told = [](const std::string& reason) {
    return std::string(errors::FromCall(ServerError(grpc::StatusCode::NOT_FOUND, reason, "so"), "here:1").message());
  };
  EXPECT_THAT(told("DEVICE_UNKNOWN"), HasSubstr("so (`caresync device update --enrol`"));
  EXPECT_THAT(told("MISMATCH_UNKNOWN"), HasSubstr("`caresync mismatches`"));
  EXPECT_THAT(told("TOKEN_NOT_VALID"), HasSubstr("--token-file"));
  EXPECT_EQ(told("CARER_UNKNOWN"), "so");
}

TEST(CallErrors, SayWhenToComeBack) {
  const absl::Status status = errors::FromCall(
      ServerError(grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN", "the server goes away", 7), "here:1");
  EXPECT_EQ(base::RetryDelay(status), absl::Seconds(7));
  EXPECT_THAT(status.message(), HasSubstr("(come back in 7 s)"));
}

TEST(CallErrors, DoNotSteerTheTerminalByWhatTheServerSays) {
  EXPECT_EQ(Printed(errors::FromCall(ServerError(grpc::StatusCode::NOT_FOUND, "A\x1b[2J", kSteering), "here:1")),
            "error: A?[2J: tenant \"?[2J???]0;owned?\" is not known\n");
  // Nor by what something else on that port says.
  const std::string transport =
      Printed(errors::FromCall(grpc::Status(grpc::StatusCode::UNAVAILABLE, kSteering), "here:1"));
  EXPECT_THAT(transport, HasSubstr("SERVER_UNREACHABLE: no answer from here:1 (tenant \"?[2J???]0;owned?\""));
}

TEST(PrintedErrors, ShowNoControlCharactersButTheEndsOfTheirOwnLines) {
  EXPECT_EQ(
      Printed(errors::CarerAmbiguous("c\x1b", {"one\x9b", "two\x1b[2J"})),
      "error: CARER_AMBIGUOUS: \"c?\" may be any of these carers; give one of them in full:\n  one\x9b\n  two?[2J\n");
}

TEST(ToldErrors, AreForMachinesWhereTheyAskedForIt) {
  CaptureStdout();
  EXPECT_EQ(TellError(true, errors::Usage("say which tenant")), 2);
  EXPECT_EQ(GetCapturedStdout(), "{\"error\":{\"reason\":\"USAGE\",\"message\":\"say which tenant\"}}\n");
  CaptureStderr();
  EXPECT_EQ(TellError(false, errors::CarerNotFound("c1")), 1);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("CARER_NOT_FOUND"));
}

}  // namespace
}  // namespace caresync::cli

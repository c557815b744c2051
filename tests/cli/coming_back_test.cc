#include "tools/caresync/coming_back.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/server_error.h"
#include "tests/fakes/seeded_random.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

absl::Status Gone() { return errors::FromCall(grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"), "here:1"); }

absl::Status Ended(grpc::StatusCode code, const std::string& reason, int retry_seconds = 0) {
  return errors::FromCall(ServerError(code, reason, "it ended", retry_seconds), "here:1");
}

class ComingBackTest : public ::testing::Test {
 protected:
  ComingBackTest() { CaptureStderr(); }
  ~ComingBackTest() override { GetCapturedStderr(); }

  fakes::SeededRandom random_{1};
  ComingBack coming_back_{random_, /*new_credential=*/true};
};

TEST_F(ComingBackTest, AServerThatWasNeverHeardIsNotWaitedFor) {
  EXPECT_EQ(coming_back_.PauseAfter(Gone()), std::nullopt);
  coming_back_.Heard();
  EXPECT_TRUE(coming_back_.PauseAfter(Gone()).has_value());
}

TEST_F(ComingBackTest, PausesGrowUpToAMinuteUntilSomethingIsHeard) {
  coming_back_.Heard();
  EXPECT_LE(*coming_back_.PauseAfter(Gone()), absl::Seconds(2));
  absl::Duration pause;
  for (int i = 0; i < 100; ++i) {
    pause = *coming_back_.PauseAfter(Gone());
    EXPECT_GE(pause, absl::Seconds(2));
    EXPECT_LE(pause, absl::Minutes(1));
  }
  EXPECT_GE(pause, absl::Seconds(30));
  coming_back_.Heard();
  EXPECT_LE(*coming_back_.PauseAfter(Gone()), absl::Seconds(2));
}

TEST_F(ComingBackTest, PausesAreSpread) {
  fakes::SeededRandom other_random(2);
  ComingBack other(other_random, true);
  coming_back_.Heard();
  other.Heard();
  EXPECT_NE(coming_back_.PauseAfter(Gone()), other.PauseAfter(Gone()));
}

TEST_F(ComingBackTest, ComesNotBackBeforeTheServerSays) {
  EXPECT_EQ(coming_back_.PauseAfter(Ended(grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN", 300)), absl::Minutes(5));
}

TEST_F(ComingBackTest, EndsThatComeAgainAreTheEnd) {
  coming_back_.Heard();
  EXPECT_EQ(coming_back_.PauseAfter(absl::OkStatus()), std::nullopt);
  for (const char* reason : {"DEVICE_BLOCKED", "SESSION_TAKEN_OVER", "CREDENTIAL_NOT_VALID", "COPY_DIVERGED"}) {
    EXPECT_EQ(coming_back_.PauseAfter(Ended(grpc::StatusCode::PERMISSION_DENIED, reason)), std::nullopt) << reason;
  }
  EXPECT_EQ(coming_back_.PauseAfter(errors::DeviceStoreFailed("file", "disk")), std::nullopt);
  EXPECT_EQ(coming_back_.PauseAfter(errors::OutputClosed()), std::nullopt);
  EXPECT_EQ(coming_back_.PauseAfter(errors::OutputNotWritable()), std::nullopt);
}

TEST_F(ComingBackTest, ACredentialThatEndedIsRenewedWhereItCanBe) {
  const absl::Status expired = Ended(grpc::StatusCode::UNAUTHENTICATED, "CREDENTIAL_EXPIRED");
  EXPECT_TRUE(coming_back_.PauseAfter(expired).has_value());
  EXPECT_EQ(ComingBack(random_, /*new_credential=*/false).PauseAfter(expired), std::nullopt);
}

TEST(ComingBack, IsToldOnceUntilSomethingIsHeard) {
  fakes::SeededRandom random(1);
  ComingBack coming_back(random, true);
  const auto told = [&](const absl::Status& end) {
    CaptureStderr();
    coming_back.PauseAfter(end);
    return GetCapturedStderr();
  };
  coming_back.Heard();
  EXPECT_THAT(told(Gone()), HasSubstr("SERVER_UNREACHABLE"));
  EXPECT_EQ(told(Gone()), "");
  coming_back.Heard();
  EXPECT_THAT(told(Gone()), HasSubstr("SERVER_UNREACHABLE"));
}

}  // namespace
}  // namespace caresync::cli

#include "tools/caresync/device_report.h"

#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/cli/server_error.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t kMebibyte = uint64_t{1024} * 1024;

struct Told {
  std::string out;
  std::string err;
};

Told Tell(DeviceReport& report, const v1::SyncResponse& response) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  report.Tell(response);
  return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

v1::SyncResponse StartedOf(uint64_t bytes) {
  v1::SyncResponse response;
  response.mutable_started()->set_session_id("s");
  response.mutable_started()->set_estimated_records(1'234);
  response.mutable_started()->set_estimated_bytes(bytes);
  return response;
}

// Requirement: S6
TEST(DeviceReport, ACleanSyncIsToldOfItsSizeBeforehandAndWarnedOfWhereItIsLarge) {
  DeviceReport small(false, v1::SYNC_TYPE_CLEAN);
  Told told = Tell(small, StartedOf(160 * 1024));
  EXPECT_EQ(told.out, "about 1234 records are to come, 160 KiB\n");
  EXPECT_THAT(told.err, IsEmpty());
  DeviceReport large(false, v1::SYNC_TYPE_CLEAN);
  told = Tell(large, StartedOf(5 * kMebibyte));
  EXPECT_EQ(told.out, "about 1234 records are to come, 5.0 MiB\n");
  EXPECT_THAT(told.err, HasSubstr("warning: that is much for mobile data"));
  EXPECT_THAT(Tell(large, StartedOf(5 * kMebibyte)).out, IsEmpty()) << "only the first stream is a clean sync";
}

TEST(DeviceReport, OtherSyncsAreNotTalkedOf) {
  DeviceReport report(false, v1::SYNC_TYPE_STANDARD);
  const Told told = Tell(report, StartedOf(50 * kMebibyte));
  EXPECT_THAT(told.out, IsEmpty());
  EXPECT_THAT(told.err, IsEmpty());
}

TEST(DeviceReport, MachinesGetTheEstimateOfEverySync) {
  DeviceReport report(true, v1::SYNC_TYPE_AUTO);
  const Told told = Tell(report, StartedOf(50 * kMebibyte));
  const auto json = nlohmann::json::parse(told.out);
  EXPECT_EQ(json["estimated_records"], 1'234);
  EXPECT_EQ(json["estimated_bytes"], 50 * kMebibyte);
  EXPECT_THAT(told.err, IsEmpty());
}

TEST(DeviceReport, SaysWhichBatchHoldsTheNextVisits) {
  v1::SyncResponse response;
  response.mutable_changes()->set_next_visits(true);
  DeviceReport people(false, v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(Tell(people, response).out, "the next visits are here, the rest follows\n");
  DeviceReport machines(true, v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(nlohmann::json::parse(Tell(machines, response).out)["next_visits"], true);
}

Told TellEnd(const absl::Status& status) {
  DeviceReport report(false, v1::SYNC_TYPE_STANDARD);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  report.TellEnd(status, DeviceView());
  return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

std::string HelpFor(const absl::Status& status) { return TellEnd(status).err; }
std::string HelpForCall(const grpc::Status& status) { return HelpFor(errors::FromCall(status, "here:1")); }

// Requirement: S10
TEST(DeviceReport, HelpForAFailedSyncMarksWhatTheEvidencePointsAt) {
  EXPECT_THAT(HelpForCall({grpc::StatusCode::UNAVAILABLE, "no route"}),
              HasSubstr("  [x] be on the internet, ideally on Wi-Fi\n"
                        "  [ ] stay in the app until the sync has ended\n"
                        "  [ ] keep the screen on\n"));
  // The stream was there, and then nothing came: it may have been each of the three.
  const std::string unsure =
      "  [?] be on the internet, ideally on Wi-Fi\n"
      "  [?] stay in the app until the sync has ended\n"
      "  [?] keep the screen on\n";
  EXPECT_THAT(HelpForCall({grpc::StatusCode::DEADLINE_EXCEEDED, "too slow"}), HasSubstr(unsure));
  for (const char* reason : {"DEVICE_SILENT", "DEVICE_NOT_READING"}) {
    EXPECT_THAT(HelpForCall(ServerError(grpc::StatusCode::DEADLINE_EXCEEDED, reason, "")), HasSubstr(unsure)) << reason;
  }
}

// Requirement: S10
TEST(DeviceReport, AServerOrAStoreThatSaysWhatIsWrongPointsAtNoneOfTheThree) {
  const std::string none =
      "  [ ] be on the internet, ideally on Wi-Fi\n"
      "  [ ] stay in the app until the sync has ended\n"
      "  [ ] keep the screen on\n";
  for (const char* reason : {"SHUTTING_DOWN", "STORE_UNAVAILABLE", "FAN_OUT_UNDER_WAY"}) {
    EXPECT_THAT(HelpForCall(ServerError(grpc::StatusCode::UNAVAILABLE, reason, "")), HasSubstr(none)) << reason;
  }
  EXPECT_THAT(HelpForCall(ServerError(grpc::StatusCode::ABORTED, "SESSION_TAKEN_OVER", "")), Not(HasSubstr("[x]")));
  EXPECT_THAT(HelpForCall(ServerError(grpc::StatusCode::ABORTED, "SESSION_TAKEN_OVER", "")), Not(HasSubstr("[?]")));
  EXPECT_THAT(HelpFor(errors::DeviceStoreFailed("device.db", "disk full")), HasSubstr(none));
  EXPECT_THAT(HelpFor(absl::InternalError("damaged")), HasSubstr(none));
}

TEST(DeviceReport, OfADeviceThatWasNotReadNoNumberIsTold) {
  const absl::Status refused = errors::DeviceOfOtherTenant("device.db", "other");
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  DeviceReport(false, v1::SYNC_TYPE_STANDARD).TellEnd(refused, std::nullopt);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::StartsWith("visits -  records -  revision -  outcome "));
  testing::internal::GetCapturedStderr();
  testing::internal::CaptureStdout();
  DeviceReport(true, v1::SYNC_TYPE_STANDARD).TellEnd(refused, std::nullopt);
  const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  for (const char* number : {"visits", "records", "revision", "unsent_events"}) EXPECT_TRUE(json[number].is_null());
  EXPECT_EQ(json["reason"], "DEVICE_OF_OTHER_TENANT");
}

TEST(DeviceReport, ASyncThatIsRefusedOrSucceedsNeedsNoHelp) {
  EXPECT_THAT(TellEnd(absl::OkStatus()).err, IsEmpty());
  EXPECT_THAT(TellEnd(absl::PermissionDeniedError("no")).err, Not(HasSubstr("keep the screen on")));
}

}  // namespace
}  // namespace caresync::cli

#include "tools/caresync/device_report.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace caresync::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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

// Requirement: S10
TEST(DeviceReport, HelpForAFailedSyncMarksWhatTheEvidencePointsAt) {
  const std::string no_network = TellEnd(absl::UnavailableError("no route")).err;
  EXPECT_THAT(no_network, HasSubstr("  [x] be on the internet, ideally on Wi-Fi\n"
                                    "  [ ] stay in the app until the sync has ended\n"
                                    "  [ ] keep the screen on\n"));
  // The stream was there, and then nothing came: it may have been each of the three.
  const std::string unsure =
      "  [?] be on the internet, ideally on Wi-Fi\n"
      "  [?] stay in the app until the sync has ended\n"
      "  [?] keep the screen on\n";
  EXPECT_THAT(TellEnd(absl::DeadlineExceededError("too slow")).err, HasSubstr(unsure));
  EXPECT_THAT(TellEnd(absl::AbortedError("taken over")).err, HasSubstr(unsure));
  const std::string other = TellEnd(absl::InternalError("damaged")).err;
  EXPECT_THAT(other, HasSubstr("  [ ] be on the internet, ideally on Wi-Fi\n"
                               "  [ ] stay in the app until the sync has ended\n"
                               "  [ ] keep the screen on\n"));
}

TEST(DeviceReport, ASyncThatIsRefusedOrSucceedsNeedsNoHelp) {
  EXPECT_THAT(TellEnd(absl::OkStatus()).err, IsEmpty());
  EXPECT_THAT(TellEnd(absl::PermissionDeniedError("no")).err, testing::Not(HasSubstr("keep the screen on")));
}

}  // namespace
}  // namespace caresync::cli

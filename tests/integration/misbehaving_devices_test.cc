// Devices that do not do their part against the real server: what ends at once. tests/rpc/slow_peers_test.cc has those
// that run into the server's deadlines.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kBad[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kGood[] = "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60";
constexpr int kVisits = 100;

class MisbehavingDevicesTest : public testing::Test {
 protected:
  MisbehavingDevicesTest() {
    client_.CreateTenant("acme");
    carer_ = client_.Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")})
                 .results(0)
                 .record_id();
    client_.Apply("acme", "rota", fakes::LongVisitChanges(kVisits, "su", {"ann"}));
    bad_ = std::make_unique<Device>(client_, "acme", carer_, kBad);
    good_ = std::make_unique<Device>(client_, "acme", carer_, kGood);
  }

  // The last sync of the bad device, once the server has ended it.
  v1::SyncSummary EndOfSync() const {
    v1::SyncSummary last;
    EXPECT_TRUE(fakes::Eventually([&] {
      const std::vector<v1::SyncSummary> history = bad_->History();
      if (!history.empty()) last = history.front();
      return last.has_end_time();
    }));
    return last;
  }

  // Expects that the good device syncs while the bad one's sync is under way, whatever that one does.
  void ExpectAnotherSyncs() {
    EXPECT_TRUE(fakes::Eventually([&] { return !bad_->History().empty(); }));
    const grpc::Status status = good_->Sync();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(good_->held().in_use.size(), kVisits + 2u);
    EXPECT_EQ(good_->History().front().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
    EXPECT_EQ(bad_->History().front().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  }

  // Expects both lines of the log that tell how the bad device's sync ended.
  void ExpectLogged(const std::string& outcome, const std::string& reason, const std::string& code) const {
    const std::string device = std::string(" device=") + kBad + " ";
    EXPECT_THAT(server_.LogLine({" sync_ended ", device}),
                AllOf(HasSubstr(" tenant=acme "), HasSubstr(" carer=" + carer_ + " "),
                      HasSubstr(" outcome=" + outcome + " "), HasSubstr(" reason=" + reason)));
    EXPECT_THAT(server_.LogLine({" call_ended ", device}),
                AllOf(HasSubstr(" method=DeviceSyncService.Sync "), HasSubstr(" tenant=acme "),
                      HasSubstr(" code=" + code + " "), HasSubstr(" reason=" + reason + " ")));
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::string carer_;
  std::unique_ptr<Device> bad_;
  std::unique_ptr<Device> good_;
};

TEST_F(MisbehavingDevicesTest, OneThatNeverReadsAndThenGoesIsInterrupted) {
  const SyncCall call = bad_->Begin();
  ExpectAnotherSyncs();
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  const v1::SyncSummary end = EndOfSync();
  EXPECT_EQ(end.outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_EQ(end.reason(), "STREAM_CUT");
  ExpectLogged("SYNC_OUTCOME_INTERRUPTED", "STREAM_CUT", "CANCELLED");
}

TEST_F(MisbehavingDevicesTest, OneThatHalfClosesEarlyHasLeftItsSyncUnfinished) {
  SyncCall call = bad_->Begin();
  v1::SyncResponse response;
  ASSERT_TRUE(call.stream->Read(&response));
  ExpectAnotherSyncs();
  call.stream->WritesDone();
  const grpc::Status status = call.ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOf(status), "LEFT_UNFINISHED");
  const v1::SyncSummary end = EndOfSync();
  EXPECT_EQ(end.outcome(), v1::SYNC_OUTCOME_LEFT_UNFINISHED);
  EXPECT_EQ(end.reason(), "LEFT_UNFINISHED");
  ExpectLogged("SYNC_OUTCOME_LEFT_UNFINISHED", "LEFT_UNFINISHED", "ABORTED");
}

TEST_F(MisbehavingDevicesTest, OneThatNeverAcksIsToldThatTheServerGoesAway) {
  SyncCall call = bad_->Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  ExpectAnotherSyncs();
  server_.AskToStop();
  const grpc::Status status = call.ReadToTheEnd();
  EXPECT_EQ(server_.Wait(), 0);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  ExpectLogged("SYNC_OUTCOME_INTERRUPTED", "SHUTTING_DOWN", "UNAVAILABLE");

  const ServerProcess again(folder_.path());
  client_ = Client(again);
  const v1::SyncSummary end = EndOfSync();
  EXPECT_EQ(end.outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
  EXPECT_EQ(end.reason(), "SHUTTING_DOWN");
  const grpc::Status next = bad_->Sync();
  EXPECT_TRUE(next.ok()) << next.error_message();
}

// What a device that never acks was sent does not count as held: the next sync sends it again.
TEST_F(MisbehavingDevicesTest, OneThatNeverAcksAndIsTakenOverBeginsAnew) {
  SyncCall call = bad_->Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  const grpc::Status status = bad_->Sync();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(bad_->held().in_use.size(), kVisits + 2u);
  EXPECT_EQ(ReasonOf(call.ReadToTheEnd()), "SESSION_TAKEN_OVER");
  const std::vector<v1::SyncSummary> history = bad_->History();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(history[1].outcome(), v1::SYNC_OUTCOME_TAKEN_OVER);
  ExpectLogged("SYNC_OUTCOME_TAKEN_OVER", "SESSION_TAKEN_OVER", "ABORTED");
}

}  // namespace
}  // namespace caresync::integration

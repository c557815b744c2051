// Peers that leave the server waiting, over real gRPC, with the server's deadlines in the test's hands.
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/integration/device.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using integration::Device;
using integration::SyncCall;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

namespace limits = base::limits;

constexpr char kSlow[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kGood[] = "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60";
// Several batches: more than leaves while nobody reads.
constexpr int kVisits = 100;
// What a session has set: one timer while it waits for the device, another one while a message leaves.
constexpr size_t kWaiting = 1;
constexpr size_t kSending = 2;
// What a follower has set beside these: when it is to confirm again, and when its credential ends.
constexpr size_t kFollowing = 2;

class SlowPeersTest : public testing::Test {
 protected:
  SlowPeersTest() {
    CaptureStderr();
    const integration::Client& client = edge_.client();
    client.CreateTenant("acme");
    const auto applied = client.Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")});
    carer_ = applied.results(0).record_id();
    client.Apply("acme", "rota", fakes::LongVisitChanges(kVisits, "su", {"ann"}));
    slow_ = std::make_unique<Device>(client, "acme", carer_, kSlow);
    good_ = std::make_unique<Device>(client, "acme", carer_, kGood);
  }

  void ExpectAnotherSyncs(size_t visits = kVisits) {
    const grpc::Status status = good_->Sync();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(good_->held().in_use.size(), visits + 2);
    EXPECT_EQ(good_->History().front().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  }

  void ExpectInterrupted(const std::string& reason) const {
    const std::vector<v1::SyncSummary> history = slow_->History();
    ASSERT_EQ(history.size(), 1u);
    EXPECT_EQ(history[0].outcome(), v1::SYNC_OUTCOME_INTERRUPTED);
    EXPECT_EQ(history[0].reason(), reason);
    EXPECT_TRUE(history[0].has_end_time());
  }

  // What fits into the connection's buffers has been sent, and no more while another device syncs.
  void WaitUntilItIsStuck() {
    uint64_t sent = 0;
    do {
      sent = slow_->History().front().bytes_sent();
      ExpectAnotherSyncs();
    } while (sent == 0 || slow_->History().front().bytes_sent() != sent);
  }

  // All that was logged; nothing is served any more.
  std::string Log() {
    slow_.reset();
    good_.reset();
    edge_.Shutdown();
    return GetCapturedStderr();
  }

  std::string LineOf(const std::string& event, const std::string& reason) const {
    return " " + event + " .*device=" + kSlow + " .*reason=" + reason;
  }

  ServedEdge edge_;
  std::string carer_;
  std::unique_ptr<Device> slow_;
  std::unique_ptr<Device> good_;
};

TEST_F(SlowPeersTest, ADeviceThatNeverReadsIsCutOffAndAnotherSyncsMeanwhile) {
  const SyncCall call = slow_->Begin();
  ASSERT_TRUE(fakes::Eventually([&] { return !slow_->History().empty(); }));
  ExpectAnotherSyncs();
  EXPECT_EQ(slow_->History().front().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  while (!slow_->History().front().has_end_time()) {
    if (edge_.timers() == kSending) edge_.Advance(limits::kWriteDeadline);
  }
  // What was sent before it was cut off is there to be read; then the call is over.
  v1::SyncResponse response;
  while (call.stream->Read(&response)) EXPECT_FALSE(response.has_caught_up());
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectInterrupted("DEVICE_NOT_READING");
  EXPECT_THAT(Log(), AllOf(ContainsRegex(LineOf("sync_ended", "DEVICE_NOT_READING")),
                           ContainsRegex(LineOf("call_ended", "DEVICE_NOT_READING"))));
}

// Its session is over at once; the message under way gets its time before the stream is cut off.
TEST_F(SlowPeersTest, ADeviceThatNeverReadsAndIsTakenOverIsCutOffToo) {
  const SyncCall call = slow_->Begin();
  ASSERT_TRUE(fakes::Eventually([&] { return !slow_->History().empty(); }));
  WaitUntilItIsStuck();
  ASSERT_TRUE(edge_.WaitForTimers(kSending));
  const grpc::Status again = Device(edge_.client(), "acme", carer_, kSlow).Sync();
  EXPECT_TRUE(again.ok()) << again.error_message();
  constexpr size_t kMessageUnderWay = 1;
  ASSERT_TRUE(edge_.WaitForTimers(kMessageUnderWay));
  edge_.Advance(limits::kWriteDeadline);
  // It is cut off before anything is read: a read makes room for the message under way.
  ASSERT_TRUE(edge_.WaitForWork());
  v1::SyncResponse response;
  while (call.stream->Read(&response)) EXPECT_FALSE(response.has_caught_up());
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  const std::vector<v1::SyncSummary> history = slow_->History();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(history[1].outcome(), v1::SYNC_OUTCOME_TAKEN_OVER);
  EXPECT_THAT(Log(), AllOf(ContainsRegex(LineOf("sync_ended", "SESSION_TAKEN_OVER")),
                           ContainsRegex(LineOf("call_ended", "SESSION_TAKEN_OVER"))));
}

TEST_F(SlowPeersTest, ADeviceThatNeverAcksIsGivenUpAndAnotherSyncsMeanwhile) {
  SyncCall call = slow_->Begin();
  v1::SyncResponse response;
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  ExpectAnotherSyncs();
  EXPECT_EQ(slow_->History().front().stage(), v1::SYNC_STAGE_CONFIRMING);
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  const grpc::Status status = edge_.AdvanceUntil(
      std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); }), kWaiting, limits::kDeviceSilence);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(integration::ReasonOf(status), "DEVICE_SILENT");
  ExpectInterrupted("DEVICE_SILENT");
  EXPECT_THAT(Log(), AllOf(ContainsRegex(LineOf("sync_ended", "DEVICE_SILENT")),
                           ContainsRegex(LineOf("call_ended", "DEVICE_SILENT"))));
}

// It has synced once, and what came after that is not acknowledged: that success stands, and no other is recorded.
TEST_F(SlowPeersTest, AFollowerThatNeverAcksIsGivenUpAndAnotherSyncsMeanwhile) {
  fakes::TestDevice app(slow_->uuid());
  const base::Uuid carer = *base::Uuid::Parse(carer_);
  v1::SyncRequest start = app.Start(carer, v1::SYNC_TYPE_STANDARD);
  start.mutable_start()->set_follow(true);
  SyncCall call = slow_->Open();
  call.stream->Write(start);
  v1::SyncResponse response;
  while (!response.has_sync_recorded()) {
    ASSERT_TRUE(call.stream->Read(&response));
    const std::optional<v1::SyncRequest> ack = app.Apply(carer, response);
    if (ack.has_value()) call.stream->Write(*ack);
  }
  ASSERT_TRUE(edge_.WaitForTimers(kFollowing));
  edge_.client().Apply("acme", "rota", {fakes::VisitChange("new", "su", {"ann"})});
  while (!response.has_caught_up()) ASSERT_TRUE(call.stream->Read(&response));
  EXPECT_EQ(response.changes().upserts_size(), 1);
  ExpectAnotherSyncs(kVisits + 1);
  EXPECT_EQ(slow_->History().front().outcome(), v1::SYNC_OUTCOME_UNDER_WAY);
  ASSERT_TRUE(edge_.WaitForTimers(kFollowing + kWaiting));
  const grpc::Status status =
      edge_.AdvanceUntil(std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); }), kFollowing + kWaiting,
                         limits::kDeviceSilence);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(integration::ReasonOf(status), "DEVICE_SILENT");
  ExpectInterrupted("DEVICE_SILENT");
  EXPECT_EQ(slow_->History().front().confirmations(), 1u);
  EXPECT_THAT(Log(), AllOf(ContainsRegex(LineOf("sync_ended", "DEVICE_SILENT")),
                           ContainsRegex(LineOf("call_ended", "DEVICE_SILENT"))));
}

TEST_F(SlowPeersTest, ADeviceThatSaysNothingAtAllIsRefused) {
  SyncCall call = slow_->Open();
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  ExpectAnotherSyncs();
  const grpc::Status status = edge_.AdvanceUntil(
      std::async(std::launch::async, [&call] { return call.ReadToTheEnd(); }), kWaiting, limits::kStartDeadline);
  EXPECT_EQ(integration::ReasonOf(status), "START_TOO_LATE");
  EXPECT_TRUE(slow_->History().empty());
  EXPECT_THAT(Log(), AllOf(ContainsRegex(LineOf("sync_ended", "START_TOO_LATE")),
                           ContainsRegex(LineOf("call_ended", "START_TOO_LATE"))));
}

// A slow device is not a silent one: as long as it goes on, it has as long again.
TEST_F(SlowPeersTest, ADeviceThatAcksJustInTimeSyncs) {
  SyncCall call = slow_->Begin();
  fakes::TestDevice app(slow_->uuid());
  const base::Uuid carer = *base::Uuid::Parse(carer_);
  v1::SyncResponse response;
  int batches = 0;
  while (call.stream->Read(&response)) {
    batches += response.has_changes() ? 1 : 0;
    const std::optional<v1::SyncRequest> ack = app.Apply(carer, response);
    if (response.has_caught_up()) {
      // It comes before the session has set its timer: until then the only one may be that of the message.
      ASSERT_TRUE(edge_.WaitForWork());
      ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
      edge_.Advance(limits::kDeviceSilence - absl::Seconds(1));
    }
    if (ack.has_value()) call.stream->Write(*ack);
  }
  EXPECT_TRUE(call.stream->Finish().ok());
  EXPECT_GT(batches, 1);
  EXPECT_EQ(slow_->History().front().outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  GetCapturedStderr();
}

TEST_F(SlowPeersTest, ARosteringSystemThatDoesNotReadItsResultsIsCutOff) {
  const auto context = edge_.client().Context(integration::As(access::Role::kRostering, "acme", "rota"));
  const auto stream = edge_.client().roster().ApplyChanges(context.get());
  // Each of them is rejected at some length: soon the responses do not leave any more, then the requests do not.
  constexpr int kRequests = 100;
  v1::ApplyChangesRequest request;
  for (size_t i = 0; i < limits::kRosterChanges; ++i) {
    *request.add_changes() = fakes::CarerChange(std::string(limits::kExternalIdBytes, 'x'));
  }
  const auto writer = std::async(std::launch::async, [&] {
    for (int i = 0; i < kRequests && stream->Write(request); ++i) continue;
  });
  // In steps so small that the server, while it waits for the next message, does not take the writer for a silent one.
  while (writer.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
    if (edge_.timers() == 1) edge_.Advance(absl::Seconds(1));
  }
  v1::ApplyChangesResponse response;
  int responses = 0;
  while (stream->Read(&response)) ++responses;
  EXPECT_LT(responses, kRequests);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectAnotherSyncs();
  EXPECT_THAT(Log(), ContainsRegex(" call_ended method=RosterService.ApplyChanges tenant=acme .*code=CANCELLED"));
}

TEST_F(SlowPeersTest, ASourceThatDoesNotReadItsCareEventsIsCutOff) {
  const v1::ApplyChangesResponse applied =
      edge_.client().Apply("acme", "rota", {fakes::VisitChange("noted", "su", {"ann"})});
  for (int upload = 0; upload < 5; ++upload) {
    for (size_t i = 0; i < limits::kUploadEvents; ++i) {
      good_->Note(applied.results(0).record_id(), std::string(limits::kNoteCharacters, 'n'));
    }
    ASSERT_TRUE(good_->Sync().ok());
  }
  const auto context = edge_.client().Context(integration::As(access::Role::kRostering, "acme", "rota"));
  v1::StreamCareEventsRequest request;
  request.set_follow(true);
  const auto stream = edge_.client().roster().StreamCareEvents(context.get(), request);
  // The end of its credential, and a message that leaves.
  constexpr size_t kTelling = 2;
  ASSERT_TRUE(edge_.WaitForTimers(kTelling));
  while (edge_.timers() > 0) {
    if (edge_.timers() == kTelling) edge_.Advance(limits::kWriteDeadline);
  }
  v1::StreamCareEventsResponse response;
  while (stream->Read(&response)) EXPECT_FALSE(response.caught_up());
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(Log(),
              ContainsRegex(" call_ended method=RosterService.StreamCareEvents tenant=acme .*reason=STREAM_NOT_READ"));
}

// A stream of changes, with time passing between its messages.
class SilentRosteringTest : public SlowPeersTest {
 protected:
  ~SilentRosteringTest() override {
    context_->TryCancel();
    Log();
  }

  bool SendOne(const std::string& carer) {
    v1::ApplyChangesRequest request;
    *request.add_changes() = fakes::CarerChange(carer);
    request.mutable_changes(0)->set_source("rota");
    v1::ApplyChangesResponse response;
    return stream_->Write(request) && stream_->Read(&response) &&
           response.results(0).outcome() == v1::CHANGE_OUTCOME_CREATED;
  }

  const std::unique_ptr<grpc::ClientContext> context_ =
      edge_.client().Context(integration::As(access::Role::kRostering, "acme", "rota"));
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ApplyChangesRequest, v1::ApplyChangesResponse>> stream_ =
      edge_.client().roster().ApplyChanges(context_.get());
};

TEST_F(SilentRosteringTest, OneThatIsForgottenIsEndedByName) {
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  edge_.Advance(limits::kChangesSilence);
  const grpc::Status end = stream_->Finish();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(integration::ReasonOf(end), "CHANGES_SILENT");
  EXPECT_TRUE(edge_.WaitForTimers(0));
}

TEST_F(SilentRosteringTest, EachMessageGivesItTheWholeTimeAgain) {
  for (const std::string carer : {"a", "b", "c"}) {
    ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
    edge_.Advance(limits::kChangesSilence - absl::Seconds(1));
    EXPECT_TRUE(SendOne(carer)) << carer;
  }
  stream_->WritesDone();
  const grpc::Status end = stream_->Finish();
  EXPECT_TRUE(end.ok()) << end.error_message();
  EXPECT_TRUE(edge_.WaitForTimers(0));
}

TEST_F(SilentRosteringTest, ItsChangesAreTakenUntilItsCredentialEnds) {
  EXPECT_TRUE(SendOne("a"));
  // Its messages keep it from being silent.
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
    edge_.Advance(limits::kChangesSilence - absl::Seconds(1));
    EXPECT_TRUE(SendOne("carer-" + std::to_string(i)));
  }
  ASSERT_TRUE(edge_.WaitForTimers(kWaiting));
  edge_.Advance(limits::kChangesSilence - absl::Seconds(1));
  EXPECT_FALSE(SendOne("late"));
  EXPECT_EQ(integration::ReasonOf(stream_->Finish()), "CREDENTIAL_EXPIRED");
}

TEST_F(SlowPeersTest, ASourceThatFollowsCareEventsDoesSoUntilItsCredentialEnds) {
  const auto context = edge_.client().Context(integration::As(access::Role::kRostering, "acme", "rota"));
  v1::StreamCareEventsRequest request;
  request.set_follow(true);
  const auto stream = edge_.client().roster().StreamCareEvents(context.get(), request);
  v1::StreamCareEventsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.caught_up());
  ASSERT_TRUE(edge_.WaitForTimers(1));
  // The credential lives for an hour of the real clock, which has gone on since the test's began.
  edge_.Advance(absl::Hours(2));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(integration::ReasonOf(stream->Finish()), "CREDENTIAL_EXPIRED");
  EXPECT_TRUE(edge_.WaitForTimers(0));
  Log();
}

}  // namespace
}  // namespace caresync::rpc

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class DeviceSyncTest : public testing::Test {
 protected:
  DeviceSyncTest() {
    client_.CreateTenant("acme");
    const auto applied =
        client_.Apply("acme", "rota",
                      {fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("su"),
                       fakes::VisitChange("mine", "su", {"ann"}), fakes::VisitChange("not-mine", "su", {"bob"})});
    carer_ = applied.results(0).record_id();
    bob_ = applied.results(1).record_id();
    service_user_ = applied.results(2).record_id();
    visit_ = applied.results(3).record_id();
    SetUsers({carer_});
  }

  void SetUsers(const std::vector<std::string>& carers) {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice);
    request.set_allow_missing(true);
    request.set_set_users(true);
    request.mutable_carer_ids()->Assign(carers.begin(), carers.end());
    v1::Device device;
    EXPECT_TRUE(client_
                    .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kAdministrator, "acme"),
                          request, &device)
                    .ok());
  }

  v1::SyncRequest StartMessage() const {
    v1::SyncRequest request;
    v1::Start& start = *request.mutable_start();
    start.set_device_uuid(kDevice);
    start.set_device_name("Pixel 6");
    start.set_app_version("1.0");
    start.set_data_level(1);
    start.set_carer_id(carer_);
    start.set_sync_type(v1::SYNC_TYPE_STANDARD);
    start.set_resume_token(token_);
    if (!token_.empty()) *start.mutable_holds() = holds_;
    return request;
  }

  // Takes what a message brings, and acknowledges it. True where the sync is recorded.
  bool Take(const v1::SyncResponse& response, SyncStream& stream) {
    if (response.has_rebuild()) held_.clear();
    for (const v1::Upsert& upsert : response.changes().upserts()) held_[upsert.record_id()] = upsert.kind();
    for (const v1::Removal& removal : response.changes().removals()) held_.erase(removal.record_id());
    v1::SyncRequest ack;
    if (response.has_changes()) ack.mutable_ack()->set_resume_token(response.changes().resume_token());
    if (response.has_caught_up()) {
      ack.mutable_ack()->set_resume_token(response.caught_up().resume_token());
      holds_ = response.caught_up().holds();
      *ack.mutable_ack()->mutable_holds() = holds_;
    }
    if (ack.has_ack()) {
      token_ = ack.ack().resume_token();
      if (!response.has_sync_recorded()) stream.Write(ack);
    }
    return response.has_sync_recorded();
  }

  // A whole sync; returns how often the server spoke, 0 where it was not recorded.
  int Sync() {
    const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
    const auto stream = client_.sync().Sync(context.get());
    stream->Write(StartMessage());
    v1::SyncResponse response;
    int messages = 0;
    bool recorded = false;
    while (!recorded && stream->Read(&response)) {
      ++messages;
      recorded = Take(response, *stream);
    }
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return recorded ? messages : 0;
  }

  // A stream that follows, with its first round behind it.
  struct Following {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<SyncStream> stream;
  };
  Following Follow() {
    Following following;
    following.context = client_.Context(AsDevice("acme", carer_, kDevice));
    following.stream = client_.sync().Sync(following.context.get());
    v1::SyncRequest start = StartMessage();
    start.mutable_start()->set_follow(true);
    following.stream->Write(start);
    TakeRound(*following.stream);
    return following;
  }
  // Takes what comes until a sync is recorded; the last notice on the way, if any.
  v1::Notice TakeRound(SyncStream& stream) {
    v1::SyncResponse response;
    v1::Notice notice;
    bool recorded = false;
    while (!recorded && stream.Read(&response)) {
      recorded = Take(response, stream);
      if (response.has_notice()) notice = response.notice();
    }
    EXPECT_TRUE(recorded);
    return notice;
  }

  // The reason with which a sync ends in which the device does this.
  std::string ReasonFor(const std::function<void(SyncStream&)>& device) {
    const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
    const auto stream = client_.sync().Sync(context.get());
    device(*stream);
    v1::SyncResponse response;
    while (stream->Read(&response)) continue;
    return ReasonOf(stream->Finish());
  }

  v1::Device Report() {
    v1::GetDeviceRequest request;
    request.set_device_uuid(kDevice);
    v1::Device device;
    EXPECT_TRUE(
        client_
            .Call(client_.devices(), &v1::DeviceService::Stub::GetDevice, As(Role::kSupport, "acme"), request, &device)
            .ok());
    return device;
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::string carer_;
  std::string bob_;
  std::string service_user_;
  std::string visit_;
  // What an app keeps beside its copy.
  std::string token_;
  v1::CopySum holds_;
  std::map<std::string, v1::RecordKind> held_;
};

TEST_F(DeviceSyncTest, GivesADeviceItsCarersRecordsAndShowsItInTheReport) {
  ASSERT_GT(Sync(), 0);
  // The carer, the service user, the one visit.
  EXPECT_EQ(held_.size(), 3u);
  EXPECT_EQ(held_[visit_], v1::RECORD_KIND_VISIT);
  const v1::Device device = Report();
  EXPECT_EQ(device.device_name(), "Pixel 6");
  EXPECT_EQ(device.last_api_call(), v1::CALL_STATE_SUCCEEDED);
  EXPECT_TRUE(device.has_last_successful_sync_time());
}

TEST_F(DeviceSyncTest, NeedsOneMessageEachWayWhereNothingIsNew) {
  ASSERT_GT(Sync(), 0);
  EXPECT_EQ(Sync(), 1);
}

TEST_F(DeviceSyncTest, SendsOnlyWhatChangedAfterARestartToo) {
  ASSERT_GT(Sync(), 0);
  server_.Kill();
  ServerProcess again(folder_.path());
  client_ = Client(again);
  v1::RosterChange cancelled = fakes::VisitChange("mine", "su", {"ann"});
  cancelled.mutable_visit()->set_cancelled(true);
  client_.Apply("acme", "rota", {cancelled});
  ASSERT_GT(Sync(), 0);
  EXPECT_EQ(held_.count(visit_), 0u);
}

TEST_F(DeviceSyncTest, NamesWhatADeviceDidWrong) {
  v1::SyncRequest ack;
  ack.mutable_ack()->set_resume_token("x");
  EXPECT_EQ(ReasonFor([&](SyncStream& stream) { stream.Write(ack); }), "START_EXPECTED");
  EXPECT_EQ(ReasonFor([&](SyncStream& stream) {
              stream.Write(StartMessage());
              stream.Write(StartMessage());
            }),
            "START_REPEATED");
  EXPECT_EQ(ReasonFor([&](SyncStream& stream) {
              v1::SyncRequest start = StartMessage();
              start.mutable_start()->set_device_name("\xff");
              stream.Write(start);
            }),
            "MESSAGE_NOT_UNDERSTOOD");
  EXPECT_EQ(ReasonFor([&](SyncStream& stream) { stream.WritesDone(); }), "START_EXPECTED");
  EXPECT_EQ(ReasonFor([&](SyncStream& stream) {
              v1::SyncRequest start = StartMessage();
              start.mutable_start()->set_carer_id(visit_);
              stream.Write(start);
            }),
            "OTHER_CARER");
  EXPECT_EQ(Report().last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_GT(Sync(), 0);
}

TEST_F(DeviceSyncTest, EndsTheFirstStreamWhenASecondTakesOver) {
  const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
  const auto first = client_.sync().Sync(context.get());
  first->Write(StartMessage());
  v1::SyncResponse response;
  ASSERT_TRUE(first->Read(&response));
  ASSERT_GT(Sync(), 0);
  while (first->Read(&response)) continue;
  EXPECT_EQ(ReasonOf(first->Finish()), "SESSION_TAKEN_OVER");
  EXPECT_EQ(Report().take_overs(), 1u);
}

TEST_F(DeviceSyncTest, TellsAnOpenSessionThatTheServerGoesAway) {
  const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
  const auto stream = client_.sync().Sync(context.get());
  stream->Write(StartMessage());
  v1::SyncResponse response;
  ASSERT_TRUE(stream->Read(&response));
  server_.AskToStop();
  while (stream->Read(&response)) continue;
  EXPECT_EQ(ReasonOf(stream->Finish()), "SHUTTING_DOWN");
  EXPECT_EQ(server_.Wait(), 0);
}

TEST_F(DeviceSyncTest, BringsAFollowerWhatChangesAsItCommits) {
  const Following following = Follow();
  client_.Apply("acme", "rota", {fakes::VisitChange("another", "su", {"ann"})});
  TakeRound(*following.stream);
  EXPECT_EQ(held_.size(), 4u);
  v1::RosterChange cancelled = fakes::VisitChange("mine", "su", {"ann"});
  cancelled.mutable_visit()->set_cancelled(true);
  client_.Apply("acme", "rota", {cancelled});
  TakeRound(*following.stream);
  EXPECT_EQ(held_.count(visit_), 0u);
  EXPECT_EQ(Report().last_api_call(), v1::CALL_STATE_SUCCEEDED);
  following.stream->WritesDone();
  v1::SyncResponse response;
  EXPECT_FALSE(following.stream->Read(&response));
  EXPECT_TRUE(following.stream->Finish().ok());
}

TEST_F(DeviceSyncTest, TellsAConnectedDeviceThatTheOfficeAsksForASync) {
  v1::RequestSyncRequest request;
  request.set_device_uuid(kDevice);
  v1::RequestSyncResponse asked;
  auto ask = [&](const access::Identity& caller) {
    return client_.Call(client_.devices(), &v1::DeviceService::Stub::RequestSync, caller, request, &asked);
  };
  const Following following = Follow();
  ASSERT_TRUE(ask(As(Role::kCoordinator, "acme")).ok());
  EXPECT_TRUE(asked.told());
  v1::SyncResponse response;
  ASSERT_TRUE(following.stream->Read(&response));
  EXPECT_TRUE(response.notice().has_sync_now());
  EXPECT_EQ(ReasonOf(ask(As(Role::kSupport, "acme"))), "ROLE_NOT_ALLOWED");
  request.set_device_uuid("00000000-0000-4000-8000-000000000001");
  EXPECT_EQ(ReasonOf(ask(As(Role::kAdministrator, "acme"))), "DEVICE_UNKNOWN");
  request.set_device_uuid("a phone");
  EXPECT_EQ(ReasonOf(ask(As(Role::kAdministrator, "acme"))), "INVALID_FIELD");
}

TEST_F(DeviceSyncTest, TellsADeviceThatWasNotConnectedInItsNextSyncThatTheOfficeAskedForIt) {
  Device device(client_, "acme", carer_, kDevice);
  ASSERT_TRUE(device.Sync().ok());
  v1::RequestSyncRequest request;
  request.set_device_uuid(kDevice);
  v1::RequestSyncResponse asked;
  ASSERT_TRUE(client_
                  .Call(client_.devices(), &v1::DeviceService::Stub::RequestSync, As(Role::kCoordinator, "acme"),
                        request, &asked)
                  .ok());
  EXPECT_FALSE(asked.told());
  EXPECT_FALSE(asked.wake_asked()) << "there is no push service";
  EXPECT_TRUE(Report().has_wake_asked_time());

  const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
  const auto stream = client_.sync().Sync(context.get());
  stream->Write(StartMessage());
  v1::SyncResponse response;
  while (!response.notice().has_sync_now()) ASSERT_TRUE(stream->Read(&response));
  context->TryCancel();
  while (stream->Read(&response)) continue;
  stream->Finish();
}

// Requirement: S12, A3
TEST_F(DeviceSyncTest, TellsAConnectedDeviceToDropWhatItMayNotHold) {
  const Following following = Follow();
  v1::UpdateDeviceRequest block;
  block.set_device_uuid(kDevice);
  block.set_set_blocked(true);
  block.set_blocked(true);
  v1::Device device;
  ASSERT_TRUE(client_
                  .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kAdministrator, "acme"),
                        block, &device)
                  .ok());
  v1::SyncResponse response;
  ASSERT_TRUE(following.stream->Read(&response));
  ASSERT_EQ(response.notice().drop_now().carer_ids_size(), 1);
  EXPECT_EQ(response.notice().drop_now().carer_ids(0), carer_);
  while (following.stream->Read(&response)) continue;
  EXPECT_EQ(ReasonOf(following.stream->Finish()), "DEVICE_BLOCKED");
  EXPECT_EQ(Report().users(0).drop_state(), v1::DROP_STATE_PENDING);

  // It has not said that it did: its next start is told again.
  v1::SyncRequest dropped;
  dropped.mutable_ack()->add_dropped_carer_ids(carer_);
  const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
  const auto stream = client_.sync().Sync(context.get());
  stream->Write(StartMessage());
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.started().drop_now_carer_ids_size(), 1);
  stream->Write(dropped);
  while (stream->Read(&response)) continue;
  EXPECT_EQ(ReasonOf(stream->Finish()), "DEVICE_BLOCKED");
  EXPECT_EQ(Report().users(0).drop_state(), v1::DROP_STATE_DROPPED);
}

// Requirement: S12
TEST_F(DeviceSyncTest, TellsAFollowerToDropTheCopyOfAnotherCarer) {
  SetUsers({carer_, bob_});
  ASSERT_TRUE(Device(client_, "acme", bob_, kDevice).Sync().ok());
  const Following following = Follow();
  SetUsers({carer_});
  v1::SyncResponse response;
  ASSERT_TRUE(following.stream->Read(&response));
  ASSERT_EQ(response.notice().drop_now().carer_ids_size(), 1);
  EXPECT_EQ(response.notice().drop_now().carer_ids(0), bob_);
  ASSERT_EQ(Report().users_size(), 2) << "its user, and whose copy it is to drop";
  EXPECT_EQ(Report().users(1).drop_state(), v1::DROP_STATE_PENDING);
  v1::SyncRequest dropped;
  dropped.mutable_ack()->add_dropped_carer_ids(bob_);
  following.stream->Write(dropped);
  EXPECT_TRUE(fakes::Eventually([&] { return Report().users(1).drop_state() == v1::DROP_STATE_DROPPED; }));
  // The follower goes on.
  client_.Apply("acme", "rota", {fakes::VisitChange("another", "su", {"ann"})});
  TakeRound(*following.stream);
  EXPECT_EQ(held_.size(), 4u);
}

TEST_F(DeviceSyncTest, TellsAFollowerOfChangedPreferences) {
  const Following following = Follow();
  v1::UpdateTenantRequest update;
  update.set_tenant_id("acme");
  update.mutable_auto_sync_interval()->set_seconds(900);
  v1::Tenant tenant;
  ASSERT_TRUE(client_
                  .Call(client_.tenants(), &v1::TenantService::Stub::UpdateTenant, As(Role::kAdministrator, "acme"),
                        update, &tenant)
                  .ok());
  v1::SyncResponse response;
  ASSERT_TRUE(following.stream->Read(&response));
  EXPECT_EQ(response.notice().preferences().auto_sync_interval().seconds(), 900);
  EXPECT_TRUE(response.notice().preferences().has_next_auto_sync_time());
}

// Requirement: S7
TEST_F(DeviceSyncTest, TellsAFollowerWhatItsBranchPrefers) {
  const std::string branch = client_.Apply("acme", "rota", {fakes::BranchChange("north")}).results(0).record_id();
  const Following following = Follow();
  v1::UpdateTenantRequest update;
  update.set_tenant_id("acme");
  v1::BranchAutoSync& north = *update.add_branch_auto_syncs();
  north.set_branch_id(branch);
  north.mutable_auto_sync_interval()->set_seconds(300);
  v1::Tenant tenant;
  ASSERT_TRUE(client_
                  .Call(client_.tenants(), &v1::TenantService::Stub::UpdateTenant, As(Role::kAdministrator, "acme"),
                        update, &tenant)
                  .ok());
  EXPECT_EQ(tenant.branch_auto_syncs(0).auto_sync_interval().seconds(), 300);
  v1::SyncResponse response;
  ASSERT_TRUE(following.stream->Read(&response));
  EXPECT_EQ(response.notice().preferences().auto_sync_interval().seconds(), 1'800) << "it is of no branch";

  v1::UpdateDeviceRequest request;
  request.set_device_uuid(kDevice);
  request.set_set_branch(true);
  request.set_branch_id(branch);
  v1::Device device;
  ASSERT_TRUE(client_
                  .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kCoordinator, "acme"),
                        request, &device)
                  .ok());
  ASSERT_TRUE(following.stream->Read(&response));
  EXPECT_EQ(response.notice().preferences().auto_sync_interval().seconds(), 300);
}

TEST_F(DeviceSyncTest, TellsAFollowerWhenToComeBackToAServerThatGoesAway) {
  const Following following = Follow();
  server_.AskToStop();
  v1::SyncResponse response;
  // gRPC's client drops a message that it has not handed over when the error behind it arrives, so the end says the
  // same; SessionDriverTest.GoingAwayIsSaidAfterTheMessageThatIsUnderWay shows that the notice is sent.
  while (following.stream->Read(&response)) {
    EXPECT_GE(response.notice().going_away().reconnect_after().seconds(), 5) << response.DebugString();
  }
  const grpc::Status end = following.stream->Finish();
  EXPECT_EQ(ReasonOf(end), "SHUTTING_DOWN");
  EXPECT_GE(RetryDelayOf(end), absl::Seconds(5));
  EXPECT_EQ(server_.Wait(), 0);
}

TEST_F(DeviceSyncTest, EndsAFollowerWithItsCredential) {
  access::Identity caller = AsDevice("acme", carer_, kDevice);
  caller.expires = absl::Now() + absl::Seconds(3);
  const auto context = client_.ContextWith("Bearer " + client_.Mint(caller));
  const auto stream = client_.sync().Sync(context.get());
  v1::SyncRequest start = StartMessage();
  start.mutable_start()->set_follow(true);
  stream->Write(start);
  v1::SyncResponse response;
  bool told = false;
  while (stream->Read(&response)) {
    Take(response, *stream);
    told |= response.notice().has_credentials_end_time();
  }
  EXPECT_TRUE(told);
  EXPECT_EQ(ReasonOf(stream->Finish()), "CREDENTIAL_EXPIRED");
}

TEST_F(DeviceSyncTest, SendsARecordThatIsLargerThanABatchWholeAndAlone) {
  std::vector<v1::RosterChange> visits;
  for (int i = 0; i < 100; ++i) visits.push_back(fakes::VisitChange("more-" + std::to_string(i), "su", {"ann"}));
  client_.Apply("acme", "rota", std::move(visits));
  v1::PutCarePlanRequest plan;
  plan.set_care_plan_id("5f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
  plan.mutable_care_plan()->set_service_user_id(service_user_);
  plan.mutable_care_plan()->set_title("Mobility");
  std::string& text = *plan.mutable_care_plan()->mutable_text();
  for (size_t i = 0; i < base::limits::kCarePlanTextCharacters; ++i) text += "\U0001F600";
  v1::StoredCarePlan stored;
  ASSERT_TRUE(client_
                  .Call(client_.service_users(), &v1::ServiceUserService::Stub::PutCarePlan,
                        As(Role::kAdministrator, "acme"), plan, &stored)
                  .ok());
  const auto context = client_.Context(AsDevice("acme", carer_, kDevice));
  const auto stream = client_.sync().Sync(context.get());
  v1::SyncRequest start = StartMessage();
  start.mutable_start()->set_data_level(2);
  stream->Write(start);
  std::vector<v1::Changes> larger;
  v1::SyncResponse response;
  bool recorded = false;
  while (!recorded && stream->Read(&response)) {
    if (response.changes().ByteSizeLong() > base::limits::kBatchBytes) larger.push_back(response.changes());
    recorded = Take(response, *stream);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(held_.size(), 104u) << "101 visits, the service user, the carer and the care plan";
  ASSERT_EQ(larger.size(), 1u);
  ASSERT_EQ(larger[0].upserts_size(), 1);
  v1::CarePlan sent;
  ASSERT_TRUE(sent.ParseFromString(larger[0].upserts(0).payload()));
  EXPECT_EQ(sent.text(), text);
}

}  // namespace
}  // namespace caresync::integration

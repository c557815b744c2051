#include "loadtest/fleet.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "loadtest/scenarios.h"
#include "loadtest/server_process.h"
#include "loadtest/stopwatch.h"
#include "server/access/signing_key.h"
#include "server/base/errors.h"
#include "server/rpc/error_details.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);
constexpr char kCarer[] = "6f2a8a52-6e0c-4a3b-9a55-1f0a7c5e2b91";

// Has no room for the next calls, as many as it is told to refuse; every other one it records at once, unless it is
// told to wait for acks. Thread-safe.
class FullServer : public v1::DeviceSyncService::Service {
 public:
  void Refuse(int calls) {
    storage::MutexLock lock(mutex_);
    refusals_ = calls;
  }
  // From now on each sync is sent a batch. Then it is ended so; where nothing is named, when the device goes.
  void WaitForAcks(std::optional<grpc::Status> end) {
    storage::MutexLock lock(mutex_);
    waits_ = true;
    end_ = std::move(end);
  }
  // How many came to syncs that were not ended.
  int acks() const {
    storage::MutexLock lock(mutex_);
    return acks_;
  }
  // The connections that calls came by.
  std::set<std::string> peers() const {
    storage::MutexLock lock(mutex_);
    return peers_;
  }

  grpc::Status Sync(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<v1::SyncResponse, v1::SyncRequest>* stream) override {
    v1::SyncRequest start;
    stream->Read(&start);
    if (!HasRoom(context->peer())) return rpc::ToGrpc(base::errors::Overloaded(kRetryAfter));
    v1::SyncResponse response;
    response.mutable_started();
    if (waits()) {
      response.mutable_changes()->set_resume_token("a batch");
      stream->Write(response);
      return Wait(*stream);
    }
    response.mutable_sync_recorded();
    stream->Write(response);
    return grpc::Status::OK;
  }

 private:
  bool HasRoom(const std::string& peer) {
    storage::MutexLock lock(mutex_);
    peers_.insert(peer);
    if (refusals_ == 0) return true;
    --refusals_;
    return false;
  }

  bool waits() const {
    storage::MutexLock lock(mutex_);
    return waits_;
  }

  grpc::Status Wait(grpc::ServerReaderWriter<v1::SyncResponse, v1::SyncRequest>& stream) {
    {
      storage::MutexLock lock(mutex_);
      if (end_.has_value()) return *end_;
    }
    v1::SyncRequest ack;
    while (stream.Read(&ack)) {
      storage::MutexLock lock(mutex_);
      ++acks_;
    }
    return grpc::Status::OK;
  }

  mutable storage::Mutex mutex_;
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool waits_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  int acks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<std::string> peers_ ABSL_GUARDED_BY(mutex_);
};

// As the fleet's own in fleetload, they are never destroyed.
const Connections& Connect(const std::string& server) {
  static auto& all = *new std::vector<std::unique_ptr<const Connections>>();
  all.push_back(std::make_unique<const Connections>(server, 1));
  return *all.back();
}

// A fleet of one device.
class FleetTest : public testing::Test {
 protected:
  void SetUp() override {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    connections_ = &Connect(absl::StrCat("127.0.0.1:", port));
    ASSERT_NO_FATAL_FAILURE(OpenCredentials());
    auto fleet = Fleet::Make(1, "fleet-test", {kCarer}, *credentials_, *connections_, faults_);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
  }

  void OpenCredentials() {
    auto directory = TemporaryDirectory::Make();
    ASSERT_TRUE(directory.ok()) << directory.status();
    const std::string keys = absl::StrCat((*directory)->path(), "/keys");
    ASSERT_TRUE(std::filesystem::create_directory(keys));
    ASSERT_TRUE(access::SigningKey::OpenOrCreate(absl::StrCat(keys, "/signing_key.json")).ok());
    auto credentials = Credentials::Open((*directory)->path(), "fleet-test");
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    credentials_ = *std::move(credentials);
  }

  // One standard sync, then an auto one.
  void SyncTwice(Tally& tally) {
    fleet_->Run(
        [begun = 0](size_t, VirtualDevice&) mutable -> std::optional<SyncPlan> {
          if (begun == 2) return std::nullopt;
          SyncPlan plan;
          plan.type = begun++ == 0 ? v1::SYNC_TYPE_STANDARD : v1::SYNC_TYPE_AUTO;
          return plan;
        },
        tally);
  }

  FullServer service_;
  std::unique_ptr<grpc::Server> server_;
  const Connections* connections_ = nullptr;
  std::optional<Credentials> credentials_;
  Faults faults_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetTest, ASyncThatIsShedTakesUntilItIsRecordedAtLast) {
  service_.Refuse(2);
  Tally tally;
  fleet_->RunOnce(v1::SYNC_TYPE_STANDARD, tally);
  EXPECT_EQ(tally.counts().shed, 2u);
  EXPECT_EQ(tally.counts().recorded, 1u);
  EXPECT_EQ(tally.counts().failed, 0u);
  // An alarm may ring a little early.
  EXPECT_GE(tally.latencies().at("standard").max(), 2 * kRetryAfter - absl::Milliseconds(20));
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(FleetTest, TheNextSyncTakesItsOwnTime) {
  service_.Refuse(1);
  Tally tally;
  SyncTwice(tally);
  EXPECT_EQ(tally.counts().shed, 1u);
  EXPECT_EQ(tally.counts().recorded, 2u);
  EXPECT_LT(tally.latencies().at("auto").max(), tally.latencies().at("standard").max());
}

TEST_F(FleetTest, ASyncThatDoesNotComeAgainIsShedAndNothingElse) {
  service_.Refuse(1);
  Tally tally;
  fleet_->Run(
      [begun = false](size_t, VirtualDevice&) mutable -> std::optional<SyncPlan> {
        if (std::exchange(begun, true)) return std::nullopt;
        SyncPlan plan;
        plan.again_when_shed = false;
        return plan;
      },
      tally);
  EXPECT_EQ(tally.counts().shed, 1u);
  EXPECT_EQ(tally.counts().recorded + tally.counts().failed, 0u);
  EXPECT_THAT(tally.latencies(), IsEmpty());
  EXPECT_THAT(faults_.told(), IsEmpty());
}

// In a process of its own, which was asked to stop.
TEST_F(FleetTest, WhoIsShedRestsOnceTheRunIsToEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        StopOnSignals();
        raise(SIGTERM);
        service_.Refuse(1'000'000);
        Tally tally;
        fleet_->RunOnce(v1::SYNC_TYPE_STANDARD, tally);
        _exit(tally.counts().shed == 1 && tally.counts().recorded == 0 && faults_.count() == 0 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// A device that stalls at a message of its one sync; 0: it does not read.
class StallingFleetTest : public FleetTest {
 protected:
  void Start(uint32_t message) {
    fleet_->Start(
        [this, message, begun = false](size_t, VirtualDevice&) mutable -> std::optional<SyncPlan> {
          if (std::exchange(begun, true)) return std::nullopt;
          SyncPlan plan;
          plan.stall.emplace();
          plan.stall->message = message;
          plan.stall->on_stalled = [this] { stalled_.set_value(); };
          plan.stall->on_ended = [this](const absl::Status& status) { ended_.set_value(cli::ErrorReason(status)); };
          return plan;
        },
        tally_);
  }

  // Lets it read until all of it is over.
  void LetReadToTheEnd() {
    while (!fleet_->WaitFor(kLookEvery)) fleet_->LetRead(0);
  }

  static constexpr std::chrono::milliseconds kLookEvery{20};

  Tally tally_;
  std::promise<void> stalled_;
  std::promise<std::string> ended_;
};

TEST_F(StallingFleetTest, OneThatNeverAcksHearsHowTheServerEndsIt) {
  service_.WaitForAcks(rpc::ToGrpc(base::errors::DeviceSilent()));
  Start(1);
  fleet_->Wait();
  stalled_.get_future().get();
  EXPECT_EQ(ended_.get_future().get(), "DEVICE_SILENT");
  EXPECT_EQ(tally_.counts().stalled, 1u);
  EXPECT_EQ(tally_.counts().recorded + tally_.counts().failed + tally_.counts().cut, 0u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(StallingFleetTest, OneThatNeverAcksSaysNothingUntilItLeaves) {
  service_.WaitForAcks(std::nullopt);
  Start(1);
  stalled_.get_future().get();
  while (!fleet_->WaitFor(kLookEvery)) fleet_->Leave(0);
  server_->Shutdown();
  EXPECT_EQ(service_.acks(), 0);
  EXPECT_EQ(tally_.counts().cut, 1u);
  EXPECT_EQ(tally_.counts().stalled, 0u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(StallingFleetTest, OneThatNeverReadsHearsOfTheEndOnceItReads) {
  service_.WaitForAcks(rpc::ToGrpc(base::errors::DeviceSilent()));
  Start(0);
  stalled_.get_future().get();
  EXPECT_EQ(fleet_->resting(), 0u);
  LetReadToTheEnd();
  EXPECT_EQ(ended_.get_future().get(), "DEVICE_SILENT");
  EXPECT_EQ(tally_.counts().stalled, 1u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

// That it reads is not that it answers.
TEST_F(StallingFleetTest, OneThatIsLetReadBeforeTheServerAnswersStallsAllTheSame) {
  service_.WaitForAcks(rpc::ToGrpc(base::errors::DeviceSilent()));
  Start(0);
  fleet_->LetRead(0);
  fleet_->Wait();
  ASSERT_EQ(tally_.counts().stalled, 1u);
  stalled_.get_future().get();
  EXPECT_EQ(ended_.get_future().get(), "DEVICE_SILENT");
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(StallingFleetTest, OneThatNeverReadsLeavesAsAnyOther) {
  service_.WaitForAcks(std::nullopt);
  Start(0);
  stalled_.get_future().get();
  while (!fleet_->WaitFor(kLookEvery)) fleet_->LeaveAll();
  EXPECT_EQ(tally_.counts().cut, 1u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

// It has not stalled: there was nothing to be read.
TEST_F(StallingFleetTest, OneThatNeverReadsAndIsShedComesAgain) {
  service_.Refuse(1);
  service_.WaitForAcks(rpc::ToGrpc(base::errors::DeviceSilent()));
  Start(0);
  LetReadToTheEnd();
  EXPECT_EQ(ended_.get_future().get(), "DEVICE_SILENT");
  EXPECT_EQ(tally_.counts().shed, 1u);
  EXPECT_EQ(tally_.counts().stalled, 1u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(StallingFleetTest, WhatIsRecordedBeforeDoesNotStall) {
  Start(1);
  fleet_->Wait();
  EXPECT_EQ(tally_.counts().recorded, 1u);
  EXPECT_EQ(tally_.counts().stalled, 0u);
  EXPECT_EQ(stalled_.get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(FleetTest, ASyncMayComeByAConnectionOfItsOwn) {
  const Connections& other = Connect(connections_->server());
  Tally tally;
  fleet_->RunOnce(v1::SYNC_TYPE_AUTO, tally);
  fleet_->Run(
      [&other, begun = false](size_t, VirtualDevice&) mutable -> std::optional<SyncPlan> {
        if (std::exchange(begun, true)) return std::nullopt;
        SyncPlan plan;
        plan.stub = other.OfDevice(0);
        return plan;
      },
      tally);
  EXPECT_EQ(tally.counts().recorded, 2u);
  EXPECT_THAT(service_.peers(), SizeIs(2));
}

TEST_F(FleetTest, ComesWithConnectionsThatWereNotOpenBefore) {
  Tally tally;
  fleet_->RunOnce(v1::SYNC_TYPE_AUTO, tally);
  fleet_->RunOnce(v1::SYNC_TYPE_AUTO, tally);
  ASSERT_THAT(service_.peers(), SizeIs(1));
  Options options;
  options.connections = 1;
  Report report(std::nullopt);
  FleetStage stage{options, *fleet_, report, faults_, *credentials_, *connections_};
  UseNewConnections(stage);
  fleet_->RunOnce(v1::SYNC_TYPE_AUTO, tally);
  EXPECT_EQ(tally.counts().recorded, 3u);
  EXPECT_THAT(service_.peers(), SizeIs(2));
}

}  // namespace
}  // namespace caresync::loadtest

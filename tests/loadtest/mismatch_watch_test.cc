#include "loadtest/mismatch_watch.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"
#include "storage/mutex.h"

namespace caresync::loadtest {
namespace {

const CarerVisit kFirst = {"ann", "visit 1"};
const CarerVisit kSecond = {"ann", "visit 2"};
const absl::Time kChange = absl::FromUnixSeconds(1'800'000'000);

v1::Mismatch Mismatch(const CarerVisit& of, v1::MismatchState state, absl::Time opened) {
  v1::Mismatch mismatch;
  mismatch.set_carer_id(of.first);
  mismatch.set_visit_id(of.second);
  mismatch.set_state(state);
  *mismatch.mutable_first_change_time() = base::ToTimestamp(kChange);
  *mismatch.mutable_open_time() = base::ToTimestamp(opened);
  return mismatch;
}

// Tells what it is given, and goes on until it is to stop, or ends at once. What it is given is set before it is
// served.
class TellingServer : public v1::MismatchService::Service {
 public:
  std::vector<v1::Mismatch> to_tell;
  bool ends = false;

  void Stop() {
    storage::MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }

  grpc::Status WatchMismatches(grpc::ServerContext* /*context*/, const v1::WatchMismatchesRequest* request,
                               grpc::ServerWriter<v1::WatchMismatchesResponse>* stream) override {
    if (!request->follow()) return {grpc::StatusCode::INVALID_ARGUMENT, "a watch that does not go on"};
    for (const v1::Mismatch& mismatch : to_tell) {
      v1::WatchMismatchesResponse response;
      *response.add_mismatches() = mismatch;
      stream->Write(response);
    }
    if (ends) return grpc::Status::OK;
    storage::MutexLock lock(mutex_);
    while (!stopped_) changed_.Wait(mutex_);
    return grpc::Status::OK;
  }

 private:
  storage::Mutex mutex_;
  storage::CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

class MismatchWatchTest : public testing::Test {
 protected:
  ~MismatchWatchTest() override {
    service_.Stop();
    if (server_ != nullptr) server_->Shutdown();
  }

  std::unique_ptr<MismatchWatch> Watch() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    // Never destroyed, as the connections of a fleet.
    static auto& channels = *new std::vector<std::shared_ptr<grpc::Channel>>();
    channels.push_back(grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
    return std::make_unique<MismatchWatch>(channels.back(), "Bearer none", "the server");
  }

  static void WaitFor(const MismatchWatch& watch, const Starts& expected) {
    watch.WaitFor(expected, absl::Now() + absl::Seconds(60));
  }

  TellingServer service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(MismatchWatchTest, KeepsEachAsItWasToldFirst) {
  const absl::Time opened = kChange + absl::Minutes(2);
  service_.to_tell = {Mismatch(kFirst, v1::MISMATCH_STATE_AT_RISK, opened),
                      Mismatch(kFirst, v1::MISMATCH_STATE_AT_RISK, opened + absl::Minutes(5)),
                      Mismatch(kFirst, v1::MISMATCH_STATE_RESOLVED, opened),
                      Mismatch(kSecond, v1::MISMATCH_STATE_UNNEEDED_JOURNEY, opened)};
  const absl::Time before = absl::Now();
  const std::unique_ptr<MismatchWatch> watch = Watch();
  WaitFor(*watch, {{kFirst, kChange}, {kSecond, kChange}});
  const ToldMismatches told = watch->told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told.at(kFirst).change, kChange);
  EXPECT_EQ(told.at(kFirst).opened, opened);
  EXPECT_GE(told.at(kFirst).came, before);
  EXPECT_LE(told.at(kFirst).came, told.at(kSecond).came);
  EXPECT_TRUE(watch->End().ok());
}

TEST_F(MismatchWatchTest, WhatWasNeverOpenIsNotAmongThem) {
  service_.to_tell = {Mismatch(kFirst, v1::MISMATCH_STATE_CLOSED, kChange),
                      Mismatch(kSecond, v1::MISMATCH_STATE_CHANGED, kChange)};
  const std::unique_ptr<MismatchWatch> watch = Watch();
  WaitFor(*watch, {{kSecond, kChange}});
  EXPECT_FALSE(watch->told().contains(kFirst));
  EXPECT_TRUE(watch->told().contains(kSecond));
}

TEST_F(MismatchWatchTest, AStreamThatEndsByItselfIsAnError) {
  service_.ends = true;
  const std::unique_ptr<MismatchWatch> watch = Watch();
  // It does not wait for what cannot come any more.
  WaitFor(*watch, {{kFirst, kChange}});
  EXPECT_FALSE(watch->End().ok());
}

}  // namespace
}  // namespace caresync::loadtest

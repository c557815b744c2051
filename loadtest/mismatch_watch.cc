#include "loadtest/mismatch_watch.h"

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "loadtest/stopwatch.h"
#include "server/base/proto_time.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// How late a wish to stop may be noticed.
constexpr std::chrono::milliseconds kLookEvery{100};

bool IsOpen(const v1::Mismatch& mismatch) {
  return mismatch.state() != v1::MISMATCH_STATE_RESOLVED && mismatch.state() != v1::MISMATCH_STATE_CLOSED;
}

absl::Time TimeOf(const google::protobuf::Timestamp& stamp) {
  return base::FromTimestamp(stamp).value_or(absl::InfinitePast());
}

}  // namespace

MismatchWatch::MismatchWatch(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization,
                             std::string server)
    : server_(std::move(server)), stub_(v1::MismatchService::NewStub(channel)) {
  context_.AddMetadata("authorization", authorization);
  v1::WatchMismatchesRequest request;
  request.set_follow(true);
  stream_ = stub_->WatchMismatches(&context_, request);
  reader_ = std::thread([this] { Read(); });
}

MismatchWatch::~MismatchWatch() {
  if (reader_.joinable()) End().IgnoreError();
}

void MismatchWatch::Read() {
  v1::WatchMismatchesResponse response;
  while (stream_->Read(&response)) Take(response, absl::Now());
  storage::MutexLock lock(mutex_);
  over_ = true;
  changed_.NotifyAll();
}

void MismatchWatch::Take(const v1::WatchMismatchesResponse& response, absl::Time came) {
  storage::MutexLock lock(mutex_);
  for (const v1::Mismatch& mismatch : response.mismatches()) {
    if (!IsOpen(mismatch)) continue;
    // Told again where it opens again, or folds a further change in: that is not when it came.
    told_.try_emplace({mismatch.carer_id(), mismatch.visit_id()},
                      ToldMismatch{TimeOf(mismatch.first_change_time()), TimeOf(mismatch.open_time()), came});
  }
  changed_.NotifyAll();
}

ToldMismatches MismatchWatch::told() const {
  storage::MutexLock lock(mutex_);
  return told_;
}

bool MismatchWatch::HasAll(const Starts& expected) const {
  // Asked after each message: mostly there are too few anyway.
  if (told_.size() < expected.size()) return false;
  for (const auto& [of, start] : expected) {
    if (!told_.contains(of)) return false;
  }
  return true;
}

void MismatchWatch::WaitFor(const Starts& expected, absl::Time end) const {
  storage::MutexLock lock(mutex_);
  while (!over_ && !StopWished() && absl::Now() < end && !HasAll(expected)) changed_.WaitFor(mutex_, kLookEvery);
}

absl::Status MismatchWatch::End() {
  bool was_over = false;
  {
    storage::MutexLock lock(mutex_);
    was_over = over_;
  }
  context_.TryCancel();
  reader_.join();
  const grpc::Status end = stream_->Finish();
  if (!was_over) return absl::OkStatus();
  absl::Status status = cli::errors::FromCall(end, server_);
  if (!status.ok()) return status;
  return cli::errors::ServerBrokeProtocol("the stream of mismatches ended though it was to go on");
}

}  // namespace caresync::loadtest

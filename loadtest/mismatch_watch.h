// Somebody in the office who watches a tenant's mismatches.
#ifndef CARESYNC_LOADTEST_MISMATCH_WATCH_H_
#define CARESYNC_LOADTEST_MISMATCH_WATCH_H_

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "loadtest/deadlines.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Watches from when it is made, on a thread of its own. Used by one thread.
class MismatchWatch {
 public:
  // `authorization` is one that may; `server` names it in errors.
  MismatchWatch(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization, std::string server);
  // Cuts the stream, where it was not ended.
  ~MismatchWatch();
  MismatchWatch(const MismatchWatch&) = delete;
  MismatchWatch& operator=(const MismatchWatch&) = delete;

  // Those that were open when they were told, each as it was told first.
  ToldMismatches told() const;

  // Waits until all of `expected` were told; until `end` at most, or until the stream is over or somebody asks to stop.
  void WaitFor(const Starts& expected, absl::Time end) const;

  // Cuts the stream. Errors: those of the call, where it was over before. Once.
  absl::Status End();

 private:
  void Read();
  void Take(const v1::WatchMismatchesResponse& response, absl::Time came);
  bool HasAll(const Starts& expected) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string server_;
  const std::unique_ptr<v1::MismatchService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchMismatchesResponse>> stream_;

  mutable storage::Mutex mutex_;
  mutable storage::CondVar changed_;
  ToldMismatches told_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  // Last: it uses all of these.
  std::thread reader_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_MISMATCH_WATCH_H_

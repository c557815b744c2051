// Cancels a stream whose peer does not read: gRPC itself would wait for it for ever.
#ifndef CARESYNC_SERVER_RPC_WRITE_DEADLINE_H_
#define CARESYNC_SERVER_RPC_WRITE_DEADLINE_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "grpcpp/server_context.h"
#include "server/base/executor.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Cancel is thread-safe; Start, Stop and Forget take turns. `executor` must outlive it.
class WriteDeadline {
 public:
  WriteDeadline(base::Executor& executor, grpc::CallbackServerContext* context);

  // A write is about to start; it gets limits::kWriteDeadline. Past that `on_expiry` runs, where there is one, and the
  // stream is cancelled.
  void Start(base::Work on_expiry = nullptr);
  // The write is done.
  void Stop();
  // Cancels the stream now, unless it is gone.
  void Cancel() { stream_->Cancel(); }
  // The stream is gone, and its context goes with it.
  void Forget();

 private:
  class Stream {
   public:
    explicit Stream(grpc::CallbackServerContext* context) : context_(context) {}
    void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
    void Forget() ABSL_LOCKS_EXCLUDED(mutex_);

   private:
    storage::Mutex mutex_;
    grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
  };

  base::Executor& executor_;
  // Shared with the timer, which may fire while the stream goes.
  const std::shared_ptr<Stream> stream_;
  base::TimerId timer_ = 0;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_WRITE_DEADLINE_H_

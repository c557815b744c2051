#include "server/rpc/write_deadline.h"

#include <utility>

#include "server/base/limits.h"

namespace caresync::rpc {

WriteDeadline::WriteDeadline(base::Executor& executor, grpc::CallbackServerContext* context)
    : executor_(executor), stream_(std::make_shared<Stream>(context)) {}

void WriteDeadline::Start(base::Work on_expiry) {
  timer_ = executor_.PostAfter(base::limits::kWriteDeadline, [stream = stream_, on_expiry = std::move(on_expiry)] {
    if (on_expiry) on_expiry();
    stream->Cancel();
  });
}

void WriteDeadline::Stop() {
  if (timer_ != 0) executor_.Cancel(std::exchange(timer_, 0));
}

void WriteDeadline::Forget() {
  Stop();
  stream_->Forget();
}

void WriteDeadline::Stream::Cancel() {
  storage::MutexLock lock(mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void WriteDeadline::Stream::Forget() {
  storage::MutexLock lock(mutex_);
  context_ = nullptr;
}

}  // namespace caresync::rpc

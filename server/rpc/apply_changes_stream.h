// One ApplyChanges stream: changes in, results out, one message at a time.
#ifndef CARESYNC_SERVER_RPC_APPLY_CHANGES_STREAM_H_
#define CARESYNC_SERVER_RPC_APPLY_CHANGES_STREAM_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/roster.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/access/identity.h"
#include "server/base/executor.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/write_deadline.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Keeps itself alive until gRPC is done with it. The next message is read, and may be applied, while the response to
// the one before leaves; no more is read ahead, so a caller that does not read its results is held back by HTTP/2. An
// error of a whole message ends the stream with it, and so does a caller that sends nothing for limits::kChangesSilence
// while the stream waits for a message.
class ApplyChangesStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public std::enable_shared_from_this<ApplyChangesStream> {
 public:
  // Serves a call; gRPC gets the reactor to hold.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Serve(Edge& edge,
                                                                            grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  ApplyChangesStream(Edge& edge, grpc::CallbackServerContext* context);

  absl::Status Admit(const grpc::CallbackServerContext& context);
  // Ends the stream with `status` as soon as what is under way is done, unless it is to end already.
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts whatever can be started now.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetSilence() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteResponse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the executor.
  void Apply(grpc::ByteBuffer bytes);
  void Applied(absl::StatusOr<v1::ApplyChangesResponse> response) ABSL_LOCKS_EXCLUDED(mutex_);

  Edge& edge_;
  // Valid until OnDone.
  const grpc::CallbackServerContext* const context_;
  CallRecord record_;
  WriteDeadline deadline_;
  OpenCalls::Handle open_;
  std::shared_ptr<ApplyChangesStream> self_;
  access::Identity caller_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  // No message was applied yet. Touched by one Apply at a time.
  bool first_message_ = true;

  storage::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool applying_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // Runs while a message is waited for; 0: it does not.
  base::TimerId silence_ ABSL_GUARDED_BY(mutex_) = 0;
  // A message that is to be applied next.
  std::optional<grpc::ByteBuffer> next_ ABSL_GUARDED_BY(mutex_);
  // The response that leaves when the one before has.
  std::optional<grpc::ByteBuffer> response_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_APPLY_CHANGES_STREAM_H_

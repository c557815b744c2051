// One StreamCareEvents stream: a source's own feed of what carers recorded, from a token on.
#ifndef CARESYNC_SERVER_RPC_CARE_EVENT_STREAM_H_
#define CARESYNC_SERVER_RPC_CARE_EVENT_STREAM_H_

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
#include "server/commit/subscriptions.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/write_deadline.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Keeps itself alive until gRPC is done with it. Either it reads the next message from the feed, or one message is
// leaving, or it waits for a commit: so a slow reader costs no memory.
class CareEventStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                        public std::enable_shared_from_this<CareEventStream> {
 public:
  // Serves a call; gRPC gets the reactor to hold.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Serve(Edge& edge, grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  enum class Doing { kReading, kWriting, kWaiting, kEnded };

  CareEventStream(Edge& edge, grpc::CallbackServerContext* context);

  absl::Status Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request);
  // On the executor.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::StreamCareEventsResponse> ReadMessage() const;
  // What was read is done with: goes on, waits, or ends.
  void GoOn(bool caught_up) ABSL_LOCKS_EXCLUDED(mutex_);
  // The feed has moved.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream with `status` as soon as what is under way is done, unless it is to end already.
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void PostRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishNow(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Edge& edge_;
  CallRecord record_;
  WriteDeadline deadline_;
  OpenCalls::Handle open_;
  commit::Subscriptions::Handle subscription_;
  std::shared_ptr<CareEventStream> self_;
  access::Identity caller_;
  bool follow_ = false;
  // Of a stream that follows; 0: it does not.
  base::TimerId credential_end_ = 0;
  grpc::ByteBuffer outgoing_;

  // Touched by whoever reads or writes next, which take turns.
  std::string resume_token_;
  bool said_caught_up_ = false;

  storage::Mutex mutex_;
  Doing doing_ ABSL_GUARDED_BY(mutex_) = Doing::kWaiting;
  // The feed has moved since the last read began.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_CARE_EVENT_STREAM_H_

// A stream of what a tenant's store tells one after the other, from a token on: care events, mismatches.
#ifndef CARESYNC_SERVER_RPC_RESUMABLE_STREAM_H_
#define CARESYNC_SERVER_RPC_RESUMABLE_STREAM_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/access/identity.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/status_macros.h"
#include "server/commit/subscriptions.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/message.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/write_deadline.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::rpc {

// What a reader asks of its stream.
struct ResumableRequest {
  std::string resume_token;
  bool follow = false;
};

// A message of the stream, before it is sent.
struct ResumableMessage {
  grpc::ByteBuffer bytes;
  // Goes on behind it.
  std::string resume_token;
  // Nothing is left for now.
  bool caught_up = false;
  // It tells of nothing but its place.
  bool is_empty = false;
};

// What is of one stream alone. Its functions are called on any thread.
struct ResumableKind {
  std::string_view method;
  RoleSet roles;
  // Errors: MESSAGE_NOT_UNDERSTOOD.
  absl::StatusOr<ResumableRequest> (*parse)(grpc::ByteBuffer& bytes);
  // Whose commits tell that there is more. An error where the caller can have no such stream.
  absl::StatusOr<base::ReceiverId> (*topic)(const access::Identity& caller);
  // Reads the next message behind `resume_token`, of bounded size.
  absl::StatusOr<ResumableMessage> (*read)(const Edge& edge, const storage::Reader& reader,
                                           const access::Identity& caller, const std::string& resume_token);
};

// `parse` of a request of the contract.
template <typename Request>
absl::StatusOr<ResumableRequest> ParseResumable(grpc::ByteBuffer& bytes) {
  ASSIGN_OR_RETURN(const Request request, ParseMessage<Request>(bytes));
  return ResumableRequest{request.resume_token(), request.follow()};
}

// A response of the contract that tells of `count` things.
template <typename Response>
ResumableMessage ToResumable(const Response& response, int count) {
  return {SerializeMessage(response), response.resume_token(), response.caught_up(),
          count == 0 && !response.restarted()};
}

// Keeps itself alive until gRPC is done with it. Either it reads the next message from the store, or one message is
// leaving, or it waits for a commit: so a slow reader costs no memory. One that does not read at all is cut off, and
// goes on from its token when it comes back.
class ResumableStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                        public std::enable_shared_from_this<ResumableStream> {
 public:
  // Serves a call; gRPC gets the reactor to hold. `kind` must outlive it.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Serve(const ResumableKind& kind, Edge& edge,
                                                           grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  enum class Doing { kReading, kWriting, kWaiting, kEnded };

  ResumableStream(const ResumableKind& kind, Edge& edge, grpc::CallbackServerContext* context);

  absl::Status Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request);
  // On the executor.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<ResumableMessage> ReadMessage() const;
  // What was read is done with: goes on, waits, or ends.
  void GoOn(bool caught_up) ABSL_LOCKS_EXCLUDED(mutex_);
  // There is more.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream with `status` as soon as what is under way is done, unless it is to end already.
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, for those who may outlive the stream.
  base::Work Ending(const absl::Status& status);
  void PostRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishNow(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ResumableKind& kind_;
  Edge& edge_;
  CallRecord record_;
  WriteDeadline deadline_;
  OpenCalls::Handle open_;
  commit::Subscriptions::Handle subscription_;
  std::shared_ptr<ResumableStream> self_;
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
  // There is more since the last read began.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_RESUMABLE_STREAM_H_

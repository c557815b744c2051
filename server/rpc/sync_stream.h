// One Sync stream between gRPC and its session: the only one who writes to it, and a peer that outlives its session's
// use of it.
#ifndef CARESYNC_SERVER_RPC_SYNC_STREAM_H_
#define CARESYNC_SERVER_RPC_SYNC_STREAM_H_

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/write_deadline.h"
#include "server/sync/session_driver.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Keeps itself alive until gRPC is done with it. Its driver calls it (SyncPeer) from executor threads, and for the
// first message from gRPC's, one call at a time; gRPC's reactions come from gRPC's threads, at the same time as each
// other, and wait for nothing. After End nothing is started but the one Finish: at once, or when the message under way
// has left or its deadline has passed. After SendLast nothing is started.
class SyncStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public sync::SyncPeer,
                   public std::enable_shared_from_this<SyncStream> {
 public:
  // Serves a call; gRPC gets the reactor to hold.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Serve(Edge& edge,
                                                                            grpc::CallbackServerContext* context);

  void Send(v1::SyncResponse response) override ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNext() override;
  void End(absl::Status status, bool abandon) override ABSL_LOCKS_EXCLUDED(mutex_);
  // As one: the device is not woken twice.
  void SendLast(v1::SyncResponse response) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override;
  void OnDone() override;

 private:
  SyncStream(Edge& edge, grpc::CallbackServerContext* context);

  void Begin(const grpc::CallbackServerContext& context);
  // Ends a call that there is no room for: nothing is done for it, not even a line of the log.
  void Shed(const absl::Status& why, const access::Identity& caller);
  // Ends a call that no session has seen.
  void Refuse(const absl::Status& why, const access::Identity& caller);
  // Exactly once; gives an error's way to the device a deadline.
  void FinishNow(const absl::Status& status);

  Edge& edge_;
  // Taken before anything is looked at: a connection's calls are handed over as they came, their messages in any order.
  const sync::Arrival arrival_;
  CallRecord record_;
  WriteDeadline deadline_;
  OpenCalls::Handle open_;
  // Until the device's first message is here.
  sync::Admission::Call coming_;
  std::shared_ptr<SyncStream> self_;
  // Set in Begin, before any reaction; null where the call was refused.
  std::shared_ptr<sync::SessionDriver> driver_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;

  storage::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // How to finish when the message under way has left.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_SYNC_STREAM_H_

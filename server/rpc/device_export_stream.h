// One ExportDevices stream: the report as a file, piece by piece.
#ifndef CARESYNC_SERVER_RPC_DEVICE_EXPORT_STREAM_H_
#define CARESYNC_SERVER_RPC_DEVICE_EXPORT_STREAM_H_

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/access/identity.h"
#include "server/devices/export_csv.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/open_calls.h"
#include "server/rpc/write_deadline.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::rpc {

// Keeps itself alive until gRPC is done with it. Either it makes the next piece, or one piece is leaving: a slow reader
// costs a piece and a page of the report, and one that does not read is cut off. The whole file is of one state of the
// store.
class DeviceExportStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                           public std::enable_shared_from_this<DeviceExportStream> {
 public:
  // Serves a call; gRPC gets the reactor to hold.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Serve(Edge& edge, grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  DeviceExportStream(Edge& edge, grpc::CallbackServerContext* context);

  absl::Status Admit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request);
  // On the executor, one at a time.
  void MakePiece() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> NextPiece();
  void PostNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the stream with `status` as soon as what is under way is done, unless it is to end already.
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishNow(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Edge& edge_;
  CallRecord record_;
  WriteDeadline deadline_;
  OpenCalls::Handle open_;
  std::shared_ptr<DeviceExportStream> self_;
  access::Identity caller_;
  v1::ExportDevicesRequest request_;
  grpc::ByteBuffer outgoing_;

  // Touched by whoever makes a piece.
  std::unique_ptr<storage::Snapshot> snapshot_;
  std::optional<devices::DeviceExport> export_;

  storage::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_DEVICE_EXPORT_STREAM_H_

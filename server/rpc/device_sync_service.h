// caresync.v1.DeviceSyncService on the wire.
#ifndef CARESYNC_SERVER_RPC_DEVICE_SYNC_SERVICE_H_
#define CARESYNC_SERVER_RPC_DEVICE_SYNC_SERVICE_H_

#include "caresync/v1/device_sync.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

// Thread-safe. `edge` must outlive it.
class DeviceSyncService : public v1::DeviceSyncService::WithRawCallbackMethod_Sync<v1::DeviceSyncService::Service> {
 public:
  explicit DeviceSyncService(Edge& edge) : edge_(edge) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Sync(grpc::CallbackServerContext* context) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_DEVICE_SYNC_SERVICE_H_

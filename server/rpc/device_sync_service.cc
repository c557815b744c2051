#include "server/rpc/device_sync_service.h"

#include "server/rpc/sync_stream.h"

namespace caresync::rpc {

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* DeviceSyncService::Sync(
    grpc::CallbackServerContext* context) {
  return SyncStream::Serve(edge_, context);
}

}  // namespace caresync::rpc

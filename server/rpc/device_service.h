// caresync.v1.DeviceService on the wire.
#ifndef CARESYNC_SERVER_RPC_DEVICE_SERVICE_H_
#define CARESYNC_SERVER_RPC_DEVICE_SERVICE_H_

#include "caresync/v1/devices.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using DeviceServiceBase = v1::DeviceService::WithRawCallbackMethod_ListDevices<
    v1::DeviceService::WithRawCallbackMethod_GetDevice<v1::DeviceService::WithRawCallbackMethod_ListSyncs<
        v1::DeviceService::WithRawCallbackMethod_UpdateDevice<v1::DeviceService::WithRawCallbackMethod_RequestSync<
            v1::DeviceService::WithRawCallbackMethod_ExportDevices<v1::DeviceService::Service>>>>>>;

// Thread-safe. `edge` must outlive it.
class DeviceService : public DeviceServiceBase {
 public:
  explicit DeviceService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetDevice(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportDevices(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListSyncs(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  // Answers with the device as it is after the update.
  grpc::ServerUnaryReactor* UpdateDevice(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  // Tells the device, where it is connected, that the office asks for a sync; else has it woken, where the tenant has a
  // push webhook.
  grpc::ServerUnaryReactor* RequestSync(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_DEVICE_SERVICE_H_

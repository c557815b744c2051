// caresync.v1.DeliveryService on the wire.
#ifndef CARESYNC_SERVER_RPC_DELIVERY_SERVICE_H_
#define CARESYNC_SERVER_RPC_DELIVERY_SERVICE_H_

#include "caresync/v1/deliveries.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using DeliveryServiceBase = v1::DeliveryService::WithRawCallbackMethod_ExplainVisit<
    v1::DeliveryService::WithRawCallbackMethod_ListDeliveries<v1::DeliveryService::WithRawCallbackMethod_GetDeviceView<
        v1::DeliveryService::WithRawCallbackMethod_ListWaitingChanges<v1::DeliveryService::Service>>>>;

// Thread-safe. `edge` must outlive it.
class DeliveryService : public DeliveryServiceBase {
 public:
  explicit DeliveryService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* ExplainVisit(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListDeliveries(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetDeviceView(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListWaitingChanges(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_DELIVERY_SERVICE_H_

// caresync.v1.CareEventService on the wire.
#ifndef CARESYNC_SERVER_RPC_CARE_EVENT_SERVICE_H_
#define CARESYNC_SERVER_RPC_CARE_EVENT_SERVICE_H_

#include "caresync/v1/care_events.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using CareEventServiceBase = v1::CareEventService::WithRawCallbackMethod_ListCareEvents<
    v1::CareEventService::WithRawCallbackMethod_ListEventsForReview<
        v1::CareEventService::WithRawCallbackMethod_ResolveEvent<v1::CareEventService::Service>>>;

// Thread-safe. `edge` must outlive it.
class CareEventService : public CareEventServiceBase {
 public:
  explicit CareEventService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* ListCareEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListEventsForReview(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResolveEvent(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_CARE_EVENT_SERVICE_H_

// caresync.v1.RosterService on the wire.
#ifndef CARESYNC_SERVER_RPC_ROSTER_SERVICE_H_
#define CARESYNC_SERVER_RPC_ROSTER_SERVICE_H_

#include "caresync/v1/roster.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using RosterServiceBase = v1::RosterService::WithRawCallbackMethod_ApplyChanges<
    v1::RosterService::WithRawCallbackMethod_StreamCareEvents<v1::RosterService::WithRawCallbackMethod_StreamDeliveries<
        v1::RosterService::WithRawCallbackMethod_ListCarers<v1::RosterService::Service>>>>;

// Thread-safe. `edge` must outlive it.
class RosterService : public RosterServiceBase {
 public:
  explicit RosterService(Edge& edge) : edge_(edge) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ApplyChanges(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamCareEvents(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamDeliveries(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListCarers(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_ROSTER_SERVICE_H_

// caresync.v1.MismatchService on the wire.
#ifndef CARESYNC_SERVER_RPC_MISMATCH_SERVICE_H_
#define CARESYNC_SERVER_RPC_MISMATCH_SERVICE_H_

#include "caresync/v1/mismatches.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using MismatchServiceBase = v1::MismatchService::WithRawCallbackMethod_ListMismatches<
    v1::MismatchService::WithRawCallbackMethod_WatchMismatches<v1::MismatchService::WithRawCallbackMethod_CloseMismatch<
        v1::MismatchService::WithRawCallbackMethod_SnoozeMismatch<
            v1::MismatchService::WithRawCallbackMethod_ReopenMismatch<
                v1::MismatchService::WithRawCallbackMethod_GetIntegrationLag<v1::MismatchService::Service>>>>>>;

// Thread-safe. `edge` must outlive it.
class MismatchService : public MismatchServiceBase {
 public:
  explicit MismatchService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* ListMismatches(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchMismatches(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* CloseMismatch(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SnoozeMismatch(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ReopenMismatch(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetIntegrationLag(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_MISMATCH_SERVICE_H_

// caresync.v1.ServiceUserService on the wire.
#ifndef CARESYNC_SERVER_RPC_SERVICE_USER_SERVICE_H_
#define CARESYNC_SERVER_RPC_SERVICE_USER_SERVICE_H_

#include "caresync/v1/service_users.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using ServiceUserServiceBase = v1::ServiceUserService::WithRawCallbackMethod_SetAccess<
    v1::ServiceUserService::WithRawCallbackMethod_GetAccess<v1::ServiceUserService::WithRawCallbackMethod_PutCarePlan<
        v1::ServiceUserService::WithRawCallbackMethod_DeleteCarePlan<v1::ServiceUserService::Service>>>>;

// Thread-safe. `edge` must outlive it.
class ServiceUserService : public ServiceUserServiceBase {
 public:
  explicit ServiceUserService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* SetAccess(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetAccess(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* PutCarePlan(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteCarePlan(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_SERVICE_USER_SERVICE_H_

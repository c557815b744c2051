// caresync.v1.TenantService on the wire.
#ifndef CARESYNC_SERVER_RPC_TENANT_SERVICE_H_
#define CARESYNC_SERVER_RPC_TENANT_SERVICE_H_

#include "caresync/v1/tenants.grpc.pb.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

using TenantServiceBase = v1::TenantService::WithRawCallbackMethod_CreateTenant<
    v1::TenantService::WithRawCallbackMethod_GetTenant<v1::TenantService::WithRawCallbackMethod_UpdateTenant<
        v1::TenantService::WithRawCallbackMethod_ListTenants<v1::TenantService::WithRawCallbackMethod_ReleaseRebuilds<
            v1::TenantService::WithRawCallbackMethod_ListOutbox<
                v1::TenantService::WithRawCallbackMethod_SetNotificationSettings<
                    v1::TenantService::WithRawCallbackMethod_RemoveNotificationSettings<
                        v1::TenantService::WithRawCallbackMethod_ListNotificationSettings<
                            v1::TenantService::Service>>>>>>>>>;

// Thread-safe. `edge` must outlive it.
class TenantService : public TenantServiceBase {
 public:
  explicit TenantService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* CreateTenant(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetTenant(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* UpdateTenant(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListTenants(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ReleaseRebuilds(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListOutbox(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SetNotificationSettings(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RemoveNotificationSettings(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListNotificationSettings(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) override;

 private:
  Edge& edge_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_TENANT_SERVICE_H_

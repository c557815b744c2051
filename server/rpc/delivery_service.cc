#include "server/rpc/delivery_service.h"

#include "server/deliveries/delivery_list.h"
#include "server/deliveries/explain_visit.h"
#include "server/deliveries/view_told.h"
#include "server/roster/waiting_list.h"
#include "server/rpc/unary.h"
#include "server/sync/unrecorded_ends.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};

}  // namespace

grpc::ServerUnaryReactor* DeliveryService::ExplainVisit(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ExplainVisitRequest, v1::ExplainVisitResponse>(
      edge_, context, request, response, "DeliveryService.ExplainVisit", kReaders,
      Reading<v1::ExplainVisitRequest, v1::ExplainVisitResponse>(
          edge_,
          [this](const storage::Reader& reader, const base::TenantId& tenant, const v1::ExplainVisitRequest& visit) {
            const devices::AsOf as_of{.syncs = sync::SyncsOf(edge_.sync), .now = edge_.clock.Now()};
            return deliveries::ExplainVisit(reader, tenant, visit, as_of);
          }));
}

grpc::ServerUnaryReactor* DeliveryService::ListDeliveries(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListDeliveriesRequest, v1::ListDeliveriesResponse>(
      edge_, context, request, response, "DeliveryService.ListDeliveries", kReaders,
      Reading<v1::ListDeliveriesRequest, v1::ListDeliveriesResponse>(
          edge_,
          [this](const storage::Reader& reader, const base::TenantId& tenant, const v1::ListDeliveriesRequest& list) {
            const devices::AsOf as_of{.syncs = sync::SyncsOf(edge_.sync), .now = edge_.clock.Now()};
            return deliveries::ListDeliveries(reader, tenant, list, as_of);
          }));
}

grpc::ServerUnaryReactor* DeliveryService::GetDeviceView(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetDeviceViewRequest, v1::GetDeviceViewResponse>(
      edge_, context, request, response, "DeliveryService.GetDeviceView", kReaders,
      Reading<v1::GetDeviceViewRequest, v1::GetDeviceViewResponse>(
          edge_,
          [this](const storage::Reader& reader, const base::TenantId& tenant, const v1::GetDeviceViewRequest& view) {
            return deliveries::TellDeviceView(reader, tenant, view, edge_.clock.Now());
          }));
}

grpc::ServerUnaryReactor* DeliveryService::ListWaitingChanges(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request,
                                                              grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListWaitingChangesRequest, v1::ListWaitingChangesResponse>(
      edge_, context, request, response, "DeliveryService.ListWaitingChanges", kReaders,
      Reading<v1::ListWaitingChangesRequest, v1::ListWaitingChangesResponse>(
          edge_, [this](const storage::Reader& reader, const base::TenantId& tenant,
                        const v1::ListWaitingChangesRequest& list) {
            return roster::ListWaiting(reader, tenant, list, edge_.clock.Now());
          }));
}

}  // namespace caresync::rpc

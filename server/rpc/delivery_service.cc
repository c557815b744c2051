#include "server/rpc/delivery_service.h"

#include "server/deliveries/explain_visit.h"
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

}  // namespace caresync::rpc

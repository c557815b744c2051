#include "server/rpc/care_event_service.h"

#include <string>

#include "server/base/status_macros.h"
#include "server/care_events/event_lists.h"
#include "server/care_events/resolving.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

absl::StatusOr<v1::ResolveEventResponse> Resolve(commit::Transaction& transaction,
                                                 const v1::ResolveEventRequest& request, const std::string& person) {
  RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
  return care_events::ResolveEvent(transaction, request, person);
}

}  // namespace

grpc::ServerUnaryReactor* CareEventService::ListCareEvents(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request,
                                                           grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListCareEventsRequest, v1::ListCareEventsResponse>(
      edge_, context, request, response, "CareEventService.ListCareEvents", kReaders,
      Reading<v1::ListCareEventsRequest, v1::ListCareEventsResponse>(edge_, care_events::ListCareEvents));
}

grpc::ServerUnaryReactor* CareEventService::ListEventsForReview(grpc::CallbackServerContext* context,
                                                                const grpc::ByteBuffer* request,
                                                                grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListEventsForReviewRequest, v1::ListEventsForReviewResponse>(
      edge_, context, request, response, "CareEventService.ListEventsForReview", kReaders,
      Reading<v1::ListEventsForReviewRequest, v1::ListEventsForReviewResponse>(edge_,
                                                                               care_events::ListEventsForReview));
}

grpc::ServerUnaryReactor* CareEventService::ResolveEvent(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ResolveEventRequest, v1::ResolveEventResponse>(
      edge_, context, request, response, "CareEventService.ResolveEvent", kWriters,
      Changing<v1::ResolveEventRequest, v1::ResolveEventResponse>(edge_, Resolve));
}

}  // namespace caresync::rpc

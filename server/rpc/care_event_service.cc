#include "server/rpc/care_event_service.h"

#include <memory>
#include <utility>

#include "server/base/status_macros.h"
#include "server/care_events/event_lists.h"
#include "server/care_events/resolving.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

void Resolve(Edge& edge, const access::Identity& caller, const v1::ResolveEventRequest& request,
             Answer<v1::ResolveEventResponse> answer) {
  auto resolved = std::make_shared<v1::ResolveEventResponse>();
  edge.sequencer.Submit(
      caller.tenant,
      [resolved, request, person = caller.subject](commit::Transaction& transaction) -> absl::Status {
        RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
        ASSIGN_OR_RETURN(*resolved, care_events::ResolveEvent(transaction, request, person));
        return absl::OkStatus();
      },
      [resolved, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
        if (!committed.ok()) return answer(committed.status());
        answer(std::move(*resolved));
      });
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
      [this](const access::Identity& caller, const v1::ResolveEventRequest& resolve,
             Answer<v1::ResolveEventResponse> answer) { Resolve(edge_, caller, resolve, std::move(answer)); });
}

}  // namespace caresync::rpc

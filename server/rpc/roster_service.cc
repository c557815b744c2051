#include "server/rpc/roster_service.h"

#include "server/base/status_macros.h"
#include "server/deliveries/delivery_stream.h"
#include "server/deliveries/marks.h"
#include "server/records/record_key.h"
#include "server/roster/care_event_stream.h"
#include "server/roster/carers.h"
#include "server/roster/validation.h"
#include "server/rpc/apply_changes_stream.h"
#include "server/rpc/resumable_stream.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kCarerReaders = {Role::kRostering, Role::kAdministrator, Role::kCoordinator, Role::kSupport};

// A source's own feed of what carers recorded.
absl::StatusOr<base::ReceiverId> CareEventTopic(const access::Identity& caller) {
  RETURN_IF_ERROR(roster::ValidateSource(caller.subject));
  return records::SourceReceiver(caller.subject);
}

absl::StatusOr<ResumableMessage> ReadCareEvents(const Edge& edge, const storage::Reader& reader,
                                                const access::Identity& caller, const std::string& resume_token) {
  ASSIGN_OR_RETURN(const v1::StreamCareEventsResponse response,
                   roster::ReadCareEvents(reader, caller.tenant, caller.subject, resume_token, edge.sealer));
  return ToResumable(response, response.events_size());
}

constexpr ResumableKind kCareEvents = {.method = "RosterService.StreamCareEvents",
                                       .roles = {Role::kRostering},
                                       .parse = ParseResumable<v1::StreamCareEventsRequest>,
                                       .topic = CareEventTopic,
                                       .read = ReadCareEvents};

// One for all sources: what a device says that it holds may concern any of them.
absl::StatusOr<base::ReceiverId> DeliveryTopic(const access::Identity& caller) {
  RETURN_IF_ERROR(roster::ValidateSource(caller.subject));
  return deliveries::DeliveryTopic();
}

absl::StatusOr<ResumableMessage> ReadDeliveries(const Edge& edge, const storage::Reader& reader,
                                                const access::Identity& caller, const std::string& resume_token) {
  ASSIGN_OR_RETURN(const v1::StreamDeliveriesResponse response,
                   deliveries::ReadDeliveries(reader, caller.tenant, caller.subject, resume_token, edge.sealer));
  return ToResumable(response, response.deliveries_size());
}

constexpr ResumableKind kDeliveries = {.method = "RosterService.StreamDeliveries",
                                       .roles = {Role::kRostering},
                                       .parse = ParseResumable<v1::StreamDeliveriesRequest>,
                                       .topic = DeliveryTopic,
                                       .read = ReadDeliveries};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* RosterService::ApplyChanges(
    grpc::CallbackServerContext* context) {
  return ApplyChangesStream::Serve(edge_, context);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* RosterService::StreamCareEvents(grpc::CallbackServerContext* context,
                                                                            const grpc::ByteBuffer* request) {
  return ResumableStream::Serve(kCareEvents, edge_, context, request);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* RosterService::StreamDeliveries(grpc::CallbackServerContext* context,
                                                                            const grpc::ByteBuffer* request) {
  return ResumableStream::Serve(kDeliveries, edge_, context, request);
}

grpc::ServerUnaryReactor* RosterService::ListCarers(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListCarersRequest, v1::ListCarersResponse>(
      edge_, context, request, response, "RosterService.ListCarers", kCarerReaders,
      Reading<v1::ListCarersRequest, v1::ListCarersResponse>(edge_, roster::ListCarers));
}

}  // namespace caresync::rpc

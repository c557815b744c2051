#include "server/rpc/roster_service.h"

#include "server/roster/carers.h"
#include "server/rpc/apply_changes_stream.h"
#include "server/rpc/care_event_stream.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kCarerReaders = {Role::kRostering, Role::kAdministrator, Role::kCoordinator, Role::kSupport};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* RosterService::ApplyChanges(
    grpc::CallbackServerContext* context) {
  return ApplyChangesStream::Serve(edge_, context);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* RosterService::StreamCareEvents(grpc::CallbackServerContext* context,
                                                                            const grpc::ByteBuffer* request) {
  return CareEventStream::Serve(edge_, context, request);
}

grpc::ServerUnaryReactor* RosterService::ListCarers(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListCarersRequest, v1::ListCarersResponse>(
      edge_, context, request, response, "RosterService.ListCarers", kCarerReaders,
      Reading<v1::ListCarersRequest, v1::ListCarersResponse>(edge_, roster::ListCarers));
}

}  // namespace caresync::rpc

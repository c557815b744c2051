#include "server/rpc/service_user_service.h"

#include <string>

#include "server/base/status_macros.h"
#include "server/rpc/unary.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kPeople = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};

// Who it is says nothing: no name is kept with what these write.
template <typename Request, typename Response>
UnaryHandler<Request, Response> Writing(Edge& edge,
                                        absl::StatusOr<Response> (*write)(commit::Transaction&, const Request&)) {
  return Changing<Request, Response>(edge, [write](commit::Transaction& transaction, const Request& request,
                                                   const std::string&) { return write(transaction, request); });
}

absl::StatusOr<v1::DeleteCarePlanResponse> Delete(commit::Transaction& transaction,
                                                  const v1::DeleteCarePlanRequest& request) {
  RETURN_IF_ERROR(service_users::DeleteCarePlan(transaction, request));
  return v1::DeleteCarePlanResponse();
}

}  // namespace

grpc::ServerUnaryReactor* ServiceUserService::SetAccess(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::SetAccessRequest, v1::ServiceUserAccess>(edge_, context, request, response,
                                                                 "ServiceUserService.SetAccess", kPeople,
                                                                 Writing(edge_, service_users::SetAccess));
}

grpc::ServerUnaryReactor* ServiceUserService::GetAccess(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetAccessRequest, v1::ServiceUserAccess>(
      edge_, context, request, response, "ServiceUserService.GetAccess", kPeople,
      Reading<v1::GetAccessRequest, v1::ServiceUserAccess>(edge_, service_users::GetAccess));
}

grpc::ServerUnaryReactor* ServiceUserService::PutCarePlan(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::PutCarePlanRequest, v1::StoredCarePlan>(edge_, context, request, response,
                                                                "ServiceUserService.PutCarePlan", kPeople,
                                                                Writing(edge_, service_users::PutCarePlan));
}

grpc::ServerUnaryReactor* ServiceUserService::DeleteCarePlan(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteCarePlanRequest, v1::DeleteCarePlanResponse>(
      edge_, context, request, response, "ServiceUserService.DeleteCarePlan", kPeople, Writing(edge_, Delete));
}

}  // namespace caresync::rpc

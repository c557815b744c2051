#include "server/rpc/service_user_service.h"

#include <functional>
#include <memory>
#include <utility>

#include "server/base/status_macros.h"
#include "server/rpc/unary.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kPeople = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};

template <typename Request, typename Response>
using Write = absl::StatusOr<Response>(commit::Transaction& transaction, const Request& request);

// A handler that runs one change of the caller's tenant and answers with what the change returned.
template <typename Request, typename Response>
UnaryHandler<Request, Response> Changing(Edge& edge, std::function<Write<Request, Response>> write) {
  return [&edge, write = std::move(write)](const access::Identity& caller, const Request& request,
                                           Answer<Response> answer) {
    auto written = std::make_shared<Response>();
    edge.sequencer.Submit(
        caller.tenant,
        [written, write, request](commit::Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(*written, write(transaction, request));
          return absl::OkStatus();
        },
        [written, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
          if (!committed.ok()) return answer(committed.status());
          answer(*written);
        },
        request.ByteSizeLong());
  };
}

}  // namespace

grpc::ServerUnaryReactor* ServiceUserService::SetAccess(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::SetAccessRequest, v1::ServiceUserAccess>(
      edge_, context, request, response, "ServiceUserService.SetAccess", kPeople,
      Changing<v1::SetAccessRequest, v1::ServiceUserAccess>(edge_, service_users::SetAccess));
}

grpc::ServerUnaryReactor* ServiceUserService::GetAccess(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetAccessRequest, v1::ServiceUserAccess>(
      edge_, context, request, response, "ServiceUserService.GetAccess", kPeople,
      Reading<v1::GetAccessRequest, v1::ServiceUserAccess>(edge_, service_users::GetAccess));
}

grpc::ServerUnaryReactor* ServiceUserService::PutCarePlan(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::PutCarePlanRequest, v1::StoredCarePlan>(
      edge_, context, request, response, "ServiceUserService.PutCarePlan", kPeople,
      Changing<v1::PutCarePlanRequest, v1::StoredCarePlan>(edge_, service_users::PutCarePlan));
}

grpc::ServerUnaryReactor* ServiceUserService::DeleteCarePlan(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteCarePlanRequest, v1::DeleteCarePlanResponse>(
      edge_, context, request, response, "ServiceUserService.DeleteCarePlan", kPeople,
      Changing<v1::DeleteCarePlanRequest, v1::DeleteCarePlanResponse>(
          edge_,
          [](commit::Transaction& transaction,
             const v1::DeleteCarePlanRequest& asked) -> absl::StatusOr<v1::DeleteCarePlanResponse> {
            RETURN_IF_ERROR(service_users::DeleteCarePlan(transaction, asked));
            return v1::DeleteCarePlanResponse();
          }));
}

}  // namespace caresync::rpc

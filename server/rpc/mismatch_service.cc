#include "server/rpc/mismatch_service.h"

#include <memory>
#include <string>
#include <utility>

#include "server/base/status_macros.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/transitions.h"
#include "server/rpc/unary.h"
#include "server/tenants/tenants.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

// What a person makes of a mismatch, as a change of the tenant.
template <typename Request>
UnaryHandler<Request, v1::Mismatch> Changing(Edge& edge, absl::StatusOr<v1::Mismatch> (*change)(commit::Transaction&,
                                                                                                const Request&,
                                                                                                const std::string&)) {
  return [&edge, change](const access::Identity& caller, const Request& request, Answer<v1::Mismatch> answer) {
    auto changed = std::make_shared<v1::Mismatch>();
    edge.sequencer.Submit(
        caller.tenant,
        [change, changed, request, person = caller.subject](commit::Transaction& transaction) -> absl::Status {
          RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
          ASSIGN_OR_RETURN(*changed, change(transaction, request, person));
          return absl::OkStatus();
        },
        [changed, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
          if (!committed.ok()) return answer(committed.status());
          answer(std::move(*changed));
        });
  };
}

}  // namespace

grpc::ServerUnaryReactor* MismatchService::ListMismatches(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListMismatchesRequest, v1::ListMismatchesResponse>(
      edge_, context, request, response, "MismatchService.ListMismatches", kReaders,
      Reading<v1::ListMismatchesRequest, v1::ListMismatchesResponse>(
          edge_,
          [this](const storage::Reader& reader, const base::TenantId& tenant, const v1::ListMismatchesRequest& list) {
            return mismatch::ListMismatches(reader, tenant, list, edge_.clock.Now());
          }));
}

grpc::ServerUnaryReactor* MismatchService::CloseMismatch(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::CloseMismatchRequest, v1::Mismatch>(edge_, context, request, response,
                                                            "MismatchService.CloseMismatch", kWriters,
                                                            Changing<v1::CloseMismatchRequest>(edge_, mismatch::Close));
}

grpc::ServerUnaryReactor* MismatchService::SnoozeMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::SnoozeMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.SnoozeMismatch", kWriters,
      Changing<v1::SnoozeMismatchRequest>(edge_, mismatch::Snooze));
}

grpc::ServerUnaryReactor* MismatchService::ReopenMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReopenMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.ReopenMismatch", kWriters,
      Changing<v1::ReopenMismatchRequest>(edge_, mismatch::Reopen));
}

}  // namespace caresync::rpc

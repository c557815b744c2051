#include "server/rpc/mismatch_service.h"

#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/transitions.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

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
  return ServeUnary<v1::CloseMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.CloseMismatch", kWriters,
      Changing<v1::CloseMismatchRequest, v1::Mismatch>(edge_, mismatch::Close));
}

grpc::ServerUnaryReactor* MismatchService::SnoozeMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::SnoozeMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.SnoozeMismatch", kWriters,
      Changing<v1::SnoozeMismatchRequest, v1::Mismatch>(edge_, mismatch::Snooze));
}

grpc::ServerUnaryReactor* MismatchService::ReopenMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReopenMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.ReopenMismatch", kWriters,
      Changing<v1::ReopenMismatchRequest, v1::Mismatch>(edge_, mismatch::Reopen));
}

}  // namespace caresync::rpc

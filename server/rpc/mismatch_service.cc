#include "server/rpc/mismatch_service.h"

#include <functional>
#include <string>

#include "server/base/status_macros.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/mismatch_watch.h"
#include "server/mismatch/transitions.h"
#include "server/rpc/resumable_stream.h"
#include "server/rpc/unary.h"
#include "server/sync/unrecorded_ends.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

devices::AsOf AsOfNow(const Edge& edge) { return {.syncs = sync::SyncsOf(edge.sync), .now = edge.clock.Now()}; }

absl::StatusOr<base::ReceiverId> WatchTopic(const access::Identity&) { return mismatch::MismatchTopic(); }

absl::StatusOr<ResumableMessage> ReadWatched(const Edge& edge, const storage::Reader& reader,
                                             const access::Identity& caller, const std::string& resume_token) {
  ASSIGN_OR_RETURN(const v1::WatchMismatchesResponse response,
                   mismatch::WatchMismatches(reader, caller.tenant, resume_token, edge.sealer, AsOfNow(edge)));
  return ToResumable(response, response.mismatches_size());
}

constexpr ResumableKind kWatch = {.method = "MismatchService.WatchMismatches",
                                  .roles = kReaders,
                                  .parse = ParseResumable<v1::WatchMismatchesRequest>,
                                  .topic = WatchTopic,
                                  .read = ReadWatched};

// What a person makes of one.
template <typename Request>
std::function<Write<Request, v1::Mismatch>> MakingOf(
    const Edge& edge, absl::StatusOr<v1::Mismatch> (*make)(commit::Transaction&, const Request&, const std::string&,
                                                           const devices::SyncsUnderWay&)) {
  return [&edge, make](commit::Transaction& transaction, const Request& request, const std::string& person) {
    return make(transaction, request, person, sync::SyncsOf(edge.sync));
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
            return mismatch::ListMismatches(reader, tenant, list, AsOfNow(edge_));
          }));
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* MismatchService::WatchMismatches(grpc::CallbackServerContext* context,
                                                                             const grpc::ByteBuffer* request) {
  return ResumableStream::Serve(kWatch, edge_, context, request);
}

grpc::ServerUnaryReactor* MismatchService::CloseMismatch(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::CloseMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.CloseMismatch", kWriters,
      Changing<v1::CloseMismatchRequest, v1::Mismatch>(edge_, MakingOf(edge_, mismatch::Close)));
}

grpc::ServerUnaryReactor* MismatchService::SnoozeMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::SnoozeMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.SnoozeMismatch", kWriters,
      Changing<v1::SnoozeMismatchRequest, v1::Mismatch>(edge_, MakingOf(edge_, mismatch::Snooze)));
}

grpc::ServerUnaryReactor* MismatchService::ReopenMismatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReopenMismatchRequest, v1::Mismatch>(
      edge_, context, request, response, "MismatchService.ReopenMismatch", kWriters,
      Changing<v1::ReopenMismatchRequest, v1::Mismatch>(edge_, MakingOf(edge_, mismatch::Reopen)));
}

grpc::ServerUnaryReactor* MismatchService::GetIntegrationLag(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetIntegrationLagRequest, v1::IntegrationLag>(
      edge_, context, request, response, "MismatchService.GetIntegrationLag", kReaders,
      Reading<v1::GetIntegrationLagRequest, v1::IntegrationLag>(
          edge_, [this](const storage::Reader&, const base::TenantId& tenant, const v1::GetIntegrationLagRequest&) {
            return edge_.sync.lag.Of(tenant);
          }));
}

}  // namespace caresync::rpc

// The one way in which a unary call is served: authenticate, check the role, parse, run on the executor, answer, log.
#ifndef CARESYNC_SERVER_RPC_UNARY_H_
#define CARESYNC_SERVER_RPC_UNARY_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/access/identity.h"
#include "server/base/status_macros.h"
#include "server/commit/sequencer.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/call_record.h"
#include "server/rpc/edge.h"
#include "server/rpc/error_details.h"
#include "server/rpc/message.h"
#include "server/tenants/tenants.h"
#include "storage/store.h"

namespace caresync::rpc {

// Called exactly once, on any thread.
template <typename Response>
using Answer = std::function<void(absl::StatusOr<Response>)>;

// Runs on the executor. `request` is valid until it answers.
template <typename Request, typename Response>
using UnaryHandler =
    std::function<void(const access::Identity& caller, const Request& request, Answer<Response> answer)>;

// A unary call between gRPC and its handler. gRPC keeps the reactor and the buffers until Finish.
template <typename Request, typename Response>
struct UnaryCall {
  grpc::ServerUnaryReactor* reactor;
  grpc::ByteBuffer request_bytes;
  grpc::ByteBuffer* response_bytes;
  CallRecord record;
  OpenCalls::Handle open;
  access::Identity caller;
  Request request;

  void Finish(const absl::StatusOr<Response>& response) {
    if (response.ok()) *response_bytes = SerializeMessage(*response);
    record.Ended(response.status());
    // Nothing of the server is touched once gRPC knows of the end.
    open = OpenCalls::Handle();
    reactor->Finish(ToGrpc(response.status()));
  }
};

// What a generated service's raw method returns. `method` must outlive the call.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* ServeUnary(Edge& edge, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response, std::string_view method, RoleSet roles,
                                     UnaryHandler<Request, Response> handler) {
  using Call = UnaryCall<Request, Response>;
  auto call = std::make_shared<Call>(
      Call{context->DefaultReactor(), *request, response, CallRecord(method, edge.clock), {}, {}, {}});
  grpc::ServerUnaryReactor* const reactor = call->reactor;
  access::Verified verified = Authenticate(edge.verifier, *context, roles, method);
  if (verified.identity.has_value()) call->record.SetCaller(*verified.identity);
  if (!verified.status.ok()) {
    call->Finish(verified.status);
    return reactor;
  }
  call->caller = *std::move(verified.identity);
  // A unary call is short: nobody has to tell it to end.
  absl::StatusOr<OpenCalls::Handle> open = edge.other_calls.Enter([](const absl::Status&) {});
  if (!open.ok()) {
    call->Finish(open.status());
    return reactor;
  }
  call->open = *std::move(open);
  edge.executor.Post([call, handler = std::move(handler)] {
    absl::StatusOr<Request> parsed = ParseMessage<Request>(call->request_bytes);
    if (!parsed.ok()) return call->Finish(parsed.status());
    call->request = *std::move(parsed);
    handler(call->caller, call->request, [call](const absl::StatusOr<Response>& answer) { call->Finish(answer); });
  });
  return reactor;
}

// Reads one answer from a snapshot of what the tenant holds.
template <typename Request, typename Response>
using Read = absl::StatusOr<Response>(const storage::Reader& reader, const base::TenantId& tenant,
                                      const Request& request);

// A handler that reads from one snapshot. TENANT_UNKNOWN where there is no such tenant.
template <typename Request, typename Response>
UnaryHandler<Request, Response> Reading(Edge& edge, std::function<Read<Request, Response>> read) {
  return [&edge, read = std::move(read)](const access::Identity& caller, const Request& request,
                                         const Answer<Response>& answer) {
    answer([&]() -> absl::StatusOr<Response> {
      ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
      RETURN_IF_ERROR(tenants::GetTenant(*snapshot, caller.tenant).status());
      return read(*snapshot, caller.tenant, request);
    }());
  };
}

// Makes a change of the tenant, and says what is to be answered. `person`: the subject of the caller's credential.
template <typename Request, typename Response>
using Write = absl::StatusOr<Response>(commit::Transaction& transaction, const Request& request,
                                       const std::string& person);

// A handler that runs one change of the caller's tenant and answers with what that returned.
template <typename Request, typename Response>
UnaryHandler<Request, Response> Changing(Edge& edge, std::function<Write<Request, Response>> write) {
  return [&edge, write = std::move(write)](const access::Identity& caller, const Request& request,
                                           Answer<Response> answer) {
    auto written = std::make_shared<Response>();
    edge.sequencer.Submit(
        caller.tenant,
        [written, write, request, person = caller.subject](commit::Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(*written, write(transaction, request, person));
          return absl::OkStatus();
        },
        [written, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
          if (!committed.ok()) return answer(committed.status());
          answer(std::move(*written));
        },
        request.ByteSizeLong());
  };
}

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_UNARY_H_

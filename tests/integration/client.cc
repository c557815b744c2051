#include "tests/integration/client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/time/clock.h"

namespace caresync::integration {
namespace {

// What a test does not read stays with the server, but for one window of HTTP/2; and each client has a connection of
// its own, which takes only so many calls.
grpc::ChannelArguments SmallWindows() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
  return arguments;
}

}  // namespace

access::Identity As(access::Role role, std::string_view tenant, std::string_view subject) {
  access::Identity identity;
  identity.role = role;
  if (!tenant.empty()) identity.tenant = *base::TenantId::Parse(tenant);
  identity.subject = subject;
  identity.expires = absl::Now() + absl::Hours(1);
  return identity;
}

access::Identity AsOperator() { return As(access::Role::kOperator, ""); }

access::Identity AsDevice(std::string_view tenant, std::string_view carer, std::string_view device) {
  access::Identity identity = As(access::Role::kCarer, tenant, carer);
  identity.device = base::Uuid::Parse(device);
  return identity;
}

Client::Client(const ServerProcess& server)
    : Client(server.address(), *access::SigningKey::Open(server.data_dir() + "/keys/signing_key.json")) {}

Client::Client(const std::string& address, std::shared_ptr<const access::SigningKey> key)
    : key_(std::move(key)),
      channel_(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), SmallWindows())),
      tenants_(v1::TenantService::NewStub(channel_)),
      devices_(v1::DeviceService::NewStub(channel_)),
      roster_(v1::RosterService::NewStub(channel_)),
      sync_(v1::DeviceSyncService::NewStub(channel_)),
      service_users_(v1::ServiceUserService::NewStub(channel_)) {}

std::string Client::Mint(const access::Identity& caller) const {
  return *key_->Mint(caller, std::min(absl::Now(), caller.expires - absl::Hours(1)));
}

std::unique_ptr<grpc::ClientContext> Client::Context(const access::Identity& caller) const {
  return ContextWith("Bearer " + Mint(caller));
}

std::unique_ptr<grpc::ClientContext> Client::ContextWith(const std::string& authorization) const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!authorization.empty()) context->AddMetadata("authorization", authorization);
  return context;
}

void Client::CreateTenant(const std::string& tenant) const {
  v1::CreateTenantRequest request;
  request.mutable_tenant()->set_tenant_id(tenant);
  v1::Tenant created;
  const grpc::Status status = Call(tenants(), &v1::TenantService::Stub::CreateTenant, AsOperator(), request, &created);
  ABSL_RAW_CHECK(status.ok(), "the tenant was not created");
}

v1::ApplyChangesResponse Client::Apply(const std::string& tenant, const std::string& source,
                                       std::vector<v1::RosterChange> changes) const {
  v1::ApplyChangesRequest request;
  for (v1::RosterChange& change : changes) {
    change.set_source(source);
    *request.add_changes() = std::move(change);
  }
  const auto context = Context(As(access::Role::kRostering, tenant, source));
  const auto stream = roster().ApplyChanges(context.get());
  stream->Write(request);
  stream->WritesDone();
  v1::ApplyChangesResponse response;
  ABSL_RAW_CHECK(stream->Read(&response), "no response to changes");
  ABSL_RAW_CHECK(stream->Finish().ok(), "the changes were not taken");
  return response;
}

}  // namespace caresync::integration

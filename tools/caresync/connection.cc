#include "tools/caresync/connection.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/ids.h"
#include "server/base/status_macros.h"

namespace caresync::cli {
namespace {

// Long enough for the longest call, short enough to be of no use to whoever finds it in a log.
constexpr absl::Duration kTokenLifetime = absl::Hours(1);

}  // namespace

Connection::Connection(const Options& options) : options_(options) {
  grpc::ChannelArguments arguments;
  // A record may be 1 MiB, and a message a little more.
  arguments.SetMaxReceiveMessageSize(4 * 1024 * 1024);
  channel_ = grpc::CreateCustomChannel(options_.server, grpc::InsecureChannelCredentials(), arguments);
}

absl::StatusOr<std::string> Connection::Mint(const Caller& caller, absl::Duration lifetime) const {
  access::Identity identity;
  identity.role = caller.role;
  identity.subject = caller.subject.empty() ? "caresync-cli" : caller.subject;
  identity.device = caller.device;
  if (caller.role != access::Role::kOperator) {
    if (options_.tenant.empty()) return errors::Usage("say which tenant, with --tenant or CARESYNC_TENANT");
    auto tenant = base::TenantId::Parse(options_.tenant);
    if (!tenant.ok()) return errors::Usage(std::string(tenant.status().message()));
    identity.tenant = *tenant;
  }
  const absl::Time now = absl::Now();
  identity.expires = now + lifetime;
  const std::string file = absl::StrCat(options_.data_dir, "/keys/signing_key.json");
  auto key = access::SigningKey::Open(file);
  if (!key.ok()) return errors::SigningKeyMissing(key.status(), file);
  return (*key)->Mint(identity, now);
}

absl::Status Connection::Prepare(const Caller& caller, absl::Duration timeout, grpc::ClientContext& context) const {
  std::string token = options_.token;
  if (token.empty()) {
    ASSIGN_OR_RETURN(token, Mint(caller, kTokenLifetime));
  }
  context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  if (timeout != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return absl::OkStatus();
}

}  // namespace caresync::cli

#include "tools/caresync/connection.h"

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/host_port.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "tools/caresync/files.h"

namespace caresync::cli {
namespace {

// Long enough for the longest call, short enough to be of no use to whoever finds it in a log.
constexpr absl::Duration kTokenLifetime = absl::Hours(1);
// A network that goes away says nothing: a connection with an open call that was silent for so long is pinged, and is
// taken for dead where no answer comes.
constexpr absl::Duration kKeepaliveEvery = absl::Seconds(30);
constexpr absl::Duration kKeepaliveAnswer = absl::Seconds(20);
// The longest pause between two tries to connect.
constexpr absl::Duration kReconnectMost = absl::Seconds(10);
static_assert(kKeepaliveEvery > base::limits::kPingsAtLeastApart, "the server closes connections that ping too often");

// What a file of certificates may hold: all those that a system trusts are a quarter of it.
constexpr size_t kCertificateBytes = size_t{1024} * 1024;
constexpr char kCertificateBegins[] = "-----BEGIN CERTIFICATE-----";

int Milliseconds(absl::Duration time) { return static_cast<int>(absl::ToInt64Milliseconds(time)); }

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> WithTls(const Options& options) {
  grpc::SslCredentialsOptions tls;
  if (!options.tls_ca.empty()) {
    ASSIGN_OR_RETURN(tls.pem_root_certs, ReadFile(options.tls_ca, kCertificateBytes));
    // gRPC would say of each call that the server does not answer.
    if (!absl::StrContains(tls.pem_root_certs, kCertificateBegins)) {
      return errors::FileNotReadable(options.tls_ca, "it holds no certificate in PEM");
    }
  }
  return grpc::SslCredentials(tls);
}

// How the way to the server is secured.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> SecurityOf(const Options& options) {
  if (options.tls || !options.tls_ca.empty()) return WithTls(options);
  if (options.plaintext || base::StaysOnThisMachine(options.server)) return grpc::InsecureChannelCredentials();
  return errors::Usage(absl::StrCat("--server ", options.server,
                                    " is another machine, and without TLS everybody on the way could read the "
                                    "credential and use it. Give --tls (or --tls-ca FILE) where something ends TLS "
                                    "there, or --plaintext where the network between is your own"));
}

}  // namespace

grpc::ChannelArguments HowToConnect() {
  grpc::ChannelArguments arguments;
  // A record may be 1 MiB, and a message a little more.
  arguments.SetMaxReceiveMessageSize(4 * 1024 * 1024);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveEvery));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveAnswer));
  // By default it grows to two minutes, and commands that come back have a pause of their own.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectMost));
  // By default two pings are all that go out while there is nothing else to send.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

Connection::Connection(const Options& options) : options_(options) {
  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> security = SecurityOf(options);
  barred_ = security.status();
  // A barred one has a channel too, which no call goes over.
  channel_ = grpc::CreateCustomChannel(options_.server, security.ok() ? *security : grpc::InsecureChannelCredentials(),
                                       HowToConnect());
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
  RETURN_IF_ERROR(barred_);
  std::string token = options_.token;
  if (token.empty()) {
    ASSIGN_OR_RETURN(token, Mint(caller, kTokenLifetime));
  }
  context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  if (timeout != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return absl::OkStatus();
}

}  // namespace caresync::cli

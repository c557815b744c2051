// The way to the server: where it is, which credential a call carries, and how an error comes back.
#ifndef CARESYNC_TOOLS_CARESYNC_CONNECTION_H_
#define CARESYNC_TOOLS_CARESYNC_CONNECTION_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/access/identity.h"
#include "server/access/signing_key.h"
#include "server/base/uuid.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {

// What every command takes.
struct Options {
  // HOST:PORT.
  std::string server;
  std::string data_dir;
  std::string tenant;
  // Empty: tokens are made with the signing key in the data directory.
  std::string token;
  // With TLS: the server proves by a certificate that it is the one that was named.
  bool tls = false;
  // A file of certificates (PEM) that alone are trusted to vouch for the server's; it asks for TLS as `tls` does.
  // Empty: the system's.
  std::string tls_ca;
  // Credentials may go in plaintext to another machine.
  bool plaintext = false;
  bool json = false;
};

// Whom a call is made as. Without effect where --token was given.
struct Caller {
  access::Role role = access::Role::kAdministrator;
  // Empty: caresync-cli.
  std::string subject;
  std::optional<base::Uuid> device;
};

// What every connection is made with: it notices within a minute that the network has gone away.
grpc::ChannelArguments HowToConnect();

// Calls the server. Not thread-safe, but for channel().
class Connection {
 public:
  // `options` must outlive it.
  explicit Connection(const Options& options);

  // Connects at the first call. A call on it is to have been prepared.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const Options& options() const { return options_; }

  // Puts the credential and the deadline on a call. Errors: USAGE where the credential would go in plaintext to another
  // machine and that was not asked for; FILE_NOT_READABLE, FILE_TOO_LARGE of the file of certificates; those of Mint.
  absl::Status Prepare(const Caller& caller, absl::Duration timeout, grpc::ClientContext& context) const;
  // As errors::FromCall.
  absl::Status Result(const grpc::Status& status) const { return errors::FromCall(status, options_.server); }
  // A token for `caller`, made with the signing key in the data directory.
  absl::StatusOr<std::string> Mint(const Caller& caller, absl::Duration lifetime) const;

  // One unary call, such as Call(caller, &v1::DeviceService::Stub::GetDevice, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(const Caller& caller,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) const {
    grpc::ClientContext context;
    if (absl::Status status = Prepare(caller, absl::Seconds(30), context); !status.ok()) return status;
    Stub stub(channel_);
    Response response;
    if (absl::Status status = Result((stub.*method)(&context, request, &response)); !status.ok()) return status;
    return response;
  }

  // The same of a list, page by page to the last one; `take` gets each page. One may be empty and not the last.
  template <typename Stub, typename Request, typename Response, typename Take>
  absl::Status CallPages(const Caller& caller,
                         grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request,
                         const Take& take) const {
    do {
      const absl::StatusOr<Response> page = Call(caller, method, request);
      if (!page.ok()) return page.status();
      take(*page);
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }

 private:
  const Options& options_;
  // Why no call may go out, if so.
  absl::Status barred_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_CONNECTION_H_

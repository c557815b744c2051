// Calls to a server under test, each with a credential that the test chooses.
#ifndef CARESYNC_TESTS_INTEGRATION_CLIENT_H_
#define CARESYNC_TESTS_INTEGRATION_CLIENT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/device_sync.grpc.pb.h"
#include "caresync/v1/devices.grpc.pb.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "caresync/v1/service_users.grpc.pb.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "server/access/identity.h"
#include "server/access/signing_key.h"
#include "tests/integration/call_errors.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {

// Who calls; valid for an hour unless it says otherwise.
access::Identity As(access::Role role, std::string_view tenant, std::string_view subject = "test");
access::Identity AsOperator();
access::Identity AsDevice(std::string_view tenant, std::string_view carer, std::string_view device);

// Used by one thread; its streams by one each.
class Client {
 public:
  explicit Client(const ServerProcess& server);
  // Of a server at "host:port" that trusts `key`.
  Client(const std::string& address, std::shared_ptr<const access::SigningKey> key);

  v1::TenantService::Stub& tenants() const { return *tenants_; }
  v1::DeviceService::Stub& devices() const { return *devices_; }
  v1::RosterService::Stub& roster() const { return *roster_; }
  v1::DeviceSyncService::Stub& sync() const { return *sync_; }
  v1::ServiceUserService::Stub& service_users() const { return *service_users_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  std::string Mint(const access::Identity& caller) const;
  // With a deadline that only a hanging server meets.
  std::unique_ptr<grpc::ClientContext> Context(const access::Identity& caller) const;
  std::unique_ptr<grpc::ClientContext> ContextWith(const std::string& authorization) const;

  // One unary call.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const access::Identity& caller, const Request& request, Response* response) const {
    const std::unique_ptr<grpc::ClientContext> context = Context(caller);
    return (stub.*method)(context.get(), request, response);
  }

  void CreateTenant(const std::string& tenant) const;
  // One message of changes of `source`.
  v1::ApplyChangesResponse Apply(const std::string& tenant, const std::string& source,
                                 std::vector<v1::RosterChange> changes) const;

 private:
  std::shared_ptr<const access::SigningKey> key_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TenantService::Stub> tenants_;
  std::unique_ptr<v1::DeviceService::Stub> devices_;
  std::unique_ptr<v1::RosterService::Stub> roster_;
  std::unique_ptr<v1::DeviceSyncService::Stub> sync_;
  std::unique_ptr<v1::ServiceUserService::Stub> service_users_;
};

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_CLIENT_H_

// Who is refused, by name, by every call.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/care_events.grpc.pb.h"
#include "caresync/v1/deliveries.grpc.pb.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;
using integration::Client;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kNobody[] = "00000000-0000-4000-8000-000000000000";

const std::set<Role> kEveryRole = {Role::kCarer,         Role::kRostering, Role::kCoordinator,
                                   Role::kAdministrator, Role::kSupport,   Role::kOperator};
const std::set<Role> kPeople = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
const std::set<Role> kWriters = {Role::kAdministrator, Role::kCoordinator};

struct Callable {
  std::string name;
  std::set<Role> roles;
  std::function<grpc::Status(const Client& client, grpc::ClientContext* context)> call;
};

template <typename Stub, typename Request, typename Response>
Callable Unary(std::string name, std::set<Role> roles,
               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request = {}) {
  return {std::move(name), std::move(roles), [method, request](const Client& client, grpc::ClientContext* context) {
            Stub stub(client.channel());
            Response response;
            return (stub.*method)(context, request, &response);
          }};
}

template <typename Request>
Request OfTenant(const std::string& tenant) {
  Request request;
  request.set_tenant_id(tenant);
  return request;
}

template <typename Response>
grpc::Status EndOf(const std::unique_ptr<grpc::ClientReader<Response>>& stream) {
  Response response;
  while (stream->Read(&response)) continue;
  return stream->Finish();
}

template <typename Request, typename Response>
grpc::Status EndOf(const std::unique_ptr<grpc::ClientReaderWriter<Request, Response>>& stream) {
  stream->WritesDone();
  Response response;
  while (stream->Read(&response)) continue;
  return stream->Finish();
}

// Each with a request that is right, of a tenant that there is none of.
std::vector<Callable> EveryCall() {
  using Tenants = v1::TenantService::Stub;
  using Devices = v1::DeviceService::Stub;
  using ServiceUsers = v1::ServiceUserService::Stub;
  using CareEvents = v1::CareEventService::Stub;
  const std::set<Role> readers = {Role::kOperator, Role::kAdministrator, Role::kCoordinator, Role::kSupport};
  const std::set<Role> writers = {Role::kOperator, Role::kAdministrator};
  v1::RequestSyncRequest sync;
  sync.set_device_uuid(kDevice);
  return {
      Unary("CreateTenant", {Role::kOperator}, &Tenants::CreateTenant),
      Unary("ListTenants", {Role::kOperator}, &Tenants::ListTenants),
      Unary("GetTenant", readers, &Tenants::GetTenant, OfTenant<v1::GetTenantRequest>("nobody")),
      Unary("UpdateTenant", writers, &Tenants::UpdateTenant, OfTenant<v1::UpdateTenantRequest>("nobody")),
      Unary("ReleaseRebuilds", writers, &Tenants::ReleaseRebuilds, OfTenant<v1::ReleaseRebuildsRequest>("nobody")),
      Unary("ListOutbox", readers, &Tenants::ListOutbox, OfTenant<v1::ListOutboxRequest>("nobody")),
      Unary("SetNotificationSettings", writers, &Tenants::SetNotificationSettings,
            OfTenant<v1::SetNotificationSettingsRequest>("nobody")),
      Unary("RemoveNotificationSettings", writers, &Tenants::RemoveNotificationSettings,
            OfTenant<v1::RemoveNotificationSettingsRequest>("nobody")),
      Unary("ListNotificationSettings", readers, &Tenants::ListNotificationSettings,
            OfTenant<v1::ListNotificationSettingsRequest>("nobody")),
      Unary("ListDevices", kPeople, &Devices::ListDevices),
      Unary("GetDevice", kPeople, &Devices::GetDevice),
      Unary("ListSyncs", kPeople, &Devices::ListSyncs),
      Unary("UpdateDevice", kWriters, &Devices::UpdateDevice),
      Unary("RequestSync", kWriters, &Devices::RequestSync, sync),
      {"ExportDevices", kPeople,
       [](const Client& client, grpc::ClientContext* context) {
         return EndOf(client.devices().ExportDevices(context, {}));
       }},
      Unary("SetAccess", kPeople, &ServiceUsers::SetAccess),
      Unary("GetAccess", kPeople, &ServiceUsers::GetAccess),
      Unary("PutCarePlan", kPeople, &ServiceUsers::PutCarePlan),
      Unary("DeleteCarePlan", kPeople, &ServiceUsers::DeleteCarePlan),
      Unary("ListCareEvents", kPeople, &CareEvents::ListCareEvents),
      Unary("ListEventsForReview", kPeople, &CareEvents::ListEventsForReview),
      Unary("ResolveEvent", kWriters, &CareEvents::ResolveEvent),
      Unary("ListMismatches", kPeople, &v1::MismatchService::Stub::ListMismatches),
      {"WatchMismatches", kPeople,
       [](const Client& client, grpc::ClientContext* context) {
         return EndOf(v1::MismatchService::NewStub(client.channel())->WatchMismatches(context, {}));
       }},
      Unary("CloseMismatch", kWriters, &v1::MismatchService::Stub::CloseMismatch),
      Unary("SnoozeMismatch", kWriters, &v1::MismatchService::Stub::SnoozeMismatch),
      Unary("ReopenMismatch", kWriters, &v1::MismatchService::Stub::ReopenMismatch),
      Unary("ExplainVisit", kPeople, &v1::DeliveryService::Stub::ExplainVisit),
      Unary("ListDeliveries", kPeople, &v1::DeliveryService::Stub::ListDeliveries),
      Unary("GetDeviceView", kPeople, &v1::DeliveryService::Stub::GetDeviceView),
      Unary("ListWaitingChanges", kPeople, &v1::DeliveryService::Stub::ListWaitingChanges),
      Unary("GetIntegrationLag", kPeople, &v1::MismatchService::Stub::GetIntegrationLag),
      Unary("ListCarers", {Role::kRostering, Role::kAdministrator, Role::kCoordinator, Role::kSupport},
            &v1::RosterService::Stub::ListCarers),
      {"ApplyChanges",
       {Role::kRostering},
       [](const Client& client, grpc::ClientContext* context) {
         const auto stream = client.roster().ApplyChanges(context);
         stream->Write({});
         return EndOf(stream);
       }},
      {"StreamCareEvents",
       {Role::kRostering},
       [](const Client& client, grpc::ClientContext* context) {
         return EndOf(client.roster().StreamCareEvents(context, {}));
       }},
      {"StreamDeliveries",
       {Role::kRostering},
       [](const Client& client, grpc::ClientContext* context) {
         return EndOf(client.roster().StreamDeliveries(context, {}));
       }},
      {"Sync",
       {Role::kCarer},
       [](const Client& client, grpc::ClientContext* context) { return EndOf(client.sync().Sync(context)); }},
  };
}

access::Identity Caller(Role role, const std::string& tenant) {
  if (role == Role::kOperator) return integration::AsOperator();
  if (role == Role::kCarer) return integration::AsDevice(tenant, kNobody, kDevice);
  return As(role, tenant);
}

TEST(RefusedCallers, WithoutACredentialIsRefusedByEveryCall) {
  ServedEdge edge;
  for (const Callable& callable : EveryCall()) {
    const grpc::Status status = callable.call(edge.client(), edge.client().ContextWith("").get());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << callable.name;
    EXPECT_EQ(integration::ReasonOf(status), "NO_CREDENTIAL") << callable.name;
  }
}

// Requirement: A2
TEST(RefusedCallers, OfAnyOtherRoleIsRefusedByEveryCall) {
  ServedEdge edge;
  edge.client().CreateTenant("acme");
  for (const Callable& callable : EveryCall()) {
    for (const Role role : kEveryRole) {
      const std::string reason =
          integration::ReasonOf(callable.call(edge.client(), edge.client().Context(Caller(role, "acme")).get()));
      const std::string told = absl::StrCat(callable.name, " ", std::string(access::RoleName(role)), " ", reason);
      EXPECT_EQ(reason == "ROLE_NOT_ALLOWED", !callable.roles.contains(role)) << told;
    }
  }
}

TEST(RefusedCallers, OfATenantThatThereIsNoneOfIsRefusedByEveryCallThatConcernsOne) {
  ServedEdge edge;
  for (const Callable& callable : EveryCall()) {
    for (const Role role : callable.roles) {
      if (role == Role::kCarer || role == Role::kOperator) continue;
      const grpc::Status status = callable.call(edge.client(), edge.client().Context(Caller(role, "nobody")).get());
      EXPECT_EQ(integration::ReasonOf(status), "TENANT_UNKNOWN") << callable.name;
    }
  }
}

}  // namespace
}  // namespace caresync::rpc

// The requests that each call refuses, by the reason's name and the field's.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/v1/care_events.grpc.pb.h"
#include "caresync/v1/deliveries.grpc.pb.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/fakes/rota.h"
#include "tests/rpc/served_edge.h"

namespace caresync::rpc {
namespace {

using access::Role;
using google::protobuf::util::TimeUtil;
using integration::As;
using integration::Client;

namespace limits = base::limits;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kNobody[] = "00000000-0000-4000-8000-000000000000";

// The reason, and with INVALID_FIELD the field; empty where the call succeeds.
std::string ReasonAndField(const grpc::Status& status) {
  const std::string reason = integration::ReasonOf(status);
  if (reason != "INVALID_FIELD") return reason;
  return absl::StrCat(reason, " ", status.error_message().substr(0, status.error_message().find(':')));
}

// Reads a stream to its end.
template <typename Response, typename Stream>
std::string EndOf(Stream& stream) {
  Response response;
  while (stream.Read(&response)) continue;
  return ReasonAndField(stream.Finish());
}

class RefusedRequestTest : public testing::Test {
 protected:
  RefusedRequestTest() {
    client_.CreateTenant("acme");
    client_.CreateTenant("other");
    const auto applied =
        client_.Apply("acme", "rota",
                      {fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("mary"),
                       fakes::ServiceUserChange("john"), fakes::VisitChange("visit", "mary", {"ann"})});
    carer_ = applied.results(0).record_id();
    service_user_ = applied.results(2).record_id();
    other_service_user_ = applied.results(3).record_id();
    visit_ = applied.results(4).record_id();
  }

  template <typename Stub, typename Request, typename Response>
  std::string ReasonOf(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const std::function<void(Request&)>& change, const access::Identity& caller,
                       Request request = {}) const {
    change(request);
    Stub stub(client_.channel());
    Response response;
    const grpc::Status status = (stub.*method)(client_.Context(caller).get(), request, &response);
    return ReasonAndField(status);
  }

  // Good for the second page of ListCarers.
  std::string TokenOfCarers() const {
    v1::ListCarersRequest request;
    request.set_page_size(1);
    v1::ListCarersResponse response;
    client_.Call(client_.roster(), &v1::RosterService::Stub::ListCarers, As(Role::kSupport, "acme"), request,
                 &response);
    EXPECT_NE(response.next_page_token(), "");
    return response.next_page_token();
  }

  void Enrol() const {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice);
    request.set_allow_missing(true);
    v1::Device device;
    EXPECT_TRUE(client_
                    .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kAdministrator, "acme"),
                          request, &device)
                    .ok());
  }

  ServedEdge edge_;
  const Client& client_ = edge_.client();
  std::string carer_;
  std::string service_user_;
  std::string other_service_user_;
  std::string visit_;
};

using Devices = v1::DeviceService::Stub;

TEST_F(RefusedRequestTest, ListDevices) {
  using Request = v1::ListDevicesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&Devices::ListDevices, change, As(Role::kSupport, "acme"));
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([](Request& r) { r.set_search(std::string(limits::kSearchBytes + 1, 'a')); }),
            "INVALID_FIELD search");
  EXPECT_EQ(reason([](Request& r) { r.set_branch_id("north"); }), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_last_api_call(static_cast<v1::CallState>(99)); }),
            "INVALID_FIELD last_api_call");
  EXPECT_EQ(reason([](Request& r) { r.set_state(static_cast<v1::DeviceState>(99)); }), "INVALID_FIELD state");
  EXPECT_EQ(reason([](Request& r) { r.set_order_by("users"); }), "INVALID_FIELD order_by");
  EXPECT_EQ(reason([](Request& r) { r.set_order_by(" desc"); }), "INVALID_FIELD order_by");
  EXPECT_EQ(reason([](Request& r) { r.set_search("\xff"); }), "MESSAGE_NOT_UNDERSTOOD");
}

TEST_F(RefusedRequestTest, GetDeviceAndRequestSync) {
  Enrol();
  const auto reasons = [&](const std::string& device, const std::string& tenant) {
    return std::vector<std::string>{
        ReasonOf<Devices, v1::GetDeviceRequest, v1::Device>(
            &Devices::GetDevice, [&](v1::GetDeviceRequest& r) { r.set_device_uuid(device); },
            As(Role::kCoordinator, tenant)),
        ReasonOf<Devices, v1::RequestSyncRequest, v1::RequestSyncResponse>(
            &Devices::RequestSync, [&](v1::RequestSyncRequest& r) { r.set_device_uuid(device); },
            As(Role::kCoordinator, tenant))};
  };
  const auto both = [](const std::string& reason) { return std::vector<std::string>(2, reason); };
  EXPECT_EQ(reasons(kDevice, "acme"), both(""));
  EXPECT_EQ(reasons("", "acme"), both("INVALID_FIELD device_uuid"));
  EXPECT_EQ(reasons("phone", "acme"), both("INVALID_FIELD device_uuid"));
  EXPECT_EQ(reasons(kNobody, "acme"), both("DEVICE_UNKNOWN"));
  EXPECT_EQ(reasons(kDevice, "other"), both("DEVICE_UNKNOWN"));
}

TEST_F(RefusedRequestTest, ExportDevices) {
  const auto reason = [&](const std::function<void(v1::ListDevicesRequest&)>& change) {
    v1::ExportDevicesRequest request;
    change(*request.mutable_list());
    const auto context = client_.Context(As(Role::kSupport, "acme"));
    return EndOf<v1::ExportDevicesResponse>(*client_.devices().ExportDevices(context.get(), request));
  };
  EXPECT_EQ(reason([](auto&) {}), "");
  EXPECT_EQ(reason([](auto& r) { r.set_page_token("nonsense"); }), "INVALID_FIELD list.page_token");
  EXPECT_EQ(reason([](auto& r) { r.set_order_by("users"); }), "INVALID_FIELD order_by");
  EXPECT_EQ(reason([](auto& r) { r.set_state(static_cast<v1::DeviceState>(99)); }), "INVALID_FIELD state");
  EXPECT_EQ(reason([](auto& r) { r.set_search(std::string(limits::kSearchBytes + 1, 'a')); }), "INVALID_FIELD search");
}

TEST_F(RefusedRequestTest, ListSyncs) {
  Enrol();
  using Request = v1::ListSyncsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    return ReasonOf(&Devices::ListSyncs, change, As(Role::kSupport, tenant));
  };
  const auto of_device = [](const std::string& device) { return [=](Request& r) { r.set_device_uuid(device); }; };
  EXPECT_EQ(reason(of_device(kDevice)), "");
  EXPECT_EQ(reason(of_device("phone")), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason(of_device(kNobody)), "DEVICE_UNKNOWN");
  EXPECT_EQ(reason(of_device(kDevice), "other"), "DEVICE_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([&](Request& r) { r.set_carer_id(carer_); }, "other"), "CARER_UNKNOWN");
  for (const bool of_carer : {false, true}) {
    const auto with = [&](const std::function<void(Request&)>& change) {
      return reason([&](Request& r) {
        of_carer ? r.set_carer_id(carer_) : r.set_device_uuid(kDevice);
        change(r);
      });
    };
    EXPECT_EQ(with([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
    EXPECT_EQ(with([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
    EXPECT_EQ(with([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
  }
}

TEST_F(RefusedRequestTest, UpdateDevice) {
  using Request = v1::UpdateDeviceRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    Request right;
    right.set_device_uuid(kDevice);
    right.set_allow_missing(true);
    return ReasonOf(&Devices::UpdateDevice, change, As(Role::kAdministrator, tenant), right);
  };
  EXPECT_EQ(reason([](Request& r) { r.set_device_uuid(""); }), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason([&](Request& r) { r.set_branch_id(kNobody); }), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason([&](Request& r) { r.add_carer_ids(carer_); }), "INVALID_FIELD carer_ids");
  const auto branch = [](const std::string& id) {
    return [=](Request& r) {
      r.set_set_branch(true);
      r.set_branch_id(id);
    };
  };
  EXPECT_EQ(reason(branch("north")), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason(branch(kNobody)), "BRANCH_UNKNOWN");
  const auto users = [](const std::string& id, size_t count) {
    return [=](Request& r) {
      r.set_set_users(true);
      for (size_t i = 0; i < count; ++i) r.add_carer_ids(id);
    };
  };
  EXPECT_EQ(reason(users("ann", 1)), "INVALID_FIELD carer_ids");
  EXPECT_EQ(reason(users(kNobody, 1)), "CARER_UNKNOWN");
  EXPECT_EQ(reason(users(service_user_, 1)), "CARER_UNKNOWN");
  EXPECT_EQ(reason(users(carer_, 1), "other"), "CARER_UNKNOWN");
  EXPECT_EQ(reason(users(carer_, limits::kDeviceUsers + 1)), "INVALID_FIELD carer_ids");
  // None of them enrolled it.
  EXPECT_EQ(reason([](Request& r) { r.set_allow_missing(false); }), "DEVICE_UNKNOWN");
}

using Tenants = v1::TenantService::Stub;

// What CreateTenant and UpdateTenant refuse alike: a change of the request, and the field.
template <typename Request>
std::vector<std::pair<std::string, std::function<void(Request&)>>> WrongPreferences() {
  const std::string long_name(limits::kNameCharacters + 1, 'a');
  return {
      {"display_name", [=](Request& r) { r.set_display_name(long_name); }},
      {"time_zone", [](Request& r) { r.set_time_zone("Mars/Olympus"); }},
      {"time_zone", [](Request& r) { r.set_time_zone("../../etc/localtime"); }},
      {"auto_sync_interval", [](Request& r) { *r.mutable_auto_sync_interval() = TimeUtil::SecondsToDuration(60); }},
      {"auto_sync_interval", [](Request& r) { *r.mutable_auto_sync_interval() = TimeUtil::HoursToDuration(25); }},
      {"branch_auto_syncs.branch_id", [](Request& r) { r.add_branch_auto_syncs()->set_branch_id("north"); }},
      {"download_window", [](Request& r) { *r.mutable_download_window() = TimeUtil::SecondsToDuration(1); }},
      {"download_window", [](Request& r) { *r.mutable_download_window() = TimeUtil::HoursToDuration(24 * 367); }},
      {"retention", [](Request& r) { *r.mutable_retention() = TimeUtil::HoursToDuration(23); }},
      {"retention", [](Request& r) { *r.mutable_retention() = TimeUtil::HoursToDuration(-24); }},
      {"least_app_version", [](Request& r) { r.set_least_app_version("2.x"); }},
      {"least_app_version", [](Request& r) { r.set_least_app_version("1.2.3.4.5"); }},
      {"restore_wait", [](Request& r) { *r.mutable_restore_wait() = TimeUtil::HoursToDuration(25); }},
      {"restore_wait", [](Request& r) { *r.mutable_restore_wait() = TimeUtil::MillisecondsToDuration(1'500); }},
      {"mismatch_grace", [](Request& r) { *r.mutable_mismatch_grace() = TimeUtil::SecondsToDuration(0); }},
      {"mismatch_grace", [](Request& r) { *r.mutable_mismatch_grace() = TimeUtil::HoursToDuration(25); }},
      {"mismatch_lead", [](Request& r) { *r.mutable_mismatch_lead() = TimeUtil::HoursToDuration(-1); }},
      {"mismatch_lead", [](Request& r) { *r.mutable_mismatch_lead() = TimeUtil::HoursToDuration(7 * 24 + 1); }},
      {"deliveries_kept", [](Request& r) { *r.mutable_deliveries_kept() = TimeUtil::HoursToDuration(6 * 24); }},
      {"deliveries_kept", [](Request& r) { *r.mutable_deliveries_kept() = TimeUtil::HoursToDuration(401 * 24); }},
      {"push_webhook.url", [](Request& r) { r.mutable_push_webhook()->set_url("https://127.0.0.1/push"); }},
      {"push_webhook.url", [](Request& r) { r.mutable_push_webhook()->set_url("https://[fe80::1]/push"); }},
      {"push_webhook.url", [](Request& r) { r.mutable_push_webhook()->set_url("http://push.example.org/"); }},
      {"push_webhook.secret", [](Request& r) { r.mutable_push_webhook()->set_url("https://push.example.org/"); }},
      {"push_webhook.secret", [](Request& r) { r.mutable_push_webhook()->set_secret("whsec_"); }},
  };
}

TEST_F(RefusedRequestTest, CreateTenant) {
  const auto reason = [&](const std::string& id, const std::function<void(v1::Tenant&)>& change) {
    return ReasonOf<Tenants, v1::CreateTenantRequest, v1::Tenant>(
        &Tenants::CreateTenant,
        [&](v1::CreateTenantRequest& r) {
          r.mutable_tenant()->set_tenant_id(id);
          change(*r.mutable_tenant());
        },
        integration::AsOperator());
  };
  for (const std::string& id : {std::string(), std::string("Acme"), std::string("1st"), std::string("a/b"),
                                std::string(limits::kTenantIdBytes + 1, 'a')}) {
    EXPECT_EQ(reason(id, [](auto&) {}), "INVALID_TENANT_ID") << id;
  }
  EXPECT_EQ(reason("acme", [](auto&) {}), "TENANT_EXISTS");
  for (const auto& [field, change] : WrongPreferences<v1::Tenant>()) {
    EXPECT_EQ(reason("new", change), absl::StrCat("INVALID_FIELD ", field));
  }
  EXPECT_EQ(reason("new", [](auto&) {}), "");
}

TEST_F(RefusedRequestTest, UpdateTenant) {
  const auto reason = [&](const std::string& id, const std::function<void(v1::UpdateTenantRequest&)>& change) {
    v1::UpdateTenantRequest right;
    right.set_tenant_id(id);
    return ReasonOf(&Tenants::UpdateTenant, change, As(Role::kAdministrator, "acme"), right);
  };
  EXPECT_EQ(reason("Acme", [](auto&) {}), "INVALID_TENANT_ID");
  EXPECT_EQ(reason("other", [](auto&) {}), "OTHER_TENANT");
  for (const auto& [field, change] : WrongPreferences<v1::UpdateTenantRequest>()) {
    EXPECT_EQ(reason("acme", change), absl::StrCat("INVALID_FIELD ", field));
  }
  EXPECT_EQ(reason("acme", [](auto&) {}), "");
}

TEST_F(RefusedRequestTest, GetTenantAndReleaseRebuilds) {
  const auto reasons = [&](const std::string& id, const access::Identity& caller) {
    return std::vector<std::string>{ReasonOf<Tenants, v1::GetTenantRequest, v1::Tenant>(
                                        &Tenants::GetTenant, [&](auto& r) { r.set_tenant_id(id); }, caller),
                                    ReasonOf<Tenants, v1::ReleaseRebuildsRequest, v1::ReleaseRebuildsResponse>(
                                        &Tenants::ReleaseRebuilds, [&](auto& r) { r.set_tenant_id(id); }, caller)};
  };
  const auto both = [](const std::string& reason) { return std::vector<std::string>(2, reason); };
  EXPECT_EQ(reasons("acme", As(Role::kAdministrator, "acme")), both(""));
  EXPECT_EQ(reasons("", integration::AsOperator()), both("INVALID_TENANT_ID"));
  EXPECT_EQ(reasons("nobody", integration::AsOperator()), both("TENANT_UNKNOWN"));
  EXPECT_EQ(reasons("acme", As(Role::kAdministrator, "other")), both("OTHER_TENANT"));
}

TEST_F(RefusedRequestTest, ListTenants) {
  using Request = v1::ListTenantsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&Tenants::ListTenants, change, integration::AsOperator());
  };
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ListOutbox) {
  using Request = v1::ListOutboxRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const access::Identity& caller) {
    Request right;
    right.set_tenant_id("acme");
    return ReasonOf<Tenants, Request, v1::ListOutboxResponse>(&Tenants::ListOutbox, change, caller, right);
  };
  const access::Identity support = As(Role::kSupport, "acme");
  EXPECT_EQ(reason([](Request&) {}, support), "");
  EXPECT_EQ(reason([](Request& r) { r.set_given_up(true); }, support), "");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }, support), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }, support), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }, support), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("other"); }, support), "OTHER_TENANT");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("nobody"); }, integration::AsOperator()), "TENANT_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.clear_tenant_id(); }, integration::AsOperator()), "INVALID_TENANT_ID");
}

TEST_F(RefusedRequestTest, ListNotificationSettings) {
  using Request = v1::ListNotificationSettingsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const access::Identity& caller) {
    Request right;
    right.set_tenant_id("acme");
    return ReasonOf<Tenants, Request, v1::ListNotificationSettingsResponse>(&Tenants::ListNotificationSettings, change,
                                                                            caller, right);
  };
  const access::Identity support = As(Role::kSupport, "acme");
  EXPECT_EQ(reason([](Request&) {}, support), "");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }, support), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }, support), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }, support), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("other"); }, support), "OTHER_TENANT");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("nobody"); }, integration::AsOperator()), "TENANT_UNKNOWN");
}

TEST_F(RefusedRequestTest, SetNotificationSettings) {
  using Request = v1::SetNotificationSettingsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const access::Identity& caller) {
    Request right;
    right.set_tenant_id("acme");
    right.mutable_settings();
    return ReasonOf<Tenants, Request, v1::NotificationSettings>(&Tenants::SetNotificationSettings, change, caller,
                                                                right);
  };
  const access::Identity administrator = As(Role::kAdministrator, "acme");
  EXPECT_EQ(reason([](Request&) {}, administrator), "");
  EXPECT_EQ(reason([](Request& r) { r.clear_settings(); }, administrator), "INVALID_FIELD settings");
  EXPECT_EQ(reason([](Request& r) { r.mutable_settings()->set_branch_id("Rome"); }, administrator),
            "INVALID_FIELD settings.branch_id");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("other"); }, administrator), "OTHER_TENANT");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("nobody"); }, integration::AsOperator()), "TENANT_UNKNOWN");
}

TEST_F(RefusedRequestTest, RemoveNotificationSettings) {
  using Request = v1::RemoveNotificationSettingsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const access::Identity& caller) {
    Request right;
    right.set_tenant_id("acme");
    return ReasonOf<Tenants, Request, v1::RemoveNotificationSettingsResponse>(&Tenants::RemoveNotificationSettings,
                                                                              change, caller, right);
  };
  const access::Identity administrator = As(Role::kAdministrator, "acme");
  EXPECT_EQ(reason([](Request&) {}, administrator), "");
  EXPECT_EQ(reason([](Request& r) { r.set_branch_id("Rome"); }, administrator), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason([](Request& r) { r.set_tenant_id("nobody"); }, integration::AsOperator()), "TENANT_UNKNOWN");
}

using ServiceUsers = v1::ServiceUserService::Stub;

TEST_F(RefusedRequestTest, SetAccess) {
  using Access = v1::ServiceUserAccess;
  const auto reason = [&](const std::function<void(Access&)>& change, const std::string& tenant = "acme") {
    v1::SetAccessRequest right;
    right.mutable_access()->set_service_user_id(service_user_);
    right.mutable_access()->add_carer_ids(carer_);
    return ReasonOf<ServiceUsers, v1::SetAccessRequest, Access>(
        &ServiceUsers::SetAccess, [&](v1::SetAccessRequest& r) { change(*r.mutable_access()); },
        As(Role::kCoordinator, tenant), right);
  };
  EXPECT_EQ(reason([](Access& a) { a.Clear(); }), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason([](Access& a) { a.set_service_user_id(kNobody); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([&](Access& a) { a.set_service_user_id(carer_); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Access&) {}, "other"), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) { a.add_group_ids("north"); }), "INVALID_FIELD access.group_ids");
  EXPECT_EQ(reason([&](Access& a) { a.add_group_ids(carer_); }), "GROUP_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) { a.add_carer_ids("ann"); }), "INVALID_FIELD access.carer_ids");
  EXPECT_EQ(reason([](Access& a) { a.add_carer_ids(kNobody); }), "CARER_UNKNOWN");
  EXPECT_EQ(reason([](Access& a) {
              for (size_t i = 0; i <= limits::kAccessGroups; ++i) a.add_group_ids(kNobody);
            }),
            "INVALID_FIELD access.group_ids");
  EXPECT_EQ(reason([](Access& a) {
              for (size_t i = 0; i <= limits::kAccessCarers; ++i) a.add_carer_ids(kNobody);
            }),
            "INVALID_FIELD access.carer_ids");
  EXPECT_EQ(reason([](Access&) {}), "");
}

TEST_F(RefusedRequestTest, GetAccess) {
  const auto reason = [&](const std::string& id, const std::string& tenant = "acme") {
    return ReasonOf<ServiceUsers, v1::GetAccessRequest, v1::ServiceUserAccess>(
        &ServiceUsers::GetAccess, [&](auto& r) { r.set_service_user_id(id); }, As(Role::kSupport, tenant));
  };
  EXPECT_EQ(reason(service_user_), "");
  EXPECT_EQ(reason("mary"), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason(kNobody), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason(service_user_, "other"), "SERVICE_USER_UNKNOWN");
}

TEST_F(RefusedRequestTest, CarePlans) {
  using Request = v1::PutCarePlanRequest;
  const auto put = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    Request right;
    right.set_care_plan_id(kDevice);
    right.mutable_care_plan()->set_service_user_id(service_user_);
    right.mutable_care_plan()->set_title("Mobility");
    return ReasonOf(&ServiceUsers::PutCarePlan, change, As(Role::kCoordinator, tenant), right);
  };
  const auto remove = [&](const std::string& id, const std::string& tenant = "acme") {
    return ReasonOf<ServiceUsers, v1::DeleteCarePlanRequest, v1::DeleteCarePlanResponse>(
        &ServiceUsers::DeleteCarePlan, [&](auto& r) { r.set_care_plan_id(id); }, As(Role::kCoordinator, tenant));
  };
  EXPECT_EQ(put([](Request& r) { r.set_care_plan_id(""); }), "INVALID_FIELD care_plan_id");
  EXPECT_EQ(put([](Request& r) { r.clear_care_plan(); }), "INVALID_FIELD care_plan.service_user_id");
  EXPECT_EQ(put([](Request& r) { r.mutable_care_plan()->clear_title(); }), "INVALID_FIELD care_plan.title");
  EXPECT_EQ(
      put([](Request& r) { r.mutable_care_plan()->set_title(std::string(limits::kCarePlanTitleCharacters + 1, 'a')); }),
      "INVALID_FIELD care_plan.title");
  EXPECT_EQ(
      put([](Request& r) { r.mutable_care_plan()->set_text(std::string(limits::kCarePlanTextCharacters + 1, 'a')); }),
      "INVALID_FIELD care_plan.text");
  EXPECT_EQ(put([](Request& r) { r.mutable_care_plan()->set_service_user_id(kNobody); }), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(put([](Request&) {}, "other"), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(remove(kDevice), "CARE_PLAN_UNKNOWN");
  EXPECT_EQ(put([](Request&) {}), "");
  EXPECT_EQ(put([&](Request& r) { r.mutable_care_plan()->set_service_user_id(other_service_user_); }),
            "INVALID_FIELD care_plan.service_user_id");
  EXPECT_EQ(remove("plan"), "INVALID_FIELD care_plan_id");
  EXPECT_EQ(remove(kDevice, "other"), "CARE_PLAN_UNKNOWN");
}

using CareEvents = v1::CareEventService::Stub;

TEST_F(RefusedRequestTest, ListCareEvents) {
  using Request = v1::ListCareEventsRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    Request right;
    right.set_visit_id(visit_);
    return ReasonOf(&CareEvents::ListCareEvents, change, As(Role::kSupport, tenant), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.clear_visit_id(); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([&](Request& r) { r.set_service_user_id(service_user_); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id("visit"); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(kNobody); }), "VISIT_UNKNOWN");
  EXPECT_EQ(reason([](Request&) {}, "other"), "VISIT_UNKNOWN");
  const auto of_service_user = [](const std::string& id) {
    return [=](Request& r) {
      r.clear_visit_id();
      r.set_service_user_id(id);
    };
  };
  EXPECT_EQ(reason(of_service_user("mary")), "INVALID_FIELD service_user_id");
  EXPECT_EQ(reason(of_service_user(visit_)), "SERVICE_USER_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ListEventsForReview) {
  using Request = v1::ListEventsForReviewRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&CareEvents::ListEventsForReview, change, As(Role::kSupport, "acme"));
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_reason(static_cast<v1::ReviewReason>(99)); }), "INVALID_FIELD reason");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ResolveEvent) {
  using Request = v1::ResolveEventRequest;
  // A name that an event for review could have: a digest, then the event's ID.
  const std::string name = absl::WebSafeBase64Escape(std::string(32, 'd') + kDevice);
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_review_id(name);
    right.mutable_apply_to_visit();
    return ReasonOf(&CareEvents::ResolveEvent, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "REVIEW_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_review_id(""); }), "INVALID_FIELD review_id");
  EXPECT_EQ(reason([](Request& r) { r.set_review_id("?"); }), "INVALID_FIELD review_id");
  EXPECT_EQ(reason([](Request& r) { r.clear_resolution(); }), "INVALID_FIELD resolution");
  EXPECT_EQ(reason([](Request& r) { r.mutable_apply_to_visit()->set_visit_id("visit"); }),
            "INVALID_FIELD apply_to_visit.visit_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_accept_as_unplanned()->set_service_user_id("mary"); }),
            "INVALID_FIELD accept_as_unplanned.service_user_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_discard(); }), "INVALID_FIELD discard.reason");
  EXPECT_EQ(reason([](Request& r) {
              r.mutable_discard()->set_reason(std::string(limits::kDiscardReasonCharacters + 1, 'a'));
            }),
            "INVALID_FIELD discard.reason");
}

TEST_F(RefusedRequestTest, ListMismatches) {
  using Request = v1::ListMismatchesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change, const std::string& tenant = "acme") {
    return ReasonOf(&v1::MismatchService::Stub::ListMismatches, change, As(Role::kSupport, tenant));
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_branch_id("north"); }), "INVALID_FIELD branch_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_changed_from_time()->set_nanos(-1); }),
            "INVALID_FIELD changed_from_time");
  EXPECT_EQ(reason([](Request& r) { r.mutable_changed_until_time()->set_nanos(-1); }),
            "INVALID_FIELD changed_until_time");
  EXPECT_EQ(reason([](Request& r) {
              r.set_group(true);
              r.set_ended(true);
            }),
            "INVALID_FIELD group");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, CloseMismatch) {
  using Request = v1::CloseMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::MismatchService::Stub::CloseMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(""); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_note(std::string(limits::kMismatchNoteCharacters + 1, 'a')); }),
            "INVALID_FIELD note");
}

TEST_F(RefusedRequestTest, SnoozeMismatch) {
  using Request = v1::SnoozeMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    *right.mutable_until_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
    return ReasonOf(&v1::MismatchService::Stub::SnoozeMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.clear_until_time(); }), "INVALID_FIELD until_time");
  EXPECT_EQ(reason([](Request& r) { *r.mutable_until_time() = base::ToTimestamp(absl::Now() + absl::Hours(25)); }),
            "INVALID_FIELD until_time");
  EXPECT_EQ(reason([](Request& r) { *r.mutable_until_time() = base::ToTimestamp(absl::Now() - absl::Hours(1)); }),
            "INVALID_FIELD until_time");
}

TEST_F(RefusedRequestTest, ReopenMismatch) {
  using Request = v1::ReopenMismatchRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::MismatchService::Stub::ReopenMismatch, change, As(Role::kCoordinator, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "MISMATCH_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id("visit"); }), "INVALID_FIELD visit_id");
}

TEST_F(RefusedRequestTest, WatchMismatches) {
  const auto reason = [&](const std::string& token) {
    const auto context = client_.Context(As(Role::kSupport, "acme"));
    v1::WatchMismatchesRequest request;
    request.set_resume_token(token);
    const auto stub = v1::MismatchService::NewStub(client_.channel());
    return EndOf<v1::WatchMismatchesResponse>(*stub->WatchMismatches(context.get(), request));
  };
  EXPECT_EQ(reason(""), "");
  EXPECT_EQ(reason("nonsense"), "TOKEN_NOT_VALID");
  EXPECT_EQ(reason(TokenOfCarers()), "TOKEN_NOT_VALID");
}

// ---- DeliveryService

TEST_F(RefusedRequestTest, ExplainVisit) {
  using Request = v1::ExplainVisitRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_carer_id(kNobody);
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::ExplainVisit, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "CARER_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_visit_id(""); }), "INVALID_FIELD visit_id");
}

TEST_F(RefusedRequestTest, ListDeliveries) {
  using Request = v1::ListDeliveriesRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_visit_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::ListDeliveries, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "");
  EXPECT_EQ(reason([](Request& r) { r.clear_visit_id(); }), "INVALID_FIELD visit_id");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id("ann"); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.set_device_uuid("phone"); }), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason([](Request& r) { r.mutable_committed_from_time()->set_nanos(-1); }),
            "INVALID_FIELD committed_from_time");
  EXPECT_EQ(reason([](Request& r) { r.mutable_committed_until_time()->set_nanos(-1); }),
            "INVALID_FIELD committed_until_time");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(-1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, GetDeviceView) {
  using Request = v1::GetDeviceViewRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    Request right;
    right.set_device_uuid(kNobody);
    right.set_carer_id(kNobody);
    return ReasonOf(&v1::DeliveryService::Stub::GetDeviceView, change, As(Role::kSupport, "acme"), right);
  };
  EXPECT_EQ(reason([](Request&) {}), "DEVICE_UNKNOWN");
  EXPECT_EQ(reason([](Request& r) { r.set_device_uuid("phone"); }), "INVALID_FIELD device_uuid");
  EXPECT_EQ(reason([](Request& r) { r.set_carer_id(""); }), "INVALID_FIELD carer_id");
  EXPECT_EQ(reason([](Request& r) { r.mutable_view_time()->set_nanos(-1); }), "INVALID_FIELD view_time");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
}

// ---- RosterService; what ApplyChanges refuses of single changes is in tests/roster/.

TEST_F(RefusedRequestTest, ListCarers) {
  using Request = v1::ListCarersRequest;
  const auto reason = [&](const std::function<void(Request&)>& change) {
    return ReasonOf(&v1::RosterService::Stub::ListCarers, change, As(Role::kRostering, "acme", "rota"));
  };
  EXPECT_EQ(reason([&](Request& r) { r.set_page_token(TokenOfCarers()); }), "");
  EXPECT_EQ(reason([](Request& r) { r.set_page_size(limits::kPageSizeMost + 1); }), "INVALID_FIELD page_size");
  EXPECT_EQ(reason([](Request& r) { r.set_search(std::string(limits::kSearchBytes + 1, 'a')); }),
            "INVALID_FIELD search");
  EXPECT_EQ(reason([](Request& r) { r.set_page_token("nonsense"); }), "PAGE_TOKEN_NOT_VALID");
  EXPECT_EQ(reason([&](Request& r) {
              r.set_page_token(TokenOfCarers());
              r.set_search("ann");
            }),
            "PAGE_TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, StreamCareEvents) {
  const auto reason = [&](const std::string& subject, const std::string& token) {
    const auto context = client_.Context(As(Role::kRostering, "acme", subject));
    v1::StreamCareEventsRequest request;
    request.set_resume_token(token);
    return EndOf<v1::StreamCareEventsResponse>(*client_.roster().StreamCareEvents(context.get(), request));
  };
  EXPECT_EQ(reason("rota", ""), "");
  EXPECT_EQ(reason("A Source", ""), "INVALID_FIELD source");
  EXPECT_EQ(reason("rota", TokenOfCarers()), "TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, StreamDeliveries) {
  const auto reason = [&](const std::string& subject, const std::string& token) {
    const auto context = client_.Context(As(Role::kRostering, "acme", subject));
    v1::StreamDeliveriesRequest request;
    request.set_resume_token(token);
    return EndOf<v1::StreamDeliveriesResponse>(*client_.roster().StreamDeliveries(context.get(), request));
  };
  EXPECT_EQ(reason("rota", ""), "");
  EXPECT_EQ(reason("A Source", ""), "INVALID_FIELD source");
  EXPECT_EQ(reason("rota", TokenOfCarers()), "TOKEN_NOT_VALID");
}

TEST_F(RefusedRequestTest, ApplyChangesSaysWhatItHasSeenInItsFirstMessageOnly) {
  const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
  const auto stream = client_.roster().ApplyChanges(context.get());
  v1::ApplyChangesRequest request;
  request.mutable_last_commit_seen()->set_revision(1);
  stream->Write({});
  stream->Write(request);
  stream->WritesDone();
  EXPECT_EQ(EndOf<v1::ApplyChangesResponse>(*stream), "INVALID_FIELD last_commit_seen");
}

}  // namespace
}  // namespace caresync::rpc

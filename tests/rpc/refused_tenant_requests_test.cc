// What TenantService refuses.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using google::protobuf::util::TimeUtil;
using integration::As;
using Tenants = v1::TenantService::Stub;

namespace limits = base::limits;

// What CreateTenant and UpdateTenant refuse alike: a change of the request, and the field.
template <typename Request>
std::vector<std::pair<std::string, std::function<void(Request&)>>> WrongPreferences() {
  const std::string long_name(limits::kNameCharacters + 1, 'a');
  return {
      {"display_name", [=](Request& r) { r.set_display_name(long_name); }},
      {"display_name", [](Request& r) { r.set_display_name("An\nAgency"); }},
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

}  // namespace
}  // namespace caresync::rpc

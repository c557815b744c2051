// What DeviceService refuses.
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/rpc/refused_request_test.h"

namespace caresync::rpc {
namespace {

using access::Role;
using integration::As;
using Devices = v1::DeviceService::Stub;

namespace limits = base::limits;

void Enrol(const integration::Client& client) {
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(kDevice);
  request.set_allow_missing(true);
  v1::Device device;
  EXPECT_TRUE(
      client.Call(client.devices(), &Devices::UpdateDevice, As(Role::kAdministrator, "acme"), request, &device).ok());
}

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
  Enrol(client_);
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
  Enrol(client_);
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

}  // namespace
}  // namespace caresync::rpc

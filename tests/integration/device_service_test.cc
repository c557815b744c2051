#include <string>

#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using Stub = v1::DeviceService::Stub;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class DeviceServiceTest : public testing::Test {
 protected:
  DeviceServiceTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply("acme", "rota", {fakes::BranchChange("north"), fakes::CarerChange("ann")});
    branch_ = applied.results(0).record_id();
    carer_ = applied.results(1).record_id();
  }

  v1::UpdateDeviceRequest EnrolRequest() const {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice);
    request.set_allow_missing(true);
    request.set_set_branch(true);
    request.set_branch_id(branch_);
    request.set_set_users(true);
    request.add_carer_ids(carer_);
    return request;
  }

  std::string Update(const v1::UpdateDeviceRequest& request, Role role, v1::Device* device) {
    return ReasonOf(client_.Call(client_.devices(), &Stub::UpdateDevice, As(role, "acme"), request, device));
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::string branch_;
  std::string carer_;
};

TEST_F(DeviceServiceTest, AnswersAnUpdateWithTheDeviceAsItIsThen) {
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kCoordinator, &device), "");
  EXPECT_EQ(device.branch_name(), "north");
  ASSERT_EQ(device.users_size(), 1);
  EXPECT_EQ(device.users(0).carer_name(), "ann");
  EXPECT_EQ(device.last_api_call(), v1::CALL_STATE_UNSPECIFIED);

  v1::ListDevicesResponse list;
  ASSERT_TRUE(
      client_.Call(client_.devices(), &Stub::ListDevices, As(Role::kSupport, "acme"), v1::ListDevicesRequest(), &list)
          .ok());
  ASSERT_EQ(list.devices_size(), 1);
  EXPECT_EQ(list.devices(0).SerializeAsString(), device.SerializeAsString());
}

TEST_F(DeviceServiceTest, RefusesUpdatesByNameAndChangesNothing) {
  v1::Device device;
  EXPECT_EQ(Update(EnrolRequest(), Role::kSupport, &device), "ROLE_NOT_ALLOWED");
  v1::UpdateDeviceRequest request = EnrolRequest();
  request.set_device_uuid("phone");
  EXPECT_EQ(Update(request, Role::kAdministrator, &device), "INVALID_FIELD");
  request = EnrolRequest();
  request.set_carer_ids(0, branch_);
  EXPECT_EQ(Update(request, Role::kAdministrator, &device), "CARER_UNKNOWN");
  request = EnrolRequest();
  request.set_allow_missing(false);
  EXPECT_EQ(Update(request, Role::kAdministrator, &device), "DEVICE_UNKNOWN");

  v1::GetDeviceRequest get;
  get.set_device_uuid(kDevice);
  EXPECT_EQ(ReasonOf(client_.Call(client_.devices(), &Stub::GetDevice, As(Role::kAdministrator, "acme"), get, &device)),
            "DEVICE_UNKNOWN");
}

TEST_F(DeviceServiceTest, ShowsATenantOnlyItsOwnDevices) {
  client_.CreateTenant("other");
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kAdministrator, &device), "");
  v1::ListDevicesResponse list;
  ASSERT_TRUE(client_
                  .Call(client_.devices(), &Stub::ListDevices, As(Role::kAdministrator, "other"),
                        v1::ListDevicesRequest(), &list)
                  .ok());
  EXPECT_EQ(list.devices_size(), 0);
  EXPECT_EQ(ReasonOf(client_.Call(client_.devices(), &Stub::ListDevices, As(Role::kAdministrator, "nobody"),
                                  v1::ListDevicesRequest(), &list)),
            "TENANT_UNKNOWN");
}

}  // namespace
}  // namespace caresync::integration

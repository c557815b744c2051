#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"
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

// Requirement: A3
TEST_F(DeviceServiceTest, BlocksADeviceAndShowsIt) {
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kAdministrator, &device), "");
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(kDevice);
  request.set_blocked(true);
  EXPECT_EQ(Update(request, Role::kAdministrator, &device), "INVALID_FIELD");
  request.set_set_blocked(true);
  ASSERT_EQ(Update(request, Role::kAdministrator, &device), "");
  EXPECT_TRUE(device.blocked());
  EXPECT_EQ(device.state(), v1::DEVICE_STATE_BLOCKED);
  EXPECT_NE(device.state_reason(), "");
  request.set_blocked(false);
  ASSERT_EQ(Update(request, Role::kAdministrator, &device), "");
  EXPECT_EQ(device.state(), v1::DEVICE_STATE_NEVER_SYNCED);
}

TEST_F(DeviceServiceTest, ListsACarersSyncsAndNamesWhatIsWrongWithARequest) {
  const auto reason_of = [&](const std::string& device, const std::string& carer) {
    v1::ListSyncsRequest request;
    request.set_device_uuid(device);
    request.set_carer_id(carer);
    v1::ListSyncsResponse response;
    return ReasonOf(client_.Call(client_.devices(), &Stub::ListSyncs, As(Role::kSupport, "acme"), request, &response));
  };
  EXPECT_EQ(reason_of("", carer_), "");
  EXPECT_EQ(reason_of("", branch_), "CARER_UNKNOWN");
  EXPECT_EQ(reason_of("", ""), "INVALID_FIELD");
  EXPECT_EQ(reason_of(kDevice, carer_), "INVALID_FIELD");
}

// ---- The report as a file

class ExportTest : public DeviceServiceTest {
 protected:
  // How the call ended; the file is in `csv_`.
  grpc::Status Export(const v1::ExportDevicesRequest& request, const access::Identity& caller) {
    const auto context = client_.Context(caller);
    const auto stream = client_.devices().ExportDevices(context.get(), request);
    csv_.clear();
    pieces_ = 0;
    v1::ExportDevicesResponse response;
    while (stream->Read(&response)) {
      csv_ += response.csv();
      ++pieces_;
    }
    return stream->Finish();
  }

  std::string csv_;
  int pieces_ = 0;
};

TEST_F(ExportTest, StreamsTheReportInPieces) {
  const int devices = 400;
  v1::Device device;
  for (int i = 0; i < devices; ++i) {
    v1::UpdateDeviceRequest request = EnrolRequest();
    request.set_device_uuid(absl::StrFormat("00000000-0000-4000-8000-%012d", i));
    ASSERT_EQ(Update(request, Role::kAdministrator, &device), "");
  }
  const grpc::Status status = Export({}, As(Role::kSupport, "acme"));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(pieces_, 1);
  EXPECT_EQ(csv_.find("Branch,Users,Device name,App version,UUID,Last API call time,"), 0u);
  EXPECT_EQ(std::count(csv_.begin(), csv_.end(), '\n'), devices + 1);
  EXPECT_NE(csv_.find("north,ann,,,00000000-0000-4000-8000-000000000399,Never,Never,Never,,0,0,never synced,"),
            std::string::npos);
}

TEST_F(ExportTest, HoldsNothingOfAnotherTenant) {
  client_.CreateTenant("other");
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kAdministrator, &device), "");
  ASSERT_TRUE(Export({}, As(Role::kSupport, "other")).ok());
  EXPECT_EQ(std::count(csv_.begin(), csv_.end(), '\n'), 1) << "the header alone";
}

TEST_F(ExportTest, ACallerWhoGoesAwayCostsNothing) {
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kAdministrator, &device), "");
  {
    const auto context = client_.Context(As(Role::kSupport, "acme"));
    const auto stream = client_.devices().ExportDevices(context.get(), {});
    context->TryCancel();
    v1::ExportDevicesResponse response;
    while (stream->Read(&response)) continue;
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_TRUE(Export({}, As(Role::kSupport, "acme")).ok());
  EXPECT_EQ(server_.Stop(), 0);
}

TEST_F(ExportTest, RefusesByName) {
  v1::ExportDevicesRequest request;
  EXPECT_EQ(ReasonOf(Export(request, AsDevice("acme", carer_, kDevice))), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(ReasonOf(Export(request, As(Role::kSupport, "nobody"))), "TENANT_UNKNOWN");
  request.mutable_list()->set_page_size(5);
  EXPECT_EQ(ReasonOf(Export(request, As(Role::kSupport, "acme"))), "INVALID_FIELD");
  request.mutable_list()->clear_page_size();
  request.mutable_list()->set_branch_id("north");
  EXPECT_EQ(ReasonOf(Export(request, As(Role::kSupport, "acme"))), "INVALID_FIELD");
  request.mutable_list()->clear_branch_id();
  request.mutable_list()->set_carer_id("ann");
  EXPECT_EQ(ReasonOf(Export(request, As(Role::kSupport, "acme"))), "INVALID_FIELD");
  EXPECT_EQ(csv_, "");
}

TEST_F(DeviceServiceTest, ATenantUpdatesNoDeviceOfAnotherNorPutsOneIntoItsBranch) {
  client_.CreateTenant("other");
  v1::Device device;
  ASSERT_EQ(Update(EnrolRequest(), Role::kAdministrator, &device), "");
  const auto reason_of = [&](const v1::UpdateDeviceRequest& request) {
    return ReasonOf(
        client_.Call(client_.devices(), &Stub::UpdateDevice, As(Role::kAdministrator, "other"), request, &device));
  };
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(kDevice);
  request.set_clear_cloned(true);
  EXPECT_EQ(reason_of(request), "DEVICE_UNKNOWN");
  request = EnrolRequest();
  request.set_set_users(false);
  request.clear_carer_ids();
  EXPECT_EQ(reason_of(request), "BRANCH_UNKNOWN");
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

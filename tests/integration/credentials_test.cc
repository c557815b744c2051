#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kOtherDevice[] = "5d2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e60";

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    client_.CreateTenant("acme");
    carer_ = client_.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice);
    request.set_allow_missing(true);
    v1::Device device;
    EXPECT_TRUE(client_
                    .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kAdministrator, "acme"),
                          request, &device)
                    .ok());
  }

  // The status of a Sync that sends nothing.
  grpc::Status Sync(const std::string& authorization) {
    const auto context = client_.ContextWith(authorization);
    const auto stream = client_.sync().Sync(context.get());
    stream->WritesDone();
    v1::SyncResponse response;
    while (stream->Read(&response)) continue;
    return stream->Finish();
  }

  grpc::Status List(const std::string& authorization) {
    const auto context = client_.ContextWith(authorization);
    v1::ListDevicesResponse response;
    return client_.devices().ListDevices(context.get(), v1::ListDevicesRequest(), &response);
  }

  v1::ListDevicesResponse Report() {
    v1::ListDevicesResponse list;
    EXPECT_TRUE(client_
                    .Call(client_.devices(), &v1::DeviceService::Stub::ListDevices, As(Role::kSupport, "acme"),
                          v1::ListDevicesRequest(), &list)
                    .ok());
    return list;
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::string carer_;
};

TEST_F(CredentialsTest, AreNeededForEveryCall) {
  for (const grpc::Status& status : {Sync(""), List("")}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(ReasonOf(status), "NO_CREDENTIAL");
  }
}

TEST_F(CredentialsTest, ThatAreNotOursAreRefused) {
  const fakes::TemporaryDirectory elsewhere;
  const auto other_key = access::SigningKey::OpenOrCreate(elsewhere / "key.json");
  const auto forged = (*other_key)->Mint(As(Role::kAdministrator, "acme"), absl::Now());
  ASSERT_TRUE(forged.ok());
  for (const std::string& text : {std::string("Bearer x"), std::string("Basic YTpi"), "Bearer " + *forged}) {
    EXPECT_EQ(ReasonOf(List(text)), "CREDENTIAL_NOT_VALID") << text;
    EXPECT_EQ(ReasonOf(Sync(text)), "CREDENTIAL_NOT_VALID") << text;
  }
}

TEST_F(CredentialsTest, OfAnotherRoleArePermissionDenied) {
  const grpc::Status status = Sync("Bearer " + client_.Mint(As(Role::kAdministrator, "acme")));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(status), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(ReasonOf(List("Bearer " + client_.Mint(AsDevice("acme", carer_, kDevice)))), "ROLE_NOT_ALLOWED");
}

TEST_F(CredentialsTest, ThatHaveExpiredStillLeaveTheDevicesCallInTheReport) {
  access::Identity expired = AsDevice("acme", carer_, kDevice);
  expired.expires = absl::Now() - absl::Minutes(1);
  const grpc::Status status = Sync("Bearer " + client_.Mint(expired));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "CREDENTIAL_EXPIRED");
  const v1::ListDevicesResponse report = Report();
  ASSERT_EQ(report.devices_size(), 1);
  EXPECT_EQ(report.devices(0).last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(report.devices(0).last_api_call_reason(), "CREDENTIAL_EXPIRED");
  EXPECT_TRUE(report.devices(0).has_last_api_call_time());
}

TEST_F(CredentialsTest, ThatAreForgedLeaveNoTraceInTheReport) {
  const fakes::TemporaryDirectory elsewhere;
  const auto other_key = access::SigningKey::OpenOrCreate(elsewhere / "key.json");
  const auto forged = (*other_key)->Mint(AsDevice("acme", carer_, kDevice), absl::Now());
  ASSERT_TRUE(forged.ok());
  EXPECT_EQ(ReasonOf(Sync("Bearer " + *forged)), "CREDENTIAL_NOT_VALID");
  const v1::ListDevicesResponse report = Report();
  ASSERT_EQ(report.devices_size(), 1);
  EXPECT_FALSE(report.devices(0).has_last_api_call_time());
  EXPECT_EQ(report.devices(0).last_api_call(), v1::CALL_STATE_UNSPECIFIED);
}

TEST_F(CredentialsTest, ThatHaveExpiredMakeNoDeviceKnown) {
  access::Identity expired = AsDevice("acme", carer_, kOtherDevice);
  expired.expires = absl::Now() - absl::Minutes(1);
  EXPECT_EQ(ReasonOf(Sync("Bearer " + client_.Mint(expired))), "CREDENTIAL_EXPIRED");
  EXPECT_EQ(Report().devices_size(), 1);
}

}  // namespace
}  // namespace caresync::integration

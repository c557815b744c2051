#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class RefusalsInTheLogTest : public testing::Test {
 protected:
  RefusalsInTheLogTest() {
    client_.CreateTenant("acme");
    carer_ = client_.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).record_id();
  }

  v1::Start StartOf(const std::string& carer) const {
    v1::Start start;
    start.set_device_uuid(kPhone);
    start.set_data_level(1);
    start.set_carer_id(carer);
    start.set_sync_type(v1::SYNC_TYPE_STANDARD);
    return start;
  }

  // Says `start` with this credential; the reason with which the stream ends.
  std::string Sync(const std::string& authorization, const v1::Start& start) const {
    SyncCall call;
    call.context = client_.ContextWith(authorization);
    call.stream = client_.sync().Sync(call.context.get());
    v1::SyncRequest request;
    *request.mutable_start() = start;
    call.stream->Write(request);
    return ReasonOf(call.ReadToTheEnd());
  }
  std::string Sync(const v1::Start& start) const {
    return Sync("Bearer " + client_.Mint(AsDevice("acme", carer_, kPhone)), start);
  }

  std::string CallEnded(const std::string& reason) const {
    return server_.LogLine({" info call_ended ", " reason=" + reason + " "});
  }
  std::string SyncEnded(const std::string& reason) const {
    return server_.LogLine({" info sync_ended ", " reason=" + reason});
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  const Client client_{server_};
  std::string carer_;
};

TEST_F(RefusalsInTheLogTest, OfAnyCallNameTheMethodTheTenantAndTheReason) {
  v1::GetDeviceRequest request;
  request.set_device_uuid("no-uuid");
  v1::Device device;
  client_.Call(client_.devices(), &v1::DeviceService::Stub::GetDevice, As(Role::kSupport, "acme"), request, &device);
  EXPECT_THAT(CallEnded("INVALID_FIELD"),
              AllOf(HasSubstr(" method=DeviceService.GetDevice "), HasSubstr(" tenant=acme "),
                    HasSubstr(" device=\"\" "), HasSubstr(" code=INVALID_ARGUMENT "), HasSubstr(" duration_us=")));
  client_.Call(client_.devices(), &v1::DeviceService::Stub::GetDevice, As(Role::kRostering, "acme"), request, &device);
  EXPECT_THAT(CallEnded("ROLE_NOT_ALLOWED"), AllOf(HasSubstr(" tenant=acme "), HasSubstr(" code=PERMISSION_DENIED ")));
}

TEST_F(RefusalsInTheLogTest, OfACallerWhoProvesNothingNameNobody) {
  EXPECT_EQ(Sync("", StartOf(carer_)), "NO_CREDENTIAL");
  EXPECT_THAT(CallEnded("NO_CREDENTIAL"),
              AllOf(HasSubstr(" tenant=\"\" "), HasSubstr(" device=\"\" "), HasSubstr(" code=UNAUTHENTICATED ")));
  EXPECT_EQ(Sync("Bearer forged", StartOf(carer_)), "CREDENTIAL_NOT_VALID");
  EXPECT_THAT(CallEnded("CREDENTIAL_NOT_VALID"), AllOf(HasSubstr(" tenant=\"\" "), Not(HasSubstr("forged"))));
}

TEST_F(RefusalsInTheLogTest, OfAnExpiredCredentialNameTheDevice) {
  access::Identity expired = AsDevice("acme", carer_, kPhone);
  expired.expires = absl::Now() - absl::Minutes(1);
  EXPECT_EQ(Sync("Bearer " + client_.Mint(expired), StartOf(carer_)), "CREDENTIAL_EXPIRED");
  EXPECT_THAT(CallEnded("CREDENTIAL_EXPIRED"),
              AllOf(HasSubstr(" method=DeviceSyncService.Sync "), HasSubstr(" tenant=acme "),
                    HasSubstr(std::string(" device=") + kPhone + " ")));
}

TEST_F(RefusalsInTheLogTest, OfASyncNameTheDeviceTheCarerAndTheOutcome) {
  v1::Start clean = StartOf(carer_);
  clean.set_sync_type(v1::SYNC_TYPE_CLEAN);
  clean.set_unsent_events(3);
  EXPECT_EQ(Sync(clean), "CLEAN_SYNC_WOULD_LOSE_WORK");
  const std::string device = std::string(" device=") + kPhone + " ";
  EXPECT_THAT(SyncEnded("CLEAN_SYNC_WOULD_LOSE_WORK"),
              AllOf(HasSubstr(" session="), HasSubstr(" tenant=acme "), HasSubstr(device),
                    HasSubstr(" carer=" + carer_ + " "), HasSubstr(" outcome=SYNC_OUTCOME_REFUSED ")));
  EXPECT_THAT(CallEnded("CLEAN_SYNC_WOULD_LOSE_WORK"),
              AllOf(HasSubstr(" tenant=acme "), HasSubstr(device), HasSubstr(" code=FAILED_PRECONDITION ")));
}

TEST_F(RefusalsInTheLogTest, DoNotRepeatWhatTheCallerSaidOfItself) {
  v1::Start of_other = StartOf("11111111-1111-4111-8111-111111111111");
  of_other.set_device_name("Ann's phone");
  EXPECT_EQ(Sync(of_other), "OTHER_CARER");
  EXPECT_THAT(SyncEnded("OTHER_CARER"),
              AllOf(HasSubstr(" tenant=acme "), HasSubstr(" carer=" + carer_ + " "), Not(HasSubstr("Ann"))));
  EXPECT_THAT(CallEnded("OTHER_CARER"), AllOf(HasSubstr(" tenant=acme "), Not(HasSubstr("Ann"))));
}

}  // namespace
}  // namespace caresync::integration

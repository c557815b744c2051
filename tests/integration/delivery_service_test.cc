// Why a phone shows a visit, or does not, as the office asks it by gRPC.
#include <memory>
#include <string>

#include "caresync/v1/deliveries.grpc.pb.h"
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
using testing::ElementsAre;
using Stub = v1::DeliveryService::Stub;

constexpr char kSource[] = "rota";
constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class DeliveryServiceTest : public testing::Test {
 protected:
  DeliveryServiceTest() {
    client_.CreateTenant("acme");
    client_.CreateTenant("other");
    const auto applied = client_.Apply(
        "acme", kSource,
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("mary"), fakes::VisitChange("morning", "mary", {"ann"})});
    request_.set_carer_id(applied.results(0).record_id());
    request_.set_visit_id(applied.results(2).record_id());
  }

  std::string Explain(v1::ExplainVisitResponse* told,
                      const access::Identity& caller = As(Role::kSupport, "acme")) const {
    return ReasonOf(client_.Call(*stub_, &Stub::ExplainVisit, caller, request_, told));
  }
  // It is answered.
  v1::ExplainVisitResponse Told() const {
    v1::ExplainVisitResponse told;
    EXPECT_EQ(Explain(&told), "");
    return told;
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
  std::unique_ptr<Stub> stub_ = v1::DeliveryService::NewStub(client_.channel());
  v1::ExplainVisitRequest request_;
};

TEST_F(DeliveryServiceTest, FollowsAVisitToThePhone) {
  v1::ExplainVisitResponse told = Told();
  EXPECT_EQ(told.failed_step(), v1::DELIVERY_STEP_DEVICE);
  EXPECT_EQ(told.fault(), v1::DELIVERY_FAULT_NO_DEVICE);
  EXPECT_EQ(told.headline(), "ann has no device.");

  v1::UpdateDeviceRequest enrol;
  enrol.set_device_uuid(kPhone);
  enrol.set_allow_missing(true);
  enrol.set_set_users(true);
  enrol.add_carer_ids(request_.carer_id());
  v1::Device device;
  ASSERT_TRUE(client_
                  .Call(client_.devices(), &v1::DeviceService::Stub::UpdateDevice, As(Role::kAdministrator, "acme"),
                        enrol, &device)
                  .ok());
  told = Told();
  EXPECT_EQ(told.failed_step(), v1::DELIVERY_STEP_SIGNED_IN);
  EXPECT_THAT(told.assigned_device_uuids(), ElementsAre(kPhone));

  Device phone(client_, "acme", request_.carer_id(), kPhone);
  ASSERT_TRUE(phone.Sync().ok());
  told = Told();
  EXPECT_EQ(told.failed_step(), v1::DELIVERY_STEP_UNSPECIFIED) << told.DebugString();
  EXPECT_TRUE(told.acknowledged());
  EXPECT_EQ(told.device().device_uuid(), kPhone);

  v1::RosterChange moved = fakes::VisitChange("morning", "mary", {"ann"});
  *moved.mutable_visit()->mutable_assignments(0)->mutable_end_time() = fakes::AtHour(11);
  client_.Apply("acme", kSource, {moved});
  told = Told();
  EXPECT_EQ(told.failed_step(), v1::DELIVERY_STEP_SENT) << told.DebugString();
  EXPECT_EQ(told.fault(), v1::DELIVERY_FAULT_NO_SYNC_SINCE);
  EXPECT_GT(told.feed_revision(), told.acknowledged_revision());

  ASSERT_TRUE(phone.Sync().ok());
  EXPECT_TRUE(Told().acknowledged());
}

TEST_F(DeliveryServiceTest, IsForTheOfficeOfItsTenantOnly) {
  v1::ExplainVisitResponse told;
  for (const Role role : {Role::kAdministrator, Role::kCoordinator, Role::kSupport}) {
    EXPECT_EQ(Explain(&told, As(role, "acme")), "");
    EXPECT_EQ(Explain(&told, As(role, "other")), "CARER_UNKNOWN");
  }
  EXPECT_EQ(Explain(&told, As(Role::kRostering, "acme", kSource)), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(Explain(&told, AsDevice("acme", request_.carer_id(), kPhone)), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(Explain(&told, AsOperator()), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(Explain(&told, As(Role::kSupport, "unknown")), "TENANT_UNKNOWN");
}

}  // namespace
}  // namespace caresync::integration

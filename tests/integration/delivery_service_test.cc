// Why a phone shows a visit, or does not, as the office asks it by gRPC.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "caresync/v1/deliveries.grpc.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/eventually.h"
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
  // All that became of the visit's changes.
  std::vector<v1::Delivery> Deliveries() const {
    v1::ListDeliveriesRequest list;
    list.set_visit_id(request_.visit_id());
    v1::ListDeliveriesResponse listed;
    EXPECT_EQ(ReasonOf(client_.Call(*stub_, &Stub::ListDeliveries, As(Role::kSupport, "acme"), list, &listed)), "");
    return {listed.deliveries().begin(), listed.deliveries().end()};
  }
  // What the phone showed; absent: now.
  v1::GetDeviceViewResponse View(const std::optional<google::protobuf::Timestamp>& time = std::nullopt) const {
    v1::GetDeviceViewRequest ask;
    ask.set_device_uuid(kPhone);
    ask.set_carer_id(request_.carer_id());
    if (time.has_value()) *ask.mutable_view_time() = *time;
    v1::GetDeviceViewResponse view;
    EXPECT_EQ(ReasonOf(client_.Call(*stub_, &Stub::GetDeviceView, As(Role::kSupport, "acme"), ask, &view)), "");
    return view;
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

TEST_F(DeliveryServiceTest, RecordsWhatBecameOfEachChangeAndWhatThePhoneShowed) {
  EXPECT_EQ(Deliveries().size(), 1u);
  Device phone(client_, "acme", request_.carer_id(), kPhone);
  ASSERT_TRUE(phone.Sync().ok());
  std::vector<v1::Delivery> deliveries = Deliveries();
  ASSERT_EQ(deliveries.size(), 1u);
  ASSERT_EQ(deliveries[0].devices_size(), 1) << deliveries[0].DebugString();
  const v1::DeviceDelivery first = deliveries[0].devices(0);
  EXPECT_EQ(first.device_uuid(), kPhone);
  EXPECT_EQ(first.state(), v1::DELIVERY_STATE_APPLIED);
  EXPECT_EQ(deliveries[0].source(), kSource);

  v1::RosterChange moved = fakes::VisitChange("morning", "mary", {"ann"});
  *moved.mutable_visit()->mutable_assignments(0)->mutable_end_time() = fakes::AtHour(11);
  client_.Apply("acme", kSource, {moved});
  deliveries = Deliveries();
  ASSERT_EQ(deliveries.size(), 2u);
  EXPECT_EQ(deliveries[1].devices(0).state(), v1::DELIVERY_STATE_NOT_SENT);
  v1::GetDeviceViewResponse view = View();
  EXPECT_EQ(view.known(), v1::DEVICE_VIEW_KNOWN_ALL);
  ASSERT_EQ(view.visits_size(), 1);
  EXPECT_EQ(view.visits(0).shown().end_time().seconds(), fakes::AtHour(10).seconds()) << "the phone has not synced";

  ASSERT_TRUE(phone.Sync().ok());
  EXPECT_EQ(Deliveries()[1].devices(0).state(), v1::DELIVERY_STATE_APPLIED);
  EXPECT_EQ(View().visits(0).shown().end_time().seconds(), fakes::AtHour(11).seconds());
  view = View(first.applied_time());
  ASSERT_EQ(view.visits_size(), 1);
  EXPECT_EQ(view.visits(0).shown().end_time().seconds(), fakes::AtHour(10).seconds()) << "what it showed then";
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

TEST_F(DeliveryServiceTest, TheRecordIsForTheOfficeOfItsTenantOnly) {
  v1::ListDeliveriesRequest list;
  list.set_visit_id(request_.visit_id());
  v1::GetDeviceViewRequest ask;
  ask.set_device_uuid(kPhone);
  ask.set_carer_id(request_.carer_id());
  const auto reasons = [&](const access::Identity& caller) {
    v1::ListDeliveriesResponse listed;
    v1::GetDeviceViewResponse view;
    const std::string of_list = ReasonOf(client_.Call(*stub_, &Stub::ListDeliveries, caller, list, &listed));
    EXPECT_EQ(listed.deliveries_size(), caller.tenant.text() == "acme" && of_list.empty() ? 1 : 0);
    return of_list + "/" + ReasonOf(client_.Call(*stub_, &Stub::GetDeviceView, caller, ask, &view));
  };
  ASSERT_TRUE(Device(client_, "acme", request_.carer_id(), kPhone).Sync().ok());
  for (const Role role : {Role::kAdministrator, Role::kCoordinator, Role::kSupport}) {
    EXPECT_EQ(reasons(As(role, "acme")), "/");
    EXPECT_EQ(reasons(As(role, "other")), "/DEVICE_UNKNOWN");
  }
  for (const access::Identity& caller :
       {As(Role::kRostering, "acme", kSource), AsDevice("acme", request_.carer_id(), kPhone), AsOperator()}) {
    EXPECT_EQ(reasons(caller), "ROLE_NOT_ALLOWED/ROLE_NOT_ALLOWED");
  }
}

TEST_F(DeliveryServiceTest, ListsWhatWaitsForARecordThatHasNotComeToTheOfficeOfItsTenantOnly) {
  client_.Apply("acme", kSource, {fakes::VisitChange("evening", "nobody yet", {"ann"})});
  const auto waiting = [&](const access::Identity& caller) {
    v1::ListWaitingChangesResponse listed;
    const std::string reason =
        ReasonOf(client_.Call(*stub_, &Stub::ListWaitingChanges, caller, v1::ListWaitingChangesRequest(), &listed));
    if (!reason.empty()) return reason;
    return listed.changes().empty() ? std::string("none") : listed.changes(0).missing(0).external_id();
  };
  for (const Role role : {Role::kAdministrator, Role::kCoordinator, Role::kSupport}) {
    EXPECT_EQ(waiting(As(role, "acme")), "nobody yet");
    EXPECT_EQ(waiting(As(role, "other")), "none");
  }
  for (const access::Identity& caller :
       {As(Role::kRostering, "acme", kSource), AsDevice("acme", request_.carer_id(), kPhone), AsOperator()}) {
    EXPECT_EQ(waiting(caller), "ROLE_NOT_ALLOWED");
  }
  client_.Apply("acme", kSource, {fakes::ServiceUserChange("nobody yet")});
  // A task takes it up.
  EXPECT_TRUE(fakes::Eventually([&] { return waiting(As(Role::kSupport, "acme")) == "none"; }));
}

}  // namespace
}  // namespace caresync::integration

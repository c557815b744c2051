// What became of a source's changes on phones, as the rostering system reads it by gRPC.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
using testing::IsEmpty;

constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

// A stream of deliveries and what came on it.
struct DeliveryCall {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReader<v1::StreamDeliveriesResponse>> stream;
  // "morning to ann", of each that is applied.
  std::vector<std::string> applied;
  std::string token;

  bool ReadOne() {
    v1::StreamDeliveriesResponse response;
    if (!stream->Read(&response)) return false;
    for (const v1::RosterDelivery& delivery : response.deliveries()) {
      EXPECT_EQ(delivery.device_uuid(), kPhone);
      if (delivery.state() != v1::DELIVERY_STATE_APPLIED) continue;
      applied.push_back(absl::StrCat(delivery.visit_external_id(), " to ", delivery.carer_external_id()));
    }
    token = response.resume_token();
    caught_up = response.caught_up();
    return true;
  }
  // Reads until the server says that nothing is left for now; false where the stream ends before.
  bool CatchUp() {
    while (ReadOne()) {
      if (caught_up) return true;
    }
    return false;
  }
  // Reads until so many came: marks are told soon after the sync that wrote them, by another commit.
  bool ReadUntil(size_t count) {
    while (applied.size() < count) {
      if (!ReadOne()) return false;
    }
    return true;
  }

  bool caught_up = false;
};

class DeliveriesOverGrpcTest : public testing::Test {
 protected:
  DeliveriesOverGrpcTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("morning", "su", {"ann"})});
    phone_ = std::make_unique<Device>(client_, "acme", applied.results(0).record_id(), kPhone);
  }

  static DeliveryCall Stream(const Client& client, const std::string& token, bool follow,
                             const access::Identity& caller) {
    v1::StreamDeliveriesRequest request;
    request.set_resume_token(token);
    request.set_follow(follow);
    DeliveryCall call;
    call.context = client.Context(caller);
    call.stream = client.roster().StreamDeliveries(call.context.get(), request);
    return call;
  }
  DeliveryCall Stream(const std::string& token, bool follow, const std::string& source = "rota") const {
    return Stream(client_, token, follow, As(Role::kRostering, "acme", source));
  }
  // Expects that such a stream brings nothing and is refused by this name.
  void ExpectRefused(DeliveryCall call, const std::string& reason) const {
    EXPECT_FALSE(call.ReadOne());
    EXPECT_EQ(ReasonOf(call.stream->Finish()), reason);
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  const Client client_{server_};
  std::unique_ptr<Device> phone_;
};

TEST_F(DeliveriesOverGrpcTest, AFollowerIsToldOfWhatThePhoneAcknowledges) {
  DeliveryCall call = Stream("", true);
  ASSERT_TRUE(call.CatchUp());
  EXPECT_THAT(call.applied, IsEmpty());
  ASSERT_TRUE(phone_->Sync().ok());
  ASSERT_TRUE(call.ReadUntil(1));
  EXPECT_THAT(call.applied, ElementsAre("morning to ann"));
  client_.Apply("acme", "rota", {fakes::VisitChange("evening", "su", {"ann"})});
  ASSERT_TRUE(phone_->Sync().ok());
  ASSERT_TRUE(call.ReadUntil(2));
  EXPECT_THAT(call.applied, ElementsAre("morning to ann", "evening to ann"));
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(DeliveriesOverGrpcTest, ATokenSendsNothingAgainAfterARestartToo) {
  DeliveryCall follower = Stream("", true);
  ASSERT_TRUE(phone_->Sync().ok());
  ASSERT_TRUE(follower.ReadUntil(1));
  follower.context->TryCancel();
  EXPECT_EQ(server_.Stop(), 0);
  const ServerProcess restarted(folder_.path());
  const Client client(restarted);
  DeliveryCall call = Stream(client, follower.token, false, As(Role::kRostering, "acme", "rota"));
  ASSERT_TRUE(call.CatchUp());
  EXPECT_THAT(call.applied, IsEmpty());
  EXPECT_TRUE(call.stream->Finish().ok());
}

TEST_F(DeliveriesOverGrpcTest, IsForTheSourceWhoseVisitsTheyAre) {
  DeliveryCall follower = Stream("", true);
  ASSERT_TRUE(phone_->Sync().ok());
  ASSERT_TRUE(follower.ReadUntil(1));
  DeliveryCall other = Stream("", false, "another-source");
  ASSERT_TRUE(other.CatchUp());
  EXPECT_THAT(other.applied, IsEmpty());
  ExpectRefused(Stream(follower.token, false, "another-source"), "TOKEN_NOT_VALID");
  ExpectRefused(Stream("nonsense", false), "TOKEN_NOT_VALID");
  ExpectRefused(Stream("", false, "No Source"), "INVALID_FIELD");
  for (const Role role : {Role::kAdministrator, Role::kCoordinator, Role::kSupport}) {
    ExpectRefused(Stream(client_, "", false, As(role, "acme")), "ROLE_NOT_ALLOWED");
  }
}

}  // namespace
}  // namespace caresync::integration

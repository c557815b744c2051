#include "loadtest/sync_call.h"

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/rpc/error_details.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// As a device gets it from the server.
std::optional<absl::Duration> ShedByServer(const absl::Status& status) {
  return ShedFor(cli::errors::FromCall(rpc::ToGrpc(status), "the server"));
}

TEST(ShedFor, SaysWhenToComeBackToAServerThatHadNoRoom) {
  EXPECT_EQ(ShedByServer(base::errors::Overloaded(absl::Milliseconds(2'345))), absl::Milliseconds(2'345));
}

TEST(ShedFor, IsNothingForAnyOtherEnd) {
  EXPECT_FALSE(ShedFor(absl::OkStatus()).has_value());
  EXPECT_FALSE(ShedFor(cli::errors::FromCall(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too large"), "it"))
                   .has_value());
  EXPECT_FALSE(ShedByServer(base::errors::ShuttingDown(absl::Seconds(1))).has_value());
  EXPECT_FALSE(ShedByServer(base::errors::DeviceSilent()).has_value());
}

// A server that hangs must hold up no run.
TEST(LongestCall, IsBoundedButOfAFollower) {
  const std::optional<absl::Duration> ordinary = LongestCall({});
  ASSERT_TRUE(ordinary.has_value());
  SyncPlan follows;
  follows.follow = true;
  EXPECT_FALSE(LongestCall(follows).has_value());
  SyncPlan stalls;
  stalls.stall.emplace();
  stalls.stall->ended_within = absl::Minutes(3);
  // The server's own deadlines come first, also where it stalls as late as it can.
  EXPECT_EQ(LongestCall(stalls), *ordinary + absl::Minutes(3));
}

}  // namespace
}  // namespace caresync::loadtest

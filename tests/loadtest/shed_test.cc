#include "loadtest/shed.h"

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/rpc/error_details.h"

namespace caresync::loadtest {
namespace {

TEST(ShedFor, SaysWhenToComeBackToAServerThatHadNoRoom) {
  EXPECT_EQ(ShedFor(rpc::ToGrpc(base::errors::Overloaded(absl::Milliseconds(2'345)))), absl::Milliseconds(2'345));
}

TEST(ShedFor, IsNothingForAnyOtherEnd) {
  EXPECT_FALSE(ShedFor(grpc::Status::OK).has_value());
  EXPECT_FALSE(ShedFor(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too large")).has_value());
  EXPECT_FALSE(ShedFor(rpc::ToGrpc(base::errors::ShuttingDown(absl::Seconds(1)))).has_value());
  EXPECT_FALSE(ShedFor(rpc::ToGrpc(base::errors::DeviceSilent())).has_value());
}

}  // namespace
}  // namespace caresync::loadtest

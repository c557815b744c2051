#include "server/rpc/error_details.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"

namespace caresync::rpc {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(ErrorDetails, CarryTheStableReason) {
  const grpc::Status status = ToGrpc(base::errors::TenantUnknown("acme"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(details.message(), status.error_message());
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "TENANT_UNKNOWN");
  EXPECT_EQ(info.domain(), "caresync");
}

TEST(ErrorDetails, SayWhenToComeBack) {
  const google::rpc::Status details = DetailsOf(ToGrpc(base::errors::Overloaded(absl::Milliseconds(1500))));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(ErrorDetails, NameWhatAStoreSays) {
  EXPECT_EQ(base::Reason(base::Named(absl::UnavailableError("disk"))), "STORE_UNAVAILABLE");
  EXPECT_EQ(base::Reason(base::Named(absl::DataLossError("row"))), "DAMAGED_ROW");
}

TEST(ErrorDetails, AreNoneForSuccess) { EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok()); }

}  // namespace
}  // namespace caresync::rpc

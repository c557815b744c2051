#include "loadtest/shed.h"

#include "google/protobuf/util/time_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace caresync::loadtest {

std::optional<absl::Duration> ShedFor(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.ok() || !details.ParseFromString(status.error_details())) return std::nullopt;
  bool overloaded = false;
  std::optional<absl::Duration> after;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) overloaded = info.reason() == "OVERLOADED";
    if (any.UnpackTo(&retry)) {
      after = absl::Microseconds(google::protobuf::util::TimeUtil::DurationToMicroseconds(retry.retry_delay()));
    }
  }
  return overloaded ? after : std::nullopt;
}

}  // namespace caresync::loadtest

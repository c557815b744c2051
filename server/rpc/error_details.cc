#include "server/rpc/error_details.h"

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/base/errors.h"

namespace caresync::rpc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kDomain[] = "caresync";

std::string Details(const absl::Status& status, const std::string& reason) {
  google::rpc::Status details;
  details.set_code(status.raw_code());
  details.set_message(std::string(status.message()));
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(kDomain);
  details.add_details()->PackFrom(info);
  if (const std::optional<absl::Duration> wait = base::RetryDelay(status); wait.has_value()) {
    google::rpc::RetryInfo retry;
    *retry.mutable_retry_delay() = TimeUtil::MicrosecondsToDuration(absl::ToInt64Microseconds(*wait));
    details.add_details()->PackFrom(retry);
  }
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status named = base::Named(status);
  const auto code = static_cast<grpc::StatusCode>(named.raw_code());
  const std::string reason = base::Reason(named);
  if (reason.empty()) return grpc::Status(code, std::string(named.message()));
  return grpc::Status(code, std::string(named.message()), Details(named, reason));
}

}  // namespace caresync::rpc

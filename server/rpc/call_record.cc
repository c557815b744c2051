#include "server/rpc/call_record.h"

#include "observability/log.h"
#include "server/base/errors.h"
#include "server/rpc/error_details.h"

namespace caresync::rpc {
namespace {

using observability::Level;

// What an operator has to look at; whatever else a caller is told is the caller's to put right.
Level LevelOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
      return Level::kError;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return Level::kWarning;
    default:
      return Level::kInfo;
  }
}

}  // namespace

CallRecord::CallRecord(std::string_view method, const base::Clock& clock)
    : method_(method), clock_(clock), began_(clock.Monotonic()) {}

void CallRecord::SetCaller(const access::Identity& caller) {
  tenant_ = caller.tenant.text();
  if (caller.device.has_value()) device_ = caller.device->ToString();
}

void CallRecord::Ended(const absl::Status& status) const {
  const absl::Status named = base::Named(status);
  observability::Log(LevelOf(named), "call_ended",
                     {{"method", absl::string_view(method_.data(), method_.size())},
                      {"tenant", tenant_},
                      {"device", device_},
                      {"code", absl::StatusCodeToString(named.code())},
                      {"reason", base::Reason(named)},
                      {"duration_us", absl::ToInt64Microseconds(clock_.Monotonic() - began_)}});
}

}  // namespace caresync::rpc

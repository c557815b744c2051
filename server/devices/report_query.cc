#include "server/devices/report_query.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "storage/tuple.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;

absl::StatusOr<Order> ParseOrder(std::string_view name) {
  if (name.empty() || name == "device_uuid") return Order::kUuid;
  if (name == "device_name") return Order::kDeviceName;
  if (name == "app_version") return Order::kAppVersion;
  if (name == "branch_name") return Order::kBranchName;
  if (name == "last_api_call_time") return Order::kLastCall;
  if (name == "last_successful_sync_time") return Order::kLastSuccess;
  if (name == "state") return Order::kState;
  return errors::InvalidArgument("order_by",
                                 "is none of device_uuid, device_name, app_version, branch_name, last_api_call_time, "
                                 "last_successful_sync_time and state, each also with \" desc\"");
}

absl::Status ReadOrder(const std::string& order_by, Query& query) {
  constexpr std::string_view kDescending = " desc";
  std::string_view name = order_by;
  if (name.ends_with(kDescending)) {
    query.descending = true;
    name.remove_suffix(kDescending.size());
    if (name.empty()) return errors::InvalidArgument("order_by", "names no field before \" desc\"");
  }
  ASSIGN_OR_RETURN(query.order, ParseOrder(name));
  return absl::OkStatus();
}

absl::Status ReadFilters(const v1::ListDevicesRequest& request, Query& query) {
  if (request.search().size() > base::limits::kSearchBytes) {
    return errors::InvalidArgument("search", absl::StrCat("has more than ", base::limits::kSearchBytes, " bytes"));
  }
  query.search = absl::AsciiStrToLower(request.search());
  if (!request.branch_id().empty()) {
    const std::optional<base::Uuid> branch = base::Uuid::Parse(request.branch_id());
    if (!branch.has_value()) return errors::InvalidArgument("branch_id", "is no UUID");
    query.branch_id = branch->ToString();
  }
  if (!request.carer_id().empty()) {
    query.carer = base::Uuid::Parse(request.carer_id());
    if (!query.carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  }
  if (!v1::CallState_IsValid(request.last_api_call())) {
    return errors::InvalidArgument("last_api_call", "is no state that is known here");
  }
  query.last_api_call = request.last_api_call();
  query.never_synced = request.never_synced();
  if (!v1::DeviceState_IsValid(request.state())) {
    return errors::InvalidArgument("state", "is no state that is known here");
  }
  query.state = request.state();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Query> ReadQuery(const v1::ListDevicesRequest& request) {
  Query query;
  ASSIGN_OR_RETURN(query.page_size, base::PageSize(request.page_size()));
  RETURN_IF_ERROR(ReadOrder(request.order_by(), query));
  RETURN_IF_ERROR(ReadFilters(request, query));
  query.fingerprint = storage::TupleWriter()
                          .String("devices")
                          .Byte(static_cast<uint8_t>(query.order))
                          .Byte(query.descending)
                          .String(query.search)
                          .String(query.branch_id)
                          .String(query.carer.has_value() ? query.carer->ToString() : "")
                          .Byte(static_cast<uint8_t>(query.last_api_call))
                          .Byte(query.never_synced)
                          .Byte(static_cast<uint8_t>(query.state))
                          .Take();
  ASSIGN_OR_RETURN(query.after, base::DecodePageToken(query.fingerprint, request.page_token()));
  return query;
}

}  // namespace caresync::devices

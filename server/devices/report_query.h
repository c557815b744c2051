// A request for the report, checked: its order, its filters, its page.
#ifndef CARESYNC_SERVER_DEVICES_REPORT_QUERY_H_
#define CARESYNC_SERVER_DEVICES_REPORT_QUERY_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/uuid.h"

namespace caresync::devices {

enum class Order { kUuid, kDeviceName, kAppVersion, kBranchName, kLastCall, kLastSuccess, kState };

struct Query {
  Order order = Order::kUuid;
  bool descending = false;
  // Lower case; empty: all.
  std::string search;
  std::string branch_id;
  std::optional<base::Uuid> carer;
  v1::CallState last_api_call = v1::CALL_STATE_UNSPECIFIED;
  bool never_synced = false;
  v1::DeviceState state = v1::DEVICE_STATE_UNSPECIFIED;
  int page_size = 0;
  // What must be the same for the next page.
  std::string fingerprint;
  // The sort key after which the page begins; empty: the first page.
  std::string after;
};

// Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID.
absl::StatusOr<Query> ReadQuery(const v1::ListDevicesRequest& request);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_REPORT_QUERY_H_

#include "server/devices/report.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "server/devices/names.h"
#include "storage/tuple.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;

enum class Order { kUuid, kDeviceName, kAppVersion, kBranchName, kLastCall, kLastSuccess };

// A list request, checked.
struct Query {
  Order order = Order::kUuid;
  bool descending = false;
  // Lower case; empty: all.
  std::string search;
  std::string branch_id;
  std::optional<base::Uuid> carer;
  v1::CallState last_api_call = v1::CALL_STATE_UNSPECIFIED;
  bool never_synced = false;
  int page_size = 0;
  // The present one of the store.
  std::string opening;
  // What must be the same for the next page.
  std::string fingerprint;
  // The sort key after which the page begins; empty: the first page.
  std::string after;
};

struct Candidate {
  std::string sort_key;
  base::Uuid uuid;
  DeviceRows rows;
};

absl::StatusOr<Order> ParseOrder(std::string_view name) {
  if (name.empty() || name == "device_uuid") return Order::kUuid;
  if (name == "device_name") return Order::kDeviceName;
  if (name == "app_version") return Order::kAppVersion;
  if (name == "branch_name") return Order::kBranchName;
  if (name == "last_api_call_time") return Order::kLastCall;
  if (name == "last_successful_sync_time") return Order::kLastSuccess;
  return errors::InvalidArgument("order_by",
                                 "is none of device_uuid, device_name, app_version, branch_name, "
                                 "last_api_call_time and last_successful_sync_time, each also with \" desc\"");
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
  return absl::OkStatus();
}

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
                          .Take();
  ASSIGN_OR_RETURN(query.after, base::DecodePageToken(query.fingerprint, request.page_token()));
  return query;
}

// The users that administrators set, then carers who hold a copy all the same.
std::vector<std::string> UsersOf(const DeviceRows& rows) {
  std::vector<std::string> users(rows.device->carer_ids().begin(), rows.device->carer_ids().end());
  if (!rows.report.has_value()) return users;
  for (const store::DeviceCopy& copy : rows.report->copies()) {
    if (std::find(users.begin(), users.end(), copy.carer_id()) == users.end()) users.push_back(copy.carer_id());
  }
  return users;
}

void FailCallOfEarlierOpening(std::string_view opening, DeviceRows& rows) {
  if (!rows.call.has_value() || rows.call->state() != v1::CALL_STATE_UNDER_WAY || rows.call->opening() == opening)
    return;
  rows.call->set_state(v1::CALL_STATE_FAILED);
  rows.call->set_reason(base::Reason(errors::StreamCut()));
}

bool PassesFilters(const Query& query, const DeviceRows& rows) {
  if (!query.branch_id.empty() && rows.device->branch_id() != query.branch_id) return false;
  if (query.last_api_call != v1::CALL_STATE_UNSPECIFIED &&
      (!rows.call.has_value() || rows.call->state() != query.last_api_call)) {
    return false;
  }
  if (query.never_synced && rows.report.has_value() && rows.report->last_success_us() != 0) return false;
  if (!query.carer.has_value()) return true;
  const std::vector<std::string> users = UsersOf(rows);
  return std::find(users.begin(), users.end(), query.carer->ToString()) != users.end();
}

bool Contains(std::string_view text, const std::string& search) {
  return absl::AsciiStrToLower(absl::string_view(text.data(), text.size())).find(search) != std::string::npos;
}

absl::StatusOr<bool> MatchesSearch(const std::string& search, const Candidate& device, Names& names) {
  if (search.empty() || Contains(device.uuid.ToString(), search)) return true;
  const std::optional<store::DeviceReport>& report = device.rows.report;
  if (report.has_value() && (Contains(report->device_name(), search) || Contains(report->app_version(), search))) {
    return true;
  }
  ASSIGN_OR_RETURN(const std::string branch, names.Branch(device.rows.device->branch_id()));
  if (Contains(branch, search)) return true;
  for (const std::string& user : UsersOf(device.rows)) {
    ASSIGN_OR_RETURN(const std::string name, names.Carer(user));
    if (Contains(name, search)) return true;
  }
  return false;
}

// Sorts as the order asks for, ties by UUID; texts without regard to ASCII case, what is absent first.
absl::StatusOr<std::string> SortKey(Order order, const Candidate& device, Names& names) {
  const DeviceRows& rows = device.rows;
  storage::TupleWriter key;
  switch (order) {
    case Order::kUuid:
      break;
    case Order::kDeviceName:
      key.String(rows.report.has_value() ? absl::AsciiStrToLower(rows.report->device_name()) : "");
      break;
    case Order::kAppVersion:
      key.String(rows.report.has_value() ? absl::AsciiStrToLower(rows.report->app_version()) : "");
      break;
    case Order::kBranchName: {
      ASSIGN_OR_RETURN(const std::string branch, names.Branch(rows.device->branch_id()));
      key.String(absl::AsciiStrToLower(branch));
      break;
    }
    case Order::kLastCall:
      key.Uint64(rows.call.has_value() ? static_cast<uint64_t>(rows.call->time_us()) : 0);
      break;
    case Order::kLastSuccess:
      key.Uint64(rows.report.has_value() ? static_cast<uint64_t>(rows.report->last_success_us()) : 0);
      break;
  }
  return std::move(key.Raw(device.uuid.bytes())).Take();
}

// Keeps the first devices after the page token, one more than a page.
class Page {
 public:
  explicit Page(const Query& query) : query_(query) {}

  void Offer(Candidate device) {
    if (!query_.after.empty() && !Before(query_.after, device.sort_key)) return;
    const auto before = [this](const Candidate& a, const Candidate& b) { return Before(a.sort_key, b.sort_key); };
    kept_.push_back(std::move(device));
    std::push_heap(kept_.begin(), kept_.end(), before);
    if (kept_.size() <= static_cast<size_t>(query_.page_size) + 1) return;
    std::pop_heap(kept_.begin(), kept_.end(), before);
    kept_.pop_back();
  }

  // In order.
  std::vector<Candidate> Take() && {
    std::sort(kept_.begin(), kept_.end(),
              [this](const Candidate& a, const Candidate& b) { return Before(a.sort_key, b.sort_key); });
    return std::move(kept_);
  }

 private:
  bool Before(const std::string& a, const std::string& b) const { return query_.descending ? b < a : a < b; }

  const Query& query_;
  // A heap whose first is the last in order.
  std::vector<Candidate> kept_;
};

absl::Status OfferIfWanted(const Query& query, const base::Uuid& uuid, DeviceRows rows, Names& names, Page& page) {
  FailCallOfEarlierOpening(query.opening, rows);
  // A row that a call left without a device that anybody enrolled is none of the report's.
  if (!rows.device.has_value() || !PassesFilters(query, rows)) return absl::OkStatus();
  Candidate device{"", uuid, std::move(rows)};
  ASSIGN_OR_RETURN(const bool matches, MatchesSearch(query.search, device, names));
  if (!matches) return absl::OkStatus();
  ASSIGN_OR_RETURN(device.sort_key, SortKey(query.order, device, names));
  page.Offer(std::move(device));
  return absl::OkStatus();
}

// Reads the rows of all devices, which lie side by side, and offers each device to the page.
absl::Status OfferAll(const storage::Reader& reader, const base::TenantId& tenant, const Query& query, Names& names,
                      Page& page) {
  std::optional<base::Uuid> current;
  DeviceRows rows;
  absl::Status status;
  const auto visit = [&](std::string_view key, std::string_view value) {
    base::Uuid uuid;
    base::keys::DevicePart part{};
    if (!base::keys::ParseDeviceRow(key, &uuid, &part)) {
      status = errors::DamagedRow("a device's key");
      return false;
    }
    if (current.has_value() && uuid != *current) {
      status = OfferIfWanted(query, *current, std::exchange(rows, {}), names, page);
    }
    current = uuid;
    if (status.ok()) status = AddPart(static_cast<uint8_t>(part), value, rows);
    return status.ok();
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, base::keys::DeviceRows(tenant, nullptr),
                              std::numeric_limits<size_t>::max(), visit));
  RETURN_IF_ERROR(status);
  if (!current.has_value()) return absl::OkStatus();
  return OfferIfWanted(query, *current, std::move(rows), names, page);
}

absl::Status AddUser(const std::string& carer_id, const DeviceRows& rows, Names& names, v1::Device& device) {
  v1::DeviceUser& user = *device.add_users();
  user.set_carer_id(carer_id);
  ASSIGN_OR_RETURN(*user.mutable_carer_name(), names.Carer(carer_id));
  const std::optional<base::Uuid> carer = base::Uuid::Parse(carer_id);
  if (!rows.report.has_value() || !carer.has_value()) return absl::OkStatus();
  const store::DeviceCopy* copy = FindCopy(*rows.report, *carer);
  if (copy == nullptr) return absl::OkStatus();
  base::SetTime(copy->last_success_us(), [&] { return user.mutable_last_successful_sync_time(); });
  user.set_acknowledged_revision(copy->revision());
  return absl::OkStatus();
}

absl::StatusOr<v1::Device> ToProto(const base::Uuid& uuid, const DeviceRows& rows, Names& names) {
  v1::Device device;
  device.set_device_uuid(uuid.ToString());
  device.set_branch_id(rows.device->branch_id());
  ASSIGN_OR_RETURN(*device.mutable_branch_name(), names.Branch(rows.device->branch_id()));
  base::SetTime(rows.device->enrolled_time_us(), [&] { return device.mutable_enrolled_time(); });
  for (const std::string& user : UsersOf(rows)) RETURN_IF_ERROR(AddUser(user, rows, names, device));
  if (rows.call.has_value()) {
    base::SetTime(rows.call->time_us(), [&] { return device.mutable_last_api_call_time(); });
    device.set_last_api_call(rows.call->state());
    device.set_last_api_call_reason(rows.call->reason());
  }
  if (rows.events.has_value()) device.set_missing_event_numbers(rows.events->missing());
  if (!rows.report.has_value()) return device;
  device.set_device_name(rows.report->device_name());
  device.set_app_version(rows.report->app_version());
  base::SetTime(rows.report->last_success_us(), [&] { return device.mutable_last_successful_sync_time(); });
  device.set_take_overs(rows.report->take_overs());
  return device;
}

}  // namespace

absl::StatusOr<v1::ListDevicesResponse> ListDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const v1::ListDevicesRequest& request, std::string_view opening) {
  ASSIGN_OR_RETURN(Query query, ReadQuery(request));
  query.opening = opening;
  Names names(reader, tenant);
  Page page(query);
  RETURN_IF_ERROR(OfferAll(reader, tenant, query, names, page));

  v1::ListDevicesResponse response;
  std::vector<Candidate> found = std::move(page).Take();
  if (found.size() > static_cast<size_t>(query.page_size)) {
    found.pop_back();
    response.set_next_page_token(base::EncodePageToken(query.fingerprint, found.back().sort_key));
  }
  for (const Candidate& device : found) {
    ASSIGN_OR_RETURN(*response.add_devices(), ToProto(device.uuid, device.rows, names));
  }
  return response;
}

absl::StatusOr<v1::Device> GetDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                     const v1::GetDeviceRequest& request, std::string_view opening) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(request.device_uuid());
  if (!uuid.has_value()) return errors::InvalidArgument("device_uuid", "is no UUID");
  ASSIGN_OR_RETURN(DeviceRows rows, ReadDeviceRows(reader, tenant, *uuid));
  if (!rows.device.has_value()) return errors::DeviceUnknown(uuid->ToString());
  FailCallOfEarlierOpening(opening, rows);
  Names names(reader, tenant);
  return ToProto(*uuid, rows, names);
}

}  // namespace caresync::devices

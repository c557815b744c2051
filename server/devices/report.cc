#include "server/devices/report.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "server/devices/names.h"
#include "server/devices/report_query.h"
#include "server/tenants/tenants.h"
#include "storage/tuple.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;

struct Candidate {
  std::string sort_key;
  base::Uuid uuid;
  DeviceRows rows;
};

bool PassesFilters(const Query& query, const DeviceRows& rows) {
  if (!query.branch_id.empty() && rows.device->branch_id() != query.branch_id) return false;
  if (query.last_api_call != v1::CALL_STATE_UNSPECIFIED &&
      (!rows.call.has_value() || rows.call->state() != query.last_api_call)) {
    return false;
  }
  if (query.never_synced && rows.report.has_value() && rows.report->last_success_us() != 0) return false;
  if (!query.carer.has_value()) return true;
  const std::vector<std::string> users = CarersOf(rows);
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
  for (const std::string& user : CarersOf(device.rows)) {
    ASSIGN_OR_RETURN(const std::string name, names.Carer(user));
    if (Contains(name, search)) return true;
  }
  return false;
}

// Sorts as the order asks for, ties by UUID; texts without regard to ASCII case, what is absent first.
absl::StatusOr<std::string> SortKey(Order order, const Candidate& device, ReportRows& report) {
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
      ASSIGN_OR_RETURN(const std::string branch, report.names().Branch(rows.device->branch_id()));
      key.String(absl::AsciiStrToLower(branch));
      break;
    }
    case Order::kLastCall:
      key.Uint64(rows.call.has_value() ? static_cast<uint64_t>(rows.call->time_us()) : 0);
      break;
    case Order::kLastSuccess:
      key.Uint64(rows.report.has_value() ? static_cast<uint64_t>(rows.report->last_success_us()) : 0);
      break;
    case Order::kState: {
      ASSIGN_OR_RETURN(const v1::DeviceState state, report.StateOf(rows));
      key.Byte(static_cast<uint8_t>(state));
      break;
    }
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

  // Whether what sorts after all that is kept is of no use.
  bool IsFull() const { return kept_.size() > static_cast<size_t>(query_.page_size); }

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

absl::Status OfferIfWanted(const base::TenantId& tenant, const Query& query, const base::Uuid& uuid, DeviceRows rows,
                           const AsOf& as_of, ReportRows& report, Page& page) {
  // A row that a call left without a device that anybody enrolled is none of the report's.
  if (!rows.device.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(FailCallThatIsOver(as_of.syncs, tenant, uuid, rows));
  if (!PassesFilters(query, rows)) return absl::OkStatus();
  Candidate device{"", uuid, std::move(rows)};
  ASSIGN_OR_RETURN(const bool matches, MatchesSearch(query.search, device, report.names()));
  if (!matches) return absl::OkStatus();
  if (query.state != v1::DEVICE_STATE_UNSPECIFIED) {
    ASSIGN_OR_RETURN(const v1::DeviceState state, report.StateOf(device.rows));
    if (state != query.state) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(device.sort_key, SortKey(query.order, device, report));
  page.Offer(std::move(device));
  return absl::OkStatus();
}

// Whether the devices of the list lie in the store in its order: a page is read from where it begins to where it is
// full. In any other order each page reads them all.
bool IsInOrderOfKeys(const Query& query) { return query.order == Order::kUuid && !query.descending; }

absl::StatusOr<storage::KeyRange> RowsOfPage(const base::TenantId& tenant, const Query& query) {
  if (!IsInOrderOfKeys(query) || query.after.empty()) return base::keys::DeviceRows(tenant, nullptr);
  const std::optional<base::Uuid> after = base::Uuid::FromBytes(query.after);
  if (!after.has_value()) return errors::PageTokenNotValid();
  return base::keys::DeviceRows(tenant, &*after);
}

// Reads the devices' rows, which lie side by side, and offers each device to the page.
absl::Status OfferAll(const storage::Reader& reader, const base::TenantId& tenant, const Query& query,
                      const AsOf& as_of, ReportRows& report, Page& page) {
  ASSIGN_OR_RETURN(const storage::KeyRange range, RowsOfPage(tenant, query));
  std::optional<base::Uuid> current;
  DeviceRows rows;
  absl::Status status;
  const auto is_full = [&] { return IsInOrderOfKeys(query) && page.IsFull(); };
  const auto visit = [&](std::string_view key, std::string_view value) {
    base::Uuid uuid;
    base::keys::DevicePart part{};
    if (!base::keys::ParseDeviceRow(key, &uuid, &part)) {
      status = errors::DamagedRow("a device's key");
      return false;
    }
    if (current.has_value() && uuid != *current) {
      status = OfferIfWanted(tenant, query, *current, std::exchange(rows, {}), as_of, report, page);
      if (is_full()) return false;
    }
    current = uuid;
    if (status.ok()) status = AddPart(static_cast<uint8_t>(part), value, rows);
    return status.ok();
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, range, std::numeric_limits<size_t>::max(), visit));
  RETURN_IF_ERROR(status);
  if (!current.has_value() || is_full()) return absl::OkStatus();
  return OfferIfWanted(tenant, query, *current, std::move(rows), as_of, report, page);
}

}  // namespace

absl::StatusOr<v1::ListDevicesResponse> ListDevices(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const v1::ListDevicesRequest& request, const AsOf& as_of) {
  ASSIGN_OR_RETURN(const Query query, ReadQuery(request));
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  ReportRows report(reader, tenant, preferences, as_of);
  Page page(query);
  RETURN_IF_ERROR(OfferAll(reader, tenant, query, as_of, report, page));

  v1::ListDevicesResponse response;
  std::vector<Candidate> found = std::move(page).Take();
  if (found.size() > static_cast<size_t>(query.page_size)) {
    found.pop_back();
    response.set_next_page_token(base::EncodePageToken(query.fingerprint, found.back().sort_key));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    v1::Device& row = *response.add_devices();
    ASSIGN_OR_RETURN(row, report.RowOf(found[i].uuid, found[i].rows));
    bytes += row.ByteSizeLong();
    if (bytes > base::limits::kRecordBytes && i + 1 < found.size()) {
      response.set_next_page_token(base::EncodePageToken(query.fingerprint, found[i].sort_key));
      break;
    }
  }
  return response;
}

absl::StatusOr<v1::Device> GetDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                     const v1::GetDeviceRequest& request, const AsOf& as_of) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(request.device_uuid());
  if (!uuid.has_value()) return errors::InvalidArgument("device_uuid", "is no UUID");
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  ASSIGN_OR_RETURN(DeviceRows rows, ReadDeviceRows(reader, tenant, *uuid));
  if (!rows.device.has_value()) return errors::DeviceUnknown(uuid->ToString());
  RETURN_IF_ERROR(FailCallThatIsOver(as_of.syncs, tenant, *uuid, rows));
  return ReportRows(reader, tenant, preferences, as_of).RowOf(*uuid, rows);
}

}  // namespace caresync::devices

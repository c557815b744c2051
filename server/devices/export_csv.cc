#include "server/devices/export_csv.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/devices/device_state.h"
#include "server/devices/report.h"
#include "server/tenants/tenants.h"

namespace caresync::devices {
namespace {

constexpr char kNever[] = "Never";

std::string Cell(std::string text) {
  constexpr std::string_view kBeginsFormula = "=+-@\t\r\n";
  if (!text.empty() && kBeginsFormula.find(text.front()) != std::string_view::npos) text.insert(text.begin(), '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string TimeOr(const char* otherwise, bool was, const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  if (!was) return otherwise;
  return absl::FormatTime("%Y-%m-%d %H:%M:%S%Ez", base::FromTimestamp(time).value_or(absl::UnixEpoch()), zone);
}

std::string CallText(const v1::Device& device) {
  switch (device.last_api_call()) {
    case v1::CALL_STATE_SUCCEEDED:
      return "succeeded";
    case v1::CALL_STATE_FAILED:
      return device.last_api_call_reason().empty() ? "failed" : absl::StrCat("failed: ", device.last_api_call_reason());
    case v1::CALL_STATE_UNDER_WAY:
      return "under way";
    default:
      return kNever;
  }
}

// The users, not others who are listed because of a copy that is to be dropped.
std::string UserNames(const v1::Device& device) {
  std::vector<std::string> names;
  for (const v1::DeviceUser& user : device.users()) {
    if (user.is_user()) names.push_back(user.carer_name());
  }
  return absl::StrJoin(names, ", ");
}

std::string HeaderLine() {
  return CsvLine({"Branch", "Users", "Device name", "App version", "UUID", "Last API call time",
                  "Last API call success", "Last successful sync", "Manual sync due since",
                  "Successful syncs in 7 days", "Clean syncs in 30 days", "State", "Reason"});
}

std::string LineOf(const v1::Device& device, absl::TimeZone zone) {
  return CsvLine({device.branch_name(), UserNames(device), device.device_name(), device.app_version(),
                  device.device_uuid(),
                  TimeOr(kNever, device.has_last_api_call_time(), device.last_api_call_time(), zone), CallText(device),
                  TimeOr(kNever, device.has_last_successful_sync_time(), device.last_successful_sync_time(), zone),
                  TimeOr("", device.has_manual_sync_due_since_time(), device.manual_sync_due_since_time(), zone),
                  absl::StrCat(device.successful_syncs_7_days()), absl::StrCat(device.clean_syncs_30_days()),
                  StateText(device.state()), device.state_reason()});
}

}  // namespace

std::string CsvLine(const std::vector<std::string>& cells) {
  return absl::StrCat(
      absl::StrJoin(cells, ",", [](std::string* out, const std::string& cell) { absl::StrAppend(out, Cell(cell)); }),
      "\r\n");
}

absl::StatusOr<DeviceExport> DeviceExport::Open(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::ExportDevicesRequest& request, AsOf as_of) {
  if (request.list().page_size() != 0) return base::errors::InvalidArgument("list.page_size", "is set; leave it out");
  if (!request.list().page_token().empty()) {
    return base::errors::InvalidArgument("list.page_token", "is set; leave it out");
  }
  ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(reader, tenant));
  absl::TimeZone zone = absl::UTCTimeZone();
  absl::LoadTimeZone(preferences.time_zone(), &zone);
  v1::ListDevicesRequest list = request.list();
  list.set_page_size(base::limits::kPageSizeMost);
  DeviceExport opened(reader, tenant, std::move(list), std::move(as_of), zone);
  // What is wrong with the request is said before anything is written.
  RETURN_IF_ERROR(opened.ReadPage());
  return opened;
}

DeviceExport::DeviceExport(const storage::Reader& reader, base::TenantId tenant, v1::ListDevicesRequest list,
                           AsOf as_of, absl::TimeZone zone)
    : reader_(reader),
      tenant_(std::move(tenant)),
      list_(std::move(list)),
      as_of_(std::move(as_of)),
      zone_(zone),
      line_(HeaderLine()) {}

absl::Status DeviceExport::ReadPage() {
  ASSIGN_OR_RETURN(page_, ListDevices(reader_, tenant_, list_, as_of_));
  next_ = 0;
  pages_left_ = !page_.next_page_token().empty();
  list_.set_page_token(page_.next_page_token());
  return absl::OkStatus();
}

absl::StatusOr<std::string> DeviceExport::Next() {
  std::string piece;
  while (true) {
    if (line_.empty() && next_ == page_.devices_size() && pages_left_) RETURN_IF_ERROR(ReadPage());
    if (line_.empty() && next_ < page_.devices_size()) line_ = LineOf(page_.devices(next_++), zone_);
    if (line_.empty()) return piece;
    if (!piece.empty() && piece.size() + line_.size() > base::limits::kExportPieceBytes) return piece;
    piece += std::exchange(line_, std::string());
  }
}

}  // namespace caresync::devices

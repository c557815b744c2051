#include "tools/caresync/device_tables.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

std::string TimeOr(const char* otherwise, bool was, const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return was ? PeopleTime(ToTime(time), zone) : otherwise;
}

std::string TimeOrNever(bool was, const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return TimeOr("Never", was, time, zone);
}

// Of a device, or of one of its users.
template <typename Row>
Cell ManualDueCell(const Row& row, absl::TimeZone zone) {
  return {TimeOr("", row.has_manual_sync_due_since_time(), row.manual_sync_due_since_time(), zone), Colour::kYellow};
}

Cell CallCell(const v1::Device& device) {
  switch (device.last_api_call()) {
    case v1::CALL_STATE_SUCCEEDED:
      return {"succeeded", Colour::kGreen};
    case v1::CALL_STATE_FAILED:
      return {"failed", Colour::kRed};
    case v1::CALL_STATE_UNDER_WAY:
      return {"under way", Colour::kYellow};
    default:
      return {"Never", Colour::kDim};
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

Colour ColourOf(v1::DeviceState state) {
  switch (state) {
    case v1::DEVICE_STATE_CURRENT:
      return Colour::kGreen;
    case v1::DEVICE_STATE_BEHIND:
    case v1::DEVICE_STATE_MANUAL_SYNC_DUE:
    case v1::DEVICE_STATE_OVERDUE:
      return Colour::kYellow;
    case v1::DEVICE_STATE_UNSPECIFIED:
      return Colour::kDim;
    default:
      return Colour::kRed;
  }
}

Cell StateCell(v1::DeviceState state) {
  if (state == v1::DEVICE_STATE_UNSPECIFIED) return "";
  std::string text = EnumText(v1::DeviceState_Name(state), "DEVICE_STATE_");
  std::replace(text.begin(), text.end(), '_', ' ');
  return {text, ColourOf(state)};
}

// Whether the carer's data is still on the device, where it should not be.
Cell DropCell(const v1::DeviceUser& user, absl::TimeZone zone) {
  switch (user.drop_state()) {
    case v1::DROP_STATE_PENDING:
      return {"to be dropped", Colour::kYellow};
    case v1::DROP_STATE_DROPPED:
      return {absl::StrCat("dropped ", PeopleTime(ToTime(user.dropped_time()), zone)), Colour::kGreen};
    default:
      return user.is_user() ? "" : "no user any more";
  }
}

}  // namespace

void PrintDevices(const std::vector<v1::Device>& devices, absl::TimeZone zone) {
  std::vector<std::vector<Cell>> rows;
  for (const v1::Device& device : devices) {
    const bool synced = device.has_last_successful_sync_time();
    rows.push_back(
        {device.branch_name(),
         UserNames(device),
         TimeOrNever(device.has_last_api_call_time(), device.last_api_call_time(), zone),
         CallCell(device),
         {TimeOrNever(synced, device.last_successful_sync_time(), zone), synced ? Colour::kPlain : Colour::kYellow},
         ManualDueCell(device, zone),
         device.device_name(),
         device.app_version(),
         device.device_uuid(),
         absl::StrCat(device.successful_syncs_7_days()),
         absl::StrCat(device.clean_syncs_30_days()),
         StateCell(device.state()),
         device.state_reason()});
  }
  std::cout << FormatTable({"Branch", "Users", "Last API call time", "Last API call success", "Last successful sync",
                            "Manual sync due since", "Device name", "App version", "UUID", "Syncs in 7 days",
                            "Clean in 30 days", "State", "Reason"},
                           rows, LookOf(STDOUT_FILENO));
}

void PrintDevice(const v1::Device& device, absl::TimeZone zone) {
  const bool colour = UsesColour(STDOUT_FILENO);
  const auto field = [&](const std::string& label, const std::string& value) {
    std::cout << Paint(absl::StrCat(label, std::string(24 - label.size(), ' ')), Colour::kDim, colour)
              << Printable(value) << "\n";
  };
  const Cell call = CallCell(device);
  const Cell state = StateCell(device.state());
  field("UUID", device.device_uuid());
  field("Device name", device.device_name());
  field("App version", device.app_version());
  field("Branch", device.branch_name());
  field("Enrolled", TimeOrNever(device.has_enrolled_time(), device.enrolled_time(), zone));
  field("Last API call time", TimeOrNever(device.has_last_api_call_time(), device.last_api_call_time(), zone));
  field("Last API call success", device.last_api_call_reason().empty()
                                     ? call.text
                                     : absl::StrCat(call.text, ": ", device.last_api_call_reason()));
  field("Last successful sync",
        TimeOrNever(device.has_last_successful_sync_time(), device.last_successful_sync_time(), zone));
  field("Manual sync due since", ManualDueCell(device, zone).text);
  if (device.has_wake_asked_time()) {
    field("Asked to sync", PeopleTime(ToTime(device.wake_asked_time()), zone));
    field("Push service took it", TimeOrNever(device.has_last_woken_time(), device.last_woken_time(), zone));
  }
  field("Syncs in 7 days", absl::StrCat(device.successful_syncs_7_days()));
  field("Clean syncs in 30 days", absl::StrCat(device.clean_syncs_30_days()));
  field("Missing event numbers", absl::StrCat(device.missing_event_numbers()));
  field("Take-overs", absl::StrCat(device.take_overs()));
  std::cout << Paint(absl::StrCat("State", std::string(19, ' ')), Colour::kDim, colour)
            << Paint(state.text, state.colour, colour) << "\n";
  field("Reason", device.state_reason());
  if (device.users().empty()) {
    std::cout << "\nNobody uses this device. Give it a user: caresync device users UUID CARER\n";
    return;
  }
  std::vector<std::vector<Cell>> rows;
  for (const v1::DeviceUser& user : device.users()) {
    rows.push_back(
        {user.carer_name(), TimeOrNever(user.has_last_successful_sync_time(), user.last_successful_sync_time(), zone),
         ManualDueCell(user, zone), absl::StrCat(user.acknowledged_revision()), user.carer_id(),
         StateCell(user.state()), user.state() == v1::DEVICE_STATE_BEHIND ? absl::StrCat(user.behind_by()) : "",
         DropCell(user, zone)});
  }
  std::cout << "\n"
            << FormatTable({"User", "Last successful sync", "Manual sync due since", "Revision", "Carer ID", "State",
                            "Behind by", "Data"},
                           rows, LookOf(STDOUT_FILENO));
}

namespace {

Cell OutcomeCell(const v1::SyncSummary& sync) {
  std::string text = EnumText(v1::SyncOutcome_Name(sync.outcome()), "SYNC_OUTCOME_");
  if (!sync.reason().empty()) absl::StrAppend(&text, ": ", sync.reason());
  if (sync.interruption() != v1::INTERRUPTION_CAUSE_UNSPECIFIED) {
    absl::StrAppend(&text, " (", EnumText(v1::InterruptionCause_Name(sync.interruption()), "INTERRUPTION_CAUSE_"), ")");
  }
  switch (sync.outcome()) {
    case v1::SYNC_OUTCOME_SUCCEEDED:
      return {text, Colour::kGreen};
    case v1::SYNC_OUTCOME_UNDER_WAY:
      return {text, Colour::kYellow};
    default:
      return {text, Colour::kRed};
  }
}

// From the tenant's last revision when it began to the one it was caught up at.
std::string RevisionsText(const v1::SyncSummary& sync) {
  return sync.end_revision() == 0 ? "-" : absl::StrCat(sync.start_revision(), "-", sync.end_revision());
}

Cell OtherEndCell(const v1::SyncSummary& sync, SyncsOf of, const std::map<std::string, std::string>& carer_names) {
  if (of == SyncsOf::kCarer) return {sync.device_uuid(), Colour::kDim};
  const auto name = carer_names.find(sync.carer_id());
  if (name == carer_names.end() || name->second.empty()) return {sync.carer_id(), Colour::kDim};
  return name->second;
}

}  // namespace

void PrintSyncs(const std::vector<v1::SyncSummary>& syncs, SyncsOf of,
                const std::map<std::string, std::string>& carer_names, absl::TimeZone zone) {
  std::vector<std::vector<Cell>> rows;
  for (const v1::SyncSummary& sync : syncs) {
    const absl::Time start = ToTime(sync.start_time());
    const std::string took =
        sync.has_end_time() ? absl::FormatDuration(absl::Trunc(ToTime(sync.end_time()) - start, absl::Milliseconds(1)))
                            : "";
    rows.push_back({PeopleTime(start, zone),
                    took,
                    EnumText(v1::SyncType_Name(sync.sync_type()), "SYNC_TYPE_"),
                    OutcomeCell(sync),
                    EnumText(v1::SyncStage_Name(sync.stage()), "SYNC_STAGE_"),
                    absl::StrCat(sync.upserts_sent()),
                    absl::StrCat(sync.removals_sent()),
                    absl::StrCat(sync.bytes_sent()),
                    absl::StrCat(sync.events_accepted(), "/", sync.events_received()),
                    RevisionsText(sync),
                    OtherEndCell(sync, of, carer_names),
                    {sync.session_id(), Colour::kDim}});
  }
  std::cout << FormatTable({"Started", "Took", "Type", "Outcome", "Stage", "Records", "Removals", "Bytes", "Events",
                            "Revisions", of == SyncsOf::kDevice ? "Carer" : "Device", "Session"},
                           rows, LookOf(STDOUT_FILENO));
}

}  // namespace caresync::cli

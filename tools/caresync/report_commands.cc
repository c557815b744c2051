#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "caresync/v1/devices.grpc.pb.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ReportWish {
  std::string search;
  std::string branch;
  std::string carer;
  std::string state;
  std::string order_by;
  bool never_synced = false;
};

struct UpdateWish {
  std::string uuid;
  std::optional<std::string> branch;
  std::optional<std::string> users;
  bool enrol = false;
};

struct SyncsWish {
  std::string uuid;
  int most = 20;
};

std::string TimeOrNever(bool was, const google::protobuf::Timestamp& time) {
  return was ? PeopleTime(ToTime(time), absl::LocalTimeZone()) : "Never";
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

std::string UserNames(const v1::Device& device) {
  return absl::StrJoin(device.users(), ", ",
                       [](std::string* out, const v1::DeviceUser& user) { absl::StrAppend(out, user.carer_name()); });
}

void PrintDevices(const std::vector<v1::Device>& devices) {
  std::vector<std::vector<Cell>> rows;
  for (const v1::Device& device : devices) {
    const bool synced = device.has_last_successful_sync_time();
    rows.push_back(
        {device.branch_name(),
         UserNames(device),
         TimeOrNever(device.has_last_api_call_time(), device.last_api_call_time()),
         CallCell(device),
         {TimeOrNever(synced, device.last_successful_sync_time()), synced ? Colour::kPlain : Colour::kYellow},
         device.device_name(),
         device.app_version(),
         device.device_uuid()});
  }
  std::cout << FormatTable({"Branch", "Users", "Last API call time", "Last API call success", "Last successful sync",
                            "Device name", "App version", "UUID"},
                           rows, UsesColour(STDOUT_FILENO));
}

absl::StatusOr<v1::CallState> ParseState(const std::string& text) {
  static const auto* const states = new std::map<std::string, v1::CallState>{{"", v1::CALL_STATE_UNSPECIFIED},
                                                                             {"succeeded", v1::CALL_STATE_SUCCEEDED},
                                                                             {"failed", v1::CALL_STATE_FAILED},
                                                                             {"under-way", v1::CALL_STATE_UNDER_WAY}};
  const auto state = states->find(text);
  if (state == states->end()) {
    return errors::Usage(absl::StrCat("--state ", text, ": give succeeded, failed or under-way"));
  }
  return state->second;
}

absl::StatusOr<ExitCode> ListDevices(const Options& options, const ReportWish& wish) {
  const Connection connection(options);
  v1::ListDevicesRequest request;
  request.set_page_size(1000);
  request.set_search(wish.search);
  request.set_order_by(wish.order_by);
  request.set_never_synced(wish.never_synced);
  ASSIGN_OR_RETURN(const v1::CallState state, ParseState(wish.state));
  request.set_last_api_call(state);
  if (!wish.branch.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_branch_id(), FindBranch(connection, wish.branch));
  }
  if (!wish.carer.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  }
  std::vector<v1::Device> devices;
  do {
    ASSIGN_OR_RETURN(const v1::ListDevicesResponse page,
                     connection.Call(Caller(), &v1::DeviceService::Stub::ListDevices, request));
    devices.insert(devices.end(), page.devices().begin(), page.devices().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) {
    PrintDevices(devices);
    return 0;
  }
  Json list = Json::array();
  for (const v1::Device& device : devices) list.push_back(ToJson(device));
  PrintJson({{"devices", list}});
  return 0;
}

void PrintDevice(const v1::Device& device) {
  const bool colour = UsesColour(STDOUT_FILENO);
  const auto field = [&](const std::string& label, const std::string& value) {
    std::cout << Paint(absl::StrCat(label, std::string(24 - label.size(), ' ')), Colour::kDim, colour)
              << Printable(value) << "\n";
  };
  const Cell call = CallCell(device);
  field("UUID", device.device_uuid());
  field("Device name", device.device_name());
  field("App version", device.app_version());
  field("Branch", device.branch_name());
  field("Enrolled", TimeOrNever(device.has_enrolled_time(), device.enrolled_time()));
  field("Last API call time", TimeOrNever(device.has_last_api_call_time(), device.last_api_call_time()));
  field("Last API call success", device.last_api_call_reason().empty()
                                     ? call.text
                                     : absl::StrCat(call.text, ": ", device.last_api_call_reason()));
  field("Last successful sync",
        TimeOrNever(device.has_last_successful_sync_time(), device.last_successful_sync_time()));
  field("Missing event numbers", absl::StrCat(device.missing_event_numbers()));
  field("Take-overs", absl::StrCat(device.take_overs()));
  if (device.users().empty()) {
    std::cout << "\nNobody uses this device. Give it a user: caresync device update UUID --users CARER\n";
    return;
  }
  std::vector<std::vector<Cell>> rows;
  for (const v1::DeviceUser& user : device.users()) {
    rows.push_back({user.carer_name(),
                    TimeOrNever(user.has_last_successful_sync_time(), user.last_successful_sync_time()),
                    absl::StrCat(user.acknowledged_revision()), user.carer_id()});
  }
  std::cout << "\n" << FormatTable({"User", "Last successful sync", "Revision", "Carer ID"}, rows, colour);
}

absl::StatusOr<std::string> DeviceUuid(const std::string& text) {
  const auto uuid = base::Uuid::Parse(text);
  if (!uuid) return errors::Usage(absl::StrCat(text, " is not a device's UUID"));
  return uuid->ToString();
}

ExitCode TellDevice(const Options& options, const v1::Device& device) {
  if (options.json) {
    PrintJson(ToJson(device));
  } else {
    PrintDevice(device);
  }
  return 0;
}

absl::StatusOr<ExitCode> ShowDevice(const Options& options, const std::string& uuid) {
  const Connection connection(options);
  v1::GetDeviceRequest request;
  ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(uuid));
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::GetDevice, request));
  return TellDevice(options, device);
}

absl::StatusOr<ExitCode> UpdateDevice(const Options& options, const UpdateWish& wish) {
  const Connection connection(options);
  v1::UpdateDeviceRequest request;
  ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(wish.uuid));
  request.set_allow_missing(wish.enrol);
  if (wish.branch) {
    request.set_set_branch(true);
    if (!wish.branch->empty()) {
      ASSIGN_OR_RETURN(*request.mutable_branch_id(), FindBranch(connection, *wish.branch));
    }
  }
  if (wish.users) {
    request.set_set_users(true);
    for (const std::string& user : CLI::detail::split(*wish.users, ',')) {
      if (user.empty()) continue;
      ASSIGN_OR_RETURN(*request.add_carer_ids(), FindCarer(connection, user));
    }
  }
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::UpdateDevice, request));
  return TellDevice(options, device);
}

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

void PrintSyncs(const std::vector<v1::SyncSummary>& syncs) {
  std::vector<std::vector<Cell>> rows;
  for (const v1::SyncSummary& sync : syncs) {
    const absl::Time start = ToTime(sync.start_time());
    const std::string took =
        sync.has_end_time() ? absl::FormatDuration(absl::Trunc(ToTime(sync.end_time()) - start, absl::Milliseconds(1)))
                            : "";
    rows.push_back({PeopleTime(start, absl::LocalTimeZone()),
                    took,
                    EnumText(v1::SyncType_Name(sync.sync_type()), "SYNC_TYPE_"),
                    OutcomeCell(sync),
                    EnumText(v1::SyncStage_Name(sync.stage()), "SYNC_STAGE_"),
                    absl::StrCat(sync.upserts_sent()),
                    absl::StrCat(sync.removals_sent()),
                    absl::StrCat(sync.bytes_sent()),
                    absl::StrCat(sync.events_accepted(), "/", sync.events_received()),
                    absl::StrCat(sync.start_revision(), "-", sync.end_revision()),
                    {sync.session_id(), Colour::kDim}});
  }
  std::cout << FormatTable(
      {"Started", "Took", "Type", "Outcome", "Stage", "Records", "Removals", "Bytes", "Events", "Revisions", "Session"},
      rows, UsesColour(STDOUT_FILENO));
}

absl::StatusOr<ExitCode> ListSyncs(const Options& options, const SyncsWish& wish) {
  if (wish.most < 1) return errors::Usage("--most must be at least 1");
  const Connection connection(options);
  v1::ListSyncsRequest request;
  ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(wish.uuid));
  std::vector<v1::SyncSummary> syncs;
  do {
    request.set_page_size(std::min<int>(1000, wish.most - static_cast<int>(syncs.size())));
    ASSIGN_OR_RETURN(const v1::ListSyncsResponse page,
                     connection.Call(Caller(), &v1::DeviceService::Stub::ListSyncs, request));
    syncs.insert(syncs.end(), page.syncs().begin(), page.syncs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && static_cast<int>(syncs.size()) < wish.most);
  if (!options.json) {
    PrintSyncs(syncs);
    return 0;
  }
  Json list = Json::array();
  for (const v1::SyncSummary& sync : syncs) list.push_back(ToJson(sync));
  PrintJson({{"syncs", list}});
  return 0;
}

void AddReport(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("devices", "The user device relationship report");
  command->footer(
      "Examples:\n  caresync devices --tenant demo --never-synced\n"
      "  caresync devices --tenant demo --branch \"Rome 003\" --order-by \"last_successful_sync_time desc\"");
  const auto wish = std::make_shared<ReportWish>();
  command->add_option("--search", wish->search, "In the UUID, device name, app version, branch or a user's name");
  command->add_option("--branch", wish->branch, "Only this branch: its name or ID");
  command->add_option("--carer", wish->carer, "Only devices of this carer: ID or external ID");
  command->add_option("--state", wish->state, "Only these whose last call: succeeded, failed or under-way");
  command->add_option("--order-by", wish->order_by,
                      "device_uuid, device_name, app_version, branch_name, last_api_call_time or "
                      "last_successful_sync_time; \" desc\" may follow");
  command->add_flag("--never-synced", wish->never_synced, "Only devices that never completed a sync");
  command->callback([&line, wish] { line.run = [&line, wish] { return ListDevices(line.options, *wish); }; });
}

void AddUpdate(CLI::App& group, CommandLine& line) {
  CLI::App* command = group.add_subcommand("update", "Enrol a device, set its branch and its users");
  command->footer(
      "Example:\n  caresync device update 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --enrol --users 003-rome/c1 "
      "--tenant demo");
  const auto wish = std::make_shared<UpdateWish>();
  command->add_option("UUID", wish->uuid, "The device")->required();
  command->add_option("--branch", wish->branch, "The branch's name or ID; \"\" for none");
  command->add_option("--users", wish->users, "The carers who use it, with commas between them; \"\" for nobody");
  command->add_flag("--enrol", wish->enrol, "Make the device known where it is not yet");
  command->callback([&line, wish] { line.run = [&line, wish] { return UpdateDevice(line.options, *wish); }; });
}

}  // namespace

CLI::App& AddDeviceGroup(CLI::App& app) { return *app.add_subcommand("device", "Show and set up devices, or be one"); }

void AddReportCommands(CLI::App& app, CLI::App& group, CommandLine& line) {
  AddReport(app, line);
  const auto uuid = std::make_shared<std::string>();
  CLI::App* show = group.add_subcommand("show", "Show one device");
  show->add_option("UUID", *uuid, "The device")->required();
  show->callback([&line, uuid] { line.run = [&line, uuid] { return ShowDevice(line.options, *uuid); }; });
  AddUpdate(group, line);

  const auto wish = std::make_shared<SyncsWish>();
  CLI::App* syncs = app.add_subcommand("syncs", "A device's syncs, newest first");
  syncs->add_option("UUID", wish->uuid, "The device")->required();
  syncs->add_option("--most", wish->most, "How many")->capture_default_str();
  syncs->callback([&line, wish] { line.run = [&line, wish] { return ListSyncs(line.options, *wish); }; });
}

}  // namespace caresync::cli

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "caresync/v1/devices.grpc.pb.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/device_tables.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ReportWish {
  std::string search;
  std::string branch;
  std::string carer;
  std::string last_call;
  std::string state;
  std::string order_by;
  bool never_synced = false;
  // Empty: no file is written.
  std::string csv;
};

struct UpdateWish {
  std::string uuid;
  std::optional<std::string> branch;
  // Each by ID or external ID; empty: nobody. Not given: they stay.
  std::optional<std::vector<std::string>> users;
  std::optional<bool> blocked;
  bool clear_cloned = false;
  bool enrol = false;
};

struct SyncsWish {
  std::string uuid;
  std::string carer;
  int most = 20;
};

absl::StatusOr<v1::CallState> ParseLastCall(const std::string& text) {
  static const auto* const states = new std::map<std::string, v1::CallState>{{"", v1::CALL_STATE_UNSPECIFIED},
                                                                             {"succeeded", v1::CALL_STATE_SUCCEEDED},
                                                                             {"failed", v1::CALL_STATE_FAILED},
                                                                             {"under-way", v1::CALL_STATE_UNDER_WAY}};
  const auto state = states->find(text);
  if (state == states->end()) {
    return errors::Usage(absl::StrCat("--last-call ", text, ": give succeeded, failed or under-way"));
  }
  return state->second;
}

// "manual-sync-due" and the like.
absl::StatusOr<v1::DeviceState> ParseState(std::string text) {
  if (text.empty()) return v1::DEVICE_STATE_UNSPECIFIED;
  const std::string given = text;
  std::replace(text.begin(), text.end(), '-', '_');
  v1::DeviceState state = v1::DEVICE_STATE_UNSPECIFIED;
  const std::string name = absl::StrCat("DEVICE_STATE_", absl::AsciiStrToUpper(text));
  if (v1::DeviceState_Parse(name, &state) && state != v1::DEVICE_STATE_UNSPECIFIED) return state;
  return errors::Usage(absl::StrCat("--state ", given,
                                    ": give current, behind, manual-sync-due, overdue, failing, diverged, "
                                    "never-synced, too-old, no-user or blocked"));
}

absl::StatusOr<v1::ListDevicesRequest> ReportRequest(const Connection& connection, const ReportWish& wish) {
  v1::ListDevicesRequest request;
  request.set_search(wish.search);
  request.set_order_by(wish.order_by);
  request.set_never_synced(wish.never_synced);
  ASSIGN_OR_RETURN(const v1::CallState last_call, ParseLastCall(wish.last_call));
  request.set_last_api_call(last_call);
  ASSIGN_OR_RETURN(const v1::DeviceState state, ParseState(wish.state));
  request.set_state(state);
  if (!wish.branch.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_branch_id(), FindBranch(connection, wish.branch));
  }
  if (!wish.carer.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  }
  return request;
}

// Writes the pieces of the file as they come, until `out` takes no more.
absl::Status WriteCsv(const Connection& connection, const v1::ListDevicesRequest& list, std::ostream& out) {
  grpc::ClientContext context;
  RETURN_IF_ERROR(connection.Prepare(Caller(), absl::Minutes(10), context));
  v1::ExportDevicesRequest request;
  *request.mutable_list() = list;
  v1::DeviceService::Stub stub(connection.channel());
  const auto stream = stub.ExportDevices(&context, request);
  v1::ExportDevicesResponse response;
  while (out && stream->Read(&response)) out << response.csv();
  out << std::flush;
  if (out) return connection.Result(stream->Finish());
  context.TryCancel();
  stream->Finish();
  // What `out` is says why.
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> ExportDevices(const Connection& connection, const v1::ListDevicesRequest& list,
                                       const std::string& file) {
  if (file == "-") {
    RETURN_IF_ERROR(WriteCsv(connection, list, std::cout));
    RETURN_IF_ERROR(FlushOutput());
    return 0;
  }
  RETURN_IF_ERROR(CheckReplaceable(file));
  // Half a report never stands under the name.
  const std::string part = file + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  if (!out) return errors::FileNotWritable(file);
  const absl::Status written = WriteCsv(connection, list, out);
  out.close();
  std::error_code failed;
  if (written.ok() && out) std::filesystem::rename(part, file, failed);
  if (written.ok() && out && !failed) return 0;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  return written.ok() ? errors::FileNotWritable(file) : written;
}

absl::StatusOr<ExitCode> ListDevices(const Options& options, const ReportWish& wish) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(v1::ListDevicesRequest request, ReportRequest(connection, wish));
  if (!wish.csv.empty()) return ExportDevices(connection, request, wish.csv);
  request.set_page_size(1000);
  std::vector<v1::Device> devices;
  RETURN_IF_ERROR(connection.CallPages(Caller(), &v1::DeviceService::Stub::ListDevices, request,
                                       [&](const v1::ListDevicesResponse& page) {
                                         devices.insert(devices.end(), page.devices().begin(), page.devices().end());
                                       }));
  if (!options.json) {
    ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
    PrintDevices(devices, zone);
    return 0;
  }
  Json list = Json::array();
  for (const v1::Device& device : devices) list.push_back(ToJson(device));
  PrintJson({{"devices", list}});
  return 0;
}

absl::StatusOr<std::string> DeviceUuid(const std::string& text) {
  const auto uuid = base::Uuid::Parse(text);
  if (!uuid) return errors::Usage(absl::StrCat(text, " is not a device's UUID"));
  return uuid->ToString();
}

absl::StatusOr<ExitCode> TellDevice(const Connection& connection, const v1::Device& device) {
  if (connection.options().json) {
    PrintJson(ToJson(device));
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  PrintDevice(device, zone);
  return 0;
}

absl::StatusOr<ExitCode> ShowDevice(const Options& options, const std::string& uuid) {
  const Connection connection(options);
  v1::GetDeviceRequest request;
  ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(uuid));
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::GetDevice, request));
  return TellDevice(connection, device);
}

// Of "c1,c2"; "" is nobody. A part that is empty names nobody by mistake.
absl::StatusOr<std::vector<std::string>> ParseUsers(const std::string& text) {
  if (text.empty()) return std::vector<std::string>();
  std::vector<std::string> users = absl::StrSplit(text, ',');
  for (const std::string& user : users) {
    if (!NotEmpty(user).empty()) {
      return errors::Usage(absl::StrCat("--users \"", text, "\": a carer between its commas is empty"));
    }
  }
  return users;
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
    for (const std::string& user : *wish.users) {
      ASSIGN_OR_RETURN(*request.add_carer_ids(), FindCarer(connection, user));
    }
  }
  if (wish.blocked) {
    request.set_set_blocked(true);
    request.set_blocked(*wish.blocked);
  }
  request.set_clear_cloned(wish.clear_cloned);
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::UpdateDevice, request));
  return TellDevice(connection, device);
}

std::string WhoWasAsked(const v1::RequestSyncResponse& asked, absl::TimeZone zone) {
  if (asked.told()) return "the device is connected and was told to sync";
  if (!asked.wake_asked()) {
    return "the device is not connected, and is told in its next sync: the tenant has no push service that could wake "
           "it (caresync tenant set --push-webhook)";
  }
  const std::string last = asked.has_last_woken_time() ? absl::StrCat("it last took such a notice at ",
                                                                      PeopleTime(ToTime(asked.last_woken_time()), zone))
                                                       : "it has taken no such notice yet";
  return absl::StrCat(
      "the device is not connected, and is told in its next sync; the push service is asked to wake it for that (",
      last, ")");
}

absl::StatusOr<ExitCode> RequestSync(const Options& options, const std::string& uuid) {
  const Connection connection(options);
  v1::RequestSyncRequest request;
  ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(uuid));
  ASSIGN_OR_RETURN(const v1::RequestSyncResponse asked,
                   connection.Call(Caller(), &v1::DeviceService::Stub::RequestSync, request));
  if (options.json) {
    PrintJson(ToJson(asked));
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  std::cout << WhoWasAsked(asked, zone) << "\n";
  return 0;
}

// By record ID, of those whom the report lists of the device; of nobody where `device_uuid` is empty.
absl::StatusOr<std::map<std::string, std::string>> CarerNames(const Connection& connection,
                                                              const std::string& device_uuid) {
  std::map<std::string, std::string> names;
  if (device_uuid.empty()) return names;
  v1::GetDeviceRequest request;
  request.set_device_uuid(device_uuid);
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::GetDevice, request));
  for (const v1::DeviceUser& user : device.users()) names[user.carer_id()] = user.carer_name();
  return names;
}

absl::StatusOr<ExitCode> ListSyncs(const Options& options, const SyncsWish& wish) {
  if (wish.most < 1) return errors::Usage("--most must be at least 1");
  if (wish.uuid.empty() == wish.carer.empty()) return errors::Usage("give either a device's UUID or --carer");
  const Connection connection(options);
  v1::ListSyncsRequest request;
  if (wish.carer.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_device_uuid(), DeviceUuid(wish.uuid));
  } else {
    ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  }
  std::vector<v1::SyncSummary> syncs;
  do {
    request.set_page_size(std::min<int>(1000, wish.most - static_cast<int>(syncs.size())));
    ASSIGN_OR_RETURN(const v1::ListSyncsResponse page,
                     connection.Call(Caller(), &v1::DeviceService::Stub::ListSyncs, request));
    syncs.insert(syncs.end(), page.syncs().begin(), page.syncs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && static_cast<int>(syncs.size()) < wish.most);
  if (!options.json) {
    ASSIGN_OR_RETURN(const auto carer_names, CarerNames(connection, request.device_uuid()));
    ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
    PrintSyncs(syncs, wish.carer.empty() ? SyncsOf::kDevice : SyncsOf::kCarer, carer_names, zone);
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
      "  caresync devices --tenant demo --branch \"Rome 003\" --order-by \"state desc\"\n"
      "  caresync devices --tenant demo --state overdue --csv devices.csv");
  const auto wish = std::make_shared<ReportWish>();
  command->add_option("--search", wish->search, "In the UUID, device name, app version, branch or a user's name");
  command->add_option("--branch", wish->branch, "Only this branch: its name or ID")->check(NotEmpty);
  command->add_option("--carer", wish->carer, "Only devices of this carer: ID or external ID")->check(NotEmpty);
  command->add_option("--last-call", wish->last_call, "Only these whose last call: succeeded, failed or under-way")
      ->check(NotEmpty);
  command
      ->add_option("--state", wish->state,
                   "Only these in this state: current, behind, manual-sync-due, overdue, failing, diverged, "
                   "never-synced, too-old, no-user or blocked")
      ->check(NotEmpty);
  command->add_option("--csv", wish->csv, "Write the report to this file, as CSV; - for the standard output")
      ->check(NotEmpty);
  command->add_option("--order-by", wish->order_by,
                      "device_uuid, device_name, app_version, branch_name, last_api_call_time, "
                      "last_successful_sync_time or state (the worst last); \" desc\" may follow");
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
  const auto users = std::make_shared<std::optional<std::string>>();
  command->add_option("--users", *users, "The carers who use it, with commas between them; \"\" for nobody");
  command->add_flag("--enrol", wish->enrol, "Make the device known where it is not yet");
  command->callback([&line, wish, users] {
    line.run = [&line, wish, users]() -> absl::StatusOr<ExitCode> {
      if (*users) {
        ASSIGN_OR_RETURN(wish->users, ParseUsers(**users));
      }
      return UpdateDevice(line.options, *wish);
    };
  });
}

// A command that does one thing to one device.
void AddSetting(CLI::App& group, CommandLine& line, const std::string& name, const std::string& description,
                const UpdateWish& setting) {
  CLI::App* command = group.add_subcommand(name, description);
  const auto wish = std::make_shared<UpdateWish>(setting);
  command->add_option("UUID", wish->uuid, "The device")->required();
  command->callback([&line, wish] { line.run = [&line, wish] { return UpdateDevice(line.options, *wish); }; });
}

void AddUsers(CLI::App& group, CommandLine& line) {
  CLI::App* command = group.add_subcommand("users", "Say who uses a device; who is left out has its data dropped");
  command->footer(
      "Example:\n  caresync device users 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 003-rome/c1 003-rome/c2 --tenant demo");
  const auto uuid = std::make_shared<std::string>();
  const auto carers = std::make_shared<std::vector<std::string>>();
  command->add_option("UUID", *uuid, "The device")->required();
  command->add_option("CARERS", *carers, "All the carers who use it: IDs or external IDs")->check(NotEmpty);
  const auto nobody = std::make_shared<bool>(false);
  command->add_flag("--nobody", *nobody, "No carer uses it");
  command->callback([&line, uuid, carers, nobody] {
    line.run = [&line, uuid, carers, nobody]() -> absl::StatusOr<ExitCode> {
      if (carers->empty() != *nobody) return errors::Usage("give the carers who use the device, or --nobody");
      UpdateWish wish;
      wish.uuid = *uuid;
      wish.users = *carers;
      return UpdateDevice(line.options, wish);
    };
  });
}

}  // namespace

CLI::App& AddDeviceGroup(CLI::App& app) { return *app.add_subcommand("device", "Show and set up devices, or be one"); }

void AddReportCommands(CLI::App& app, CLI::App& group, CommandLine& line) {
  AddReport(app, line);
  const auto uuid = std::make_shared<std::string>();
  CLI::App* show = group.add_subcommand("show", "Show one device");
  show->add_option("UUID", *uuid, "The device")->required();
  show->callback([&line, uuid] { line.run = [&line, uuid] { return ShowDevice(line.options, *uuid); }; });
  CLI::App* request =
      group.add_subcommand("request-sync", "Ask a device to sync now; one that is not connected is woken");
  request->add_option("UUID", *uuid, "The device")->required();
  request->callback([&line, uuid] { line.run = [&line, uuid] { return RequestSync(line.options, *uuid); }; });
  AddUpdate(group, line);
  AddUsers(group, line);
  UpdateWish block;
  block.blocked = true;
  AddSetting(group, line, "block", "Block a device: it is told to drop its data, and gets nothing", block);
  UpdateWish unblock;
  unblock.blocked = false;
  AddSetting(group, line, "unblock", "Let a blocked device sync again", unblock);
  UpdateWish clear_cloned;
  clear_cloned.clear_cloned = true;
  AddSetting(group, line, "clear-cloned", "Say that one phone alone uses the UUID again", clear_cloned);

  const auto wish = std::make_shared<SyncsWish>();
  CLI::App* syncs = app.add_subcommand("syncs", "A device's or a carer's syncs, newest first");
  syncs->footer(
      "Examples:\n  caresync syncs 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --tenant demo\n"
      "  caresync syncs --carer 003-rome/c1 --tenant demo");
  syncs->add_option("UUID", wish->uuid, "The device")->check(NotEmpty);
  syncs->add_option("--carer", wish->carer, "The carer, on whatever device: ID or external ID")->check(NotEmpty);
  syncs->add_option("--most", wish->most, "How many")->capture_default_str();
  syncs->callback([&line, wish] { line.run = [&line, wish] { return ListSyncs(line.options, *wish); }; });
}

}  // namespace caresync::cli

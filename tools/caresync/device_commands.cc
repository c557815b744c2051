#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/random.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/base/version.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/device_report.h"
#include "tools/caresync/device_store.h"
#include "tools/caresync/device_sync.h"
#include "tools/caresync/device_view.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/stop_signal.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

struct DeviceWish {
  std::string uuid;
  std::string carer;
  std::string state_dir;
};

struct SyncWish {
  std::string name = "caresync command line";
  std::string app_version = base::kVersion;
  std::string timeout = "10m";
  bool clean = false;
  bool automatic = false;
  bool follow = false;
  uint32_t data_level = base::limits::kDataLevel;
  KillPoints kill;
};

// What is recorded, and of which visit.
struct RecordWish {
  std::string visit;
  std::string text;
};

// An open device and its carer's record ID.
struct OpenDevice {
  base::Uuid uuid;
  DeviceStore store;
  std::string carer_id;
};

// External IDs that were found once are remembered, so that a device without a network knows its carer.
absl::StatusOr<std::string> ResolveCarer(const Options& options, const DeviceStore& store, const std::string& text) {
  if (const auto uuid = base::Uuid::Parse(text)) return uuid->ToString();
  const std::string setting = absl::StrCat("carer:", text);
  ASSIGN_OR_RETURN(const std::string known, store.Setting(setting));
  if (!known.empty()) return known;
  ASSIGN_OR_RETURN(const std::string found, FindCarer(Connection(options), text));
  RETURN_IF_ERROR(store.Bind());
  RETURN_IF_ERROR(store.SetSetting(setting, found));
  return found;
}

absl::StatusOr<OpenDevice> OpenDeviceOf(const Options& options, const DeviceWish& wish) {
  const auto uuid = base::Uuid::Parse(wish.uuid);
  if (!uuid) return errors::Usage(absl::StrCat("--uuid ", wish.uuid, " is not a UUID"));
  if (options.tenant.empty()) return errors::Usage("say which tenant, with --tenant or CARESYNC_TENANT");
  const std::string folder = wish.state_dir.empty() ? absl::StrCat(options.data_dir, "/devices") : wish.state_dir;
  ASSIGN_OR_RETURN(DeviceStore store,
                   DeviceStore::Open(absl::StrCat(folder, "/", uuid->ToString(), ".db"), options.tenant));
  ASSIGN_OR_RETURN(std::string carer_id, ResolveCarer(options, store, wish.carer));
  return OpenDevice{*uuid, std::move(store), std::move(carer_id)};
}

absl::StatusOr<absl::TimeZone> DeviceZone(const DeviceStore& store) {
  ASSIGN_OR_RETURN(const std::string name, store.Setting("time_zone"));
  // None where it never synced.
  return ZoneOrUtc(name);
}

// How the sync of an open device ended, its changes told; `held` is what the device holds, once that was read.
absl::Status SyncOpen(const Options& options, const OpenDevice& device, SyncRun run, DeviceReport& report,
                      std::optional<DeviceView>& held) {
  ASSIGN_OR_RETURN(held, ReadDeviceView(device.store, device.carer_id));
  // What has changed on the device since it was last told.
  const auto tell_changes = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(DeviceView now, ReadDeviceView(device.store, device.carer_id));
    ASSIGN_OR_RETURN(const absl::TimeZone zone, DeviceZone(device.store));
    report.TellChanges(*held, now, zone);
    held = std::move(now);
    return absl::OkStatus();
  };
  run.on_response = [&](const v1::SyncResponse& response) -> absl::Status {
    report.Tell(response);
    if (!run.plan.follow) return absl::OkStatus();
    if (response.has_caught_up()) RETURN_IF_ERROR(tell_changes());
    // One sync is worth its end though nobody reads of it; one that goes on for nobody to read is not.
    return FlushOutput();
  };
  absl::Status status = RunSync(Connection(options), device.store, run);
  RETURN_IF_ERROR(tell_changes());
  return status;
}

absl::StatusOr<ExitCode> Sync(const Options& options, const DeviceWish& wish, const SyncWish& sync) {
  if (sync.clean && sync.automatic) return errors::Usage("--clean and --auto exclude each other");
  SyncRun run;
  if (!absl::ParseDuration(sync.timeout, &run.timeout) || run.timeout <= absl::ZeroDuration()) {
    return errors::Usage(absl::StrCat("--timeout ", sync.timeout, ": give a time such as 30s or 10m"));
  }
  // Before gRPC makes its threads.
  std::optional<StopSignal> stop;
  if (sync.follow) {
    run.stop = &stop.emplace();
    run.timeout = absl::InfiniteDuration();
  }
  const v1::SyncType type = sync.clean       ? v1::SYNC_TYPE_CLEAN
                            : sync.automatic ? v1::SYNC_TYPE_AUTO
                                             : v1::SYNC_TYPE_STANDARD;
  DeviceReport report(options.json, type);
  const absl::StatusOr<OpenDevice> opened = OpenDeviceOf(options, wish);
  // Of a carer who was not found, or a device that cannot be read, nothing is known.
  std::optional<DeviceView> held;
  absl::Status status = opened.status();
  if (opened.ok()) {
    run.device = opened->uuid;
    run.plan = {opened->uuid.ToString(), sync.name, sync.app_version, opened->carer_id, type, sync.follow,
                sync.data_level};
    run.kill = sync.kill;
    status = SyncOpen(options, *opened, std::move(run), report, held);
  }
  if (IsOutputError(status) || IsUsageError(status)) return status;
  report.TellEnd(status, held);
  return status.ok() ? 0 : 1;
}

void PrintVisits(const DeviceView& view, absl::TimeZone zone) {
  std::vector<std::vector<Cell>> rows;
  for (const VisitView& visit : view.visits) {
    const std::string people =
        absl::StrJoin(visit.visit.assignments(), ", ", [&](std::string* out, const v1::Assignment& assignment) {
          absl::StrAppend(out, CarerName(view, assignment.carer_id()), " ",
                          absl::FormatTime("%H:%M", ToTime(assignment.start_time()), zone), "-",
                          absl::FormatTime("%H:%M", ToTime(assignment.end_time()), zone));
        });
    const std::string activities = absl::StrJoin(
        visit.visit.planned_activities(), ", ", [](std::string* out, const v1::PlannedActivity& activity) {
          absl::StrAppend(out, activity.activity_kind(), " (", activity.planned_minutes(), " min)");
        });
    const Colour colour = visit.status == "finished"  ? Colour::kGreen
                          : visit.status == "started" ? Colour::kYellow
                                                      : Colour::kPlain;
    rows.push_back({absl::FormatTime("%Y-%m-%d %H:%M", visit.start, zone), absl::FormatTime("%H:%M", visit.end, zone),
                    visit.service_user.name(), absl::StrReplaceAll(visit.service_user.address(), {{"\n", ", "}}),
                    activities, people, Cell(visit.status, colour), Cell(visit.id, Colour::kDim)});
  }
  std::cout << FormatTable({"Start", "End", "Service user", "Address", "Activities", "Carers", "Status", "Visit"}, rows,
                           LookOf(STDOUT_FILENO));
  std::cout << absl::StrFormat("%d visits, %d unsent events, revision %d, times in %s\n", view.visits.size(),
                               view.unsent_events, view.revision, zone.name());
  if (!view.manual_sync_due_since) return;
  std::cout << "Manual sync due since " << PeopleTime(*view.manual_sync_due_since, zone)
            << ": `caresync device sync` does it, an auto sync does not.\n";
}

absl::StatusOr<ExitCode> ShowVisits(const Options& options, const DeviceWish& wish) {
  ASSIGN_OR_RETURN(const OpenDevice device, OpenDeviceOf(options, wish));
  ASSIGN_OR_RETURN(const DeviceView view, ReadDeviceView(device.store, device.carer_id));
  if (!options.json) {
    ASSIGN_OR_RETURN(const absl::TimeZone zone, DeviceZone(device.store));
    if (view.incomplete) {
      std::cout << "Not complete yet: the next visits are here, the rest is to come with `caresync device sync`.\n";
      PrintVisits(view, zone);
    } else if (view.never_synced) {
      std::cout << "This device has never synced for this carer: it holds nothing yet. `caresync device sync` fetches "
                   "the visits.\n";
    } else {
      PrintVisits(view, zone);
    }
    return 0;
  }
  nlohmann::ordered_json visits = nlohmann::ordered_json::array();
  for (const VisitView& visit : view.visits) visits.push_back(VisitJson(view, visit));
  PrintJson({{"visits", visits},
             {"records", view.records},
             {"revision", view.revision},
             {"never_synced", view.never_synced},
             {"incomplete", view.incomplete},
             {"unsent_events", view.unsent_events},
             {"open_visit_id", view.open_visit_id},
             {"manual_sync_due_since_time",
              view.manual_sync_due_since ? nlohmann::ordered_json(IsoTime(*view.manual_sync_due_since)) : nullptr},
             {"carer_id", device.carer_id},
             {"carer", CarerName(view, device.carer_id)}});
  return 0;
}

v1::CareEvent EventOf(const OpenDevice& device, const VisitView& visit) {
  v1::CareEvent event;
  event.set_carer_id(device.carer_id);
  *event.mutable_occurred_time() = base::ToTimestamp(absl::Now());
  event.set_visit_id(visit.id);
  return event;
}

std::string NewEventId() {
  base::SystemRandom random;
  return base::Uuid::Random(random).ToString();
}

ExitCode TellRecorded(const Options& options, const VisitView& visit, const std::string& event_id,
                      const std::string& what) {
  if (options.json) {
    PrintJson({{"event_id", event_id}, {"visit_id", visit.id}, {"recorded", std::string(what)}});
  } else {
    std::cout << what << ": " << Printable(visit.service_user.name()) << " (" << Printable(visit.id)
              << "). The next sync sends it.\n";
  }
  return 0;
}

absl::StatusOr<ExitCode> StartVisit(const Options& options, const DeviceWish& wish, const RecordWish& record) {
  ASSIGN_OR_RETURN(const OpenDevice device, OpenDeviceOf(options, wish));
  ASSIGN_OR_RETURN(const DeviceView view, ReadDeviceView(device.store, device.carer_id));
  ASSIGN_OR_RETURN(const VisitView visit, FindVisit(view, record.visit));
  if (!view.open_visit_id.empty()) return errors::VisitAlreadyOpen(view.open_visit_id);
  v1::CareEvent event = EventOf(device, visit);
  event.mutable_visit_started();
  const std::string id = NewEventId();
  RETURN_IF_ERROR(device.store.AddVisitEvent(device.carer_id, id, event.SerializeAsString(), visit.id));
  return TellRecorded(options, visit, id, "visit started");
}

absl::StatusOr<ExitCode> FinishVisit(const Options& options, const DeviceWish& wish, const RecordWish& record) {
  ASSIGN_OR_RETURN(const OpenDevice device, OpenDeviceOf(options, wish));
  ASSIGN_OR_RETURN(const DeviceView view, ReadDeviceView(device.store, device.carer_id));
  if (view.open_visit_id.empty()) return errors::NoVisitOpen();
  VisitView visit;
  visit.id = view.open_visit_id;
  // The open visit may have been taken off the device meanwhile, and is finished all the same.
  const absl::StatusOr<VisitView> held = FindVisit(view, view.open_visit_id);
  if (held.ok()) visit = *held;
  if (!record.visit.empty() && !absl::StartsWith(visit.id, record.visit)) {
    return errors::VisitAlreadyOpen(visit.id);
  }
  v1::CareEvent event = EventOf(device, visit);
  event.mutable_visit_finished();
  const std::string id = NewEventId();
  RETURN_IF_ERROR(device.store.AddVisitEvent(device.carer_id, id, event.SerializeAsString(), ""));
  return TellRecorded(options, visit, id, "visit finished");
}

absl::StatusOr<ExitCode> AddNote(const Options& options, const DeviceWish& wish, const RecordWish& record) {
  ASSIGN_OR_RETURN(const OpenDevice device, OpenDeviceOf(options, wish));
  ASSIGN_OR_RETURN(const DeviceView view, ReadDeviceView(device.store, device.carer_id));
  ASSIGN_OR_RETURN(const VisitView visit, FindVisit(view, record.visit));
  v1::CareEvent event = EventOf(device, visit);
  event.mutable_note()->set_text(record.text);
  const std::string id = NewEventId();
  RETURN_IF_ERROR(device.store.AddEvent(device.carer_id, id, event.SerializeAsString()));
  return TellRecorded(options, visit, id, "note");
}

void AddDeviceOptions(CLI::App& command, DeviceWish& wish) {
  command.add_option("--uuid", wish.uuid, "The device's UUID")->required();
  command.add_option("--carer", wish.carer, "Its carer: ID, external ID, or the part of it after the \"/\"")
      ->required()
      ->check(NotEmpty);
  command.add_option("--state-dir", wish.state_dir, "Where devices keep what they hold; else devices/ in --data-dir")
      ->check(NotEmpty);
}

void AddSync(CLI::App& group, CommandLine& line) {
  const auto wish = std::make_shared<DeviceWish>();
  const auto sync = std::make_shared<SyncWish>();
  CLI::App* command = group.add_subcommand("sync", "Be a device: send what was recorded, fetch what changed");
  command->footer(
      "Kill it whenever you like; the next sync goes on where it was. With --follow, Ctrl-C ends it well.\n"
      "Example:\n  caresync device sync --uuid 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --carer 003-rome/c1 --tenant demo");
  AddDeviceOptions(*command, *wish);
  command->add_flag("--clean", sync->clean, "Make a new copy of everything, beside the old one");
  command->add_flag("--auto", sync->automatic, "As run in the background, not by a person");
  CLI::Option* follow = command->add_flag("--follow", sync->follow, "Go on with changes as they come, until Ctrl-C");
  command->add_option("--name", sync->name, "The device's name in the report")->capture_default_str();
  command->add_option("--app-version", sync->app_version, "The app's version in the report")->capture_default_str();
  command->add_option("--data-level", sync->data_level, "Which kinds the app keeps: 1 without care plans, 2 with")
      ->capture_default_str();
  command->add_option("--timeout", sync->timeout, "Give up after so long")->capture_default_str()->excludes(follow);
  // For tests of kills: not in the help, since they end the process by SIGKILL.
  command->add_option("--stop-after-batches", sync->kill.after_batches, "")->group("");
  command->add_flag("--stop-before-last-ack", sync->kill.before_last_ack, "")->group("");
  command->callback(
      [&line, wish, sync] { line.run = [&line, wish, sync] { return Sync(line.options, *wish, *sync); }; });
}

using RecordAction = absl::StatusOr<ExitCode> (*)(const Options&, const DeviceWish&, const RecordWish&);

void AddRecord(CLI::App& group, CommandLine& line, const std::string& name, const std::string& help,
               RecordAction action) {
  const auto wish = std::make_shared<DeviceWish>();
  const auto record = std::make_shared<RecordWish>();
  CLI::App* command = group.add_subcommand(name, help);
  AddDeviceOptions(*command, *wish);
  CLI::Option* visit = command->add_option("VISIT", record->visit, "The visit's ID, or how it begins")->check(NotEmpty);
  if (action != FinishVisit) visit->required();
  if (action == AddNote) command->add_option("TEXT", record->text, "What to note")->required()->check(IsNote);
  command->callback([&line, wish, record, action] {
    line.run = [&line, wish, record, action] { return action(line.options, *wish, *record); };
  });
}

}  // namespace

void AddDeviceCommands(CLI::App& group, CommandLine& line) {
  AddSync(group, line);
  const auto wish = std::make_shared<DeviceWish>();
  CLI::App* visits = group.add_subcommand("visits", "What the device holds, without asking the server");
  AddDeviceOptions(*visits, *wish);
  visits->callback([&line, wish] { line.run = [&line, wish] { return ShowVisits(line.options, *wish); }; });
  AddRecord(group, line, "start-visit", "Record that the carer began a visit", StartVisit);
  AddRecord(group, line, "finish-visit", "Record that the carer finished the open visit", FinishVisit);
  AddRecord(group, line, "note", "Record a note on a visit", AddNote);
}

}  // namespace caresync::cli

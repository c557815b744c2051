#include "loadtest/options.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "loadtest/bare_store.h"
#include "loadtest/connections.h"
#include "loadtest/scenarios.h"
#include "tools/caresync/arguments.h"

namespace caresync::loadtest {
namespace {

constexpr int kBadOptions = 2;
constexpr char kRotaFolder[] = "demo/rotas";
// Half of what a connection takes: a device whose sync was cut may have a second stream open.
constexpr size_t kDevicesOfConnection = kCallsOfConnection / 2;
// With stalled: one that syncs, and one of each kind that does not do its part.
constexpr size_t kStalledDevicesLeast = 4;

// With burst: twice as long the other tenant's changes may wait, by the grace of its devices.
constexpr absl::Duration kBurstMost = absl::Minutes(5);

// Every rota of the repository, where the program is run from its root.
std::vector<std::string> DefaultRotas() {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kRotaFolder, none)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void AddOptions(CLI::App& app, Options& options, std::string& date, double& seconds) {
  app.add_option("--devices", options.devices, "How many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--scenario", options.scenario, "What they do")->required()->check(CLI::IsMember(ScenarioNames()));
  app.add_option("--server", options.server, "HOST:PORT of a server that runs; without it, one is started")
      ->check(cli::NotEmpty);
  app.add_option(
         "--server-pid", options.server_pid,
         "With --server, where that is on this machine: its process, whose processor time and memory are measured")
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--data-dir", options.data_dir,
         "The server's data directory; needed with --server, for its signing key. Without both, a temporary one")
      ->check(cli::NotEmpty);
  app.add_option("--rota", options.rotas, "Rota files (JSON); without it, all in demo/rotas")->check(CLI::ExistingFile);
  app.add_option("--date", date, "The day of the rotas: YYYY-MM-DD; without it, today");
  app.add_option("--days", options.days, "Import the rotas for so many days from then on")
      ->check(CLI::Range(1, 366))
      ->capture_default_str();
  app.add_option("--duration", seconds, "Seconds that the scenario lasts; with shift: within which all devices come")
      ->check(CLI::Range(0.1, 86'400.0))
      ->default_val(10);
  app.add_option("--connections", options.connections,
                 absl::StrCat("TCP connections; without it, one for ", kDevicesOfConnection, " devices"))
      ->check(CLI::Range(1, 100'000));
  app.add_option("--json", options.json, "Also write what was measured to this file")->check(cli::NotEmpty);
  app.add_option("--dialogues", options.dialogues,
                 "With record: the file to write what the server said to, for --limit");
  app.add_option("--limit", options.limit,
                 "Run against caresync-limit, which does no work, with what --scenario record has written here")
      ->check(CLI::ExistingFile);
  app.add_option(
         "--commits-of", options.commits_of,
         "With store: write what a caresyncd has committed that ran on this new data directory and was stopped, "
         "once and all of it; without it, visits are written, a row each")
      ->check(CLI::ExistingDirectory);
  app.add_option("--seed", options.seed, "Of everything that is random")->capture_default_str();
  app.add_option("--sources", options.sources,
                 "With ingest: rostering systems that send the rotas, each people of its own")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--changes-per-second", options.changes_per_second,
                 "Messages of rota changes a second, with storm and follow; with burst: of 100 changes each")
      ->check(CLI::Range(0.1, 100'000.0))
      ->capture_default_str();
  app.add_option("--uploads-per-second", options.uploads_per_second,
                 "With storm: uploads of care events a second, of all devices together")
      ->check(CLI::Range(0.1, 100'000.0))
      ->capture_default_str();
  app.add_option("--group-carers", options.group_carers, "With group: how many carers are in it")
      ->check(CLI::Range(2, 10'000))
      ->capture_default_str();
  app.add_option("--group-service-users", options.group_service_users, "With group: how many service users it sees")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option(
         "--slowest-delta", options.slowest_delta,
         "With group: it is a fault where half of a phase's syncs take longer than so many times what they take "
         "while nothing else goes on")
      ->check(CLI::Range(0.01, 1'000.0));
  app.add_option("--moves", options.moves,
                 "With delta: then change every record so many times, and measure deltas again")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--stored-records", options.stored_records,
                 "With delta: then store so many records that no device sees, and measure deltas once more")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--deadlines", options.deadlines,
                 "With deadlines: how many mismatches fall due at one second; with burst: how many visits are changed "
                 "again and again. As many for each carer, so there may be a few more")
      ->check(CLI::Range(1, 300'000))
      ->capture_default_str();
  app.add_option("--latest-mismatch", options.latest_mismatch,
                 "With burst: it is a fault where the other tenant is told of a mismatch more seconds after it was due")
      ->check(CLI::Range(0.001, 60.0));
  app.add_option("--registered", options.registered, "With register: how many devices are to have synced once")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--syncs-per-second", options.syncs_per_second,
                 "With storm: about how many syncs a second all devices together begin")
      ->check(CLI::Range(0.1, 1'000'000.0))
      ->capture_default_str();
  app.add_option("--clean-percent", options.clean_percent, "With overload: how many in a hundred syncs are clean ones")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  app.add_option(
         "--least-goodput", options.least_goodput,
         "With overload: it is a fault where less than so much of the best goodput is left at the last level, and "
         "where the devices were too few to tell")
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--most-rss-mb", options.most_rss_mb,
                 "It is a fault where the server ever had more resident memory, in millions of bytes")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--batch-bytes", options.batch_bytes, "As caresyncd's, of a server that is started");
  app.add_option("--server-threads", options.server_threads, "As caresyncd's --threads, of a server that is started");
  app.add_option("--server-core", options.server_core,
                 "The core (from 0 on) that a server that is started stays on, so that the fleet takes none of it")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--fleet-core", options.fleet_core, "The core that the fleet stays on")->check(CLI::NonNegativeNumber);
}

// Each says what is wrong with the options together; empty where nothing is.

std::string WrongOfServer(const Options& options) {
  if (!NeedsServer(options.scenario) && !options.server.empty()) {
    return absl::StrCat("the scenario ", options.scenario, " has no use for a server");
  }
  if (!options.server.empty() && options.data_dir.empty()) {
    return "--server needs --data-dir, that server's data directory: credentials are made with the key in it";
  }
  if (!options.server.empty() && (options.batch_bytes != 0 || options.server_threads != 0)) {
    return "--batch-bytes and --server-threads are of a server that is started, not of one that runs";
  }
  if (!options.server.empty() && options.server_core.has_value()) {
    return "--server-core is of a server that is started; taskset puts one that runs on a core";
  }
  if (options.server.empty() && options.server_pid.has_value()) {
    return "--server-pid is of a server that runs; the one that is started is known";
  }
  if (!options.server.empty() && options.most_rss_mb.has_value() && !options.server_pid.has_value()) {
    return "--most-rss-mb needs --server-pid with --server: the memory of a process that is not known is not measured";
  }
  if (NeedsConnectionForEach(options.scenario) && options.connections * kDevicesOfConnection < options.devices) {
    return absl::StrCat(options.scenario, " needs a connection for every ", kDevicesOfConnection,
                        " devices: a server takes ", kCallsOfConnection, " calls on one");
  }
  return "";
}

std::string WrongOfLimit(const Options& options) {
  if (options.limit.empty()) return "";
  if (!RunsOnLimit(options.scenario)) {
    return absl::StrCat("--limit is for scenarios that a server which does no work will do for, not for ",
                        options.scenario);
  }
  if (!options.server.empty() || options.batch_bytes != 0 || options.server_threads != 0) {
    return "--limit starts a server of its own, without --server, --batch-bytes and --server-threads";
  }
  if (options.sources != 1) return "--sources is not for --limit, which one rostering system sends to";
  return "";
}

std::string WrongOfScenario(const Options& options) {
  if (options.slowest_delta.has_value() && options.scenario != "group") {
    return "--slowest-delta is for the scenario group";
  }
  if (options.least_goodput.has_value() && options.scenario != "overload") {
    return "--least-goodput is for the scenario overload";
  }
  if (options.latest_mismatch.has_value() && options.scenario != "burst") {
    return "--latest-mismatch is for the scenario burst";
  }
  if (options.scenario == "burst" && (options.duration < absl::Seconds(1) || options.duration > kBurstMost)) {
    return absl::StrCat("--scenario burst needs a --duration of 1 to ", absl::ToInt64Seconds(kBurstMost),
                        " seconds: its visits lie that near");
  }
  if (options.dialogues.empty() == (options.scenario == "record")) {
    return "--scenario record and --dialogues go together: the one says what is written, the other where to";
  }
  if ((options.registered == 0) == (options.scenario == "register")) {
    return "--scenario register and --registered go together";
  }
  if (options.scenario == "register" && options.registered <= options.devices) {
    return "--registered must be more than --devices: the fleet's own are the first of them";
  }
  if (options.scenario != "delta" && (options.moves != 0 || options.stored_records != 0)) {
    return "--moves and --stored-records are for the scenario delta";
  }
  if (options.scenario == "stalled" && options.devices < kStalledDevicesLeast) {
    return absl::StrCat("--scenario stalled needs ", kStalledDevicesLeast, " --devices at least");
  }
  if (!options.commits_of.empty() && options.scenario != "store") return "--commits-of is for the scenario store";
  if (options.sources > 1 && options.scenario != "ingest") return "--sources is for the scenario ingest";
  const std::string store = BareStoreDirectory(options.data_dir);
  std::error_code none;
  if (options.scenario == "store" && !options.data_dir.empty() && std::filesystem::exists(store, none)) {
    return absl::StrCat("--scenario store makes a new store, and ", store, " exists; name another --data-dir");
  }
  return "";
}

std::string Wrong(const Options& options) {
  if (options.rotas.empty()) return absl::StrCat("there is no rota in ", kRotaFolder, "; name one with --rota");
  for (const auto check : {WrongOfServer, WrongOfLimit, WrongOfScenario}) {
    if (std::string wrong = check(options); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace

std::optional<int> ParseOptions(int argc, char** argv, Options& options) {
  std::string date;
  double seconds = 0;
  CLI::App app("fleetload: a fleet of virtual devices against caresyncd; what every device holds is checked",
               "fleetload");
  app.footer(
      "Ends with 0 where every device holds what it must, with 1 where one differs or anything went wrong, with 130 "
      "where it was stopped before its time.\n"
      "Example:\n  fleetload --devices 1000 --scenario storm --duration 30 --json storm.json");
  AddOptions(app, options, date, seconds);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadOptions;
  }
  options.duration = absl::Seconds(seconds);
  options.date = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone());
  if (!date.empty() && !absl::ParseCivilTime(date, &options.date)) {
    std::cerr << "fleetload: --date " << date << ": give a day such as 2026-11-21\n";
    return kBadOptions;
  }
  if (options.rotas.empty()) options.rotas = DefaultRotas();
  if (options.connections == 0) {
    options.connections = (options.devices + kDevicesOfConnection - 1) / kDevicesOfConnection;
  }
  if (const std::string wrong = Wrong(options); !wrong.empty()) {
    std::cerr << "fleetload: " << wrong << "\n";
    return kBadOptions;
  }
  return std::nullopt;
}

}  // namespace caresync::loadtest

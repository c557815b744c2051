// The command line for people: rotas in, a device in a terminal, the office's report out.
#include <csignal>
#include <iostream>
#include <string_view>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "server/base/version.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/check_client/command.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/error_output.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/output.h"
#include "tools/caresync/token_claims.h"

namespace caresync::cli {
namespace {

constexpr int kExitUsage = 2;

void AddGlobalOptions(CLI::App& app, Options& options) {
  app.add_option("--server", options.server, "Where the server listens: HOST:PORT")
      ->envname("CARESYNC_SERVER")
      ->check(NotEmpty)
      ->check(IsServer)
      ->default_val("127.0.0.1:7443");
  app.add_option("--data-dir", options.data_dir, "The server's data directory, for its signing key and the devices")
      ->envname("CARESYNC_DATA_DIR")
      ->check(NotEmpty)
      ->default_val("./data");
  app.add_option("--tenant", options.tenant, "The tenant; with a token, the token's")
      ->envname("CARESYNC_TENANT")
      ->check(NotEmpty);
  app.add_option("--token", options.token, "A bearer token; without it one is made with the signing key")
      ->envname("CARESYNC_TOKEN")
      ->check(IsToken);
  CLI::Option* tls = app.add_flag("--tls", options.tls, "Call with TLS, where something ends it before the server")
                         ->envname("CARESYNC_TLS");
  CLI::Option* tls_ca =
      app.add_option("--tls-ca", options.tls_ca,
                     "With TLS, and only these certificates vouch for the server: a PEM file; else the system's")
          ->envname("CARESYNC_TLS_CA")
          ->check(NotEmpty);
  app.add_flag("--plaintext", options.plaintext,
               "Without TLS to another machine too: whoever is on the way can read all, the credential included")
      ->envname("CARESYNC_PLAINTEXT")
      ->excludes(tls)
      ->excludes(tls_ca);
  app.add_flag("--json", options.json, "Output for machines");
}

// Of every option of every command.
void RequireUtf8(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) option->check(IsUtf8);
  for (CLI::App* command : app.get_subcommands({})) RequireUtf8(*command);
}

// Asked of the words themselves: a line that cannot be parsed leaves no options behind.
bool AsksForJson(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    if (std::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

// A command that ended well has not where what it printed came to nobody.
int Ended(bool json, int code) {
  if (code != 0) return code;
  const absl::Status written = FlushOutput();
  return written.ok() ? code : TellError(json, written);
}

int TellParseError(const CLI::App& app, bool json, const CLI::ParseError& error) {
  // The help was asked for.
  if (error.get_exit_code() == 0) return Ended(json, app.exit(error));
  if (json) return TellError(json, errors::Usage(error.what()));
  app.exit(error);
  return kExitUsage;
}

// The help of the group that was named without a command of it.
int TellMissingCommand(const CLI::App& app, bool json) {
  const CLI::App* named = &app;
  while (!named->get_subcommands().empty()) named = named->get_subcommands().front();
  if (json) {
    return TellError(
        json, errors::Usage(absl::StrCat("say which command: `", named->get_display_name(), " --help` lists them")));
  }
  std::cerr << named->help();
  return kExitUsage;
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("caresync: rotas in, what carers recorded out, and a whole device in a terminal.", "caresync");
  app.set_version_flag("--version", absl::StrCat("caresync ", base::kVersion));
  app.fallthrough();
  app.footer(
      "A first five minutes:\n"
      "  caresync tenant create demo --time-zone Europe/Rome\n"
      "  export CARESYNC_TENANT=demo\n"
      "  caresync import-rota demo/rotas/003-rome.json --date 2026-11-21\n"
      "  caresync device update 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --enrol --users 003-rome/c1\n"
      "  caresync device sync --uuid 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --carer 003-rome/c1\n"
      "  caresync devices");
  AddGlobalOptions(app, line.options);
  AddTenantCommands(app, line);
  AddTokenCommand(app, line);
  AddImportCommand(app, line);
  AddCarersCommand(app, line);
  CLI::App& device = AddDeviceGroup(app);
  AddReportCommands(app, device, line);
  AddMismatchesCommand(app, line);
  AddMismatchGroup(app, line);
  AddExplainVisitCommand(app, line);
  AddDeliveriesCommand(app, line);
  AddWaitingCommand(app, line);
  AddDeviceViewCommand(app, line);
  AddLagCommand(app, line);
  AddOutboxCommand(app, line);
  AddNotificationCommands(app, line);
  AddDeviceCommands(device, line);
  AddCareEventsCommand(app, line);
  check::AddCheckClientCommand(app, line);
  RequireUtf8(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return TellParseError(app, AsksForJson(argc, argv), error);
  }
  if (!line.run) return TellMissingCommand(app, line.options.json);
  if (const absl::Status wrong = SettleTenant(line.options); !wrong.ok()) return TellError(line.options.json, wrong);
  const absl::StatusOr<ExitCode> result = line.run();
  return result.ok() ? Ended(line.options.json, *result) : TellError(line.options.json, result.status());
}

}  // namespace
}  // namespace caresync::cli

int main(int argc, char** argv) {
  // A peer that went away is an error of the call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return caresync::cli::Main(argc, argv);
}

// The command groups. Each adds its subcommands to the command line; the one that was chosen sets `run`.
#ifndef CARESYNC_TOOLS_CARESYNC_COMMANDS_H_
#define CARESYNC_TOOLS_CARESYNC_COMMANDS_H_

#include <functional>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "tools/caresync/connection.h"

namespace caresync::cli {

// How a command ended that has told so itself: 0, 1 where something failed, or what it documents.
using ExitCode = int;

// What the commands share. Outlives them.
struct CommandLine {
  CommandLine() = default;
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Options options;
  // Set by the chosen command. An error is still to be told.
  std::function<absl::StatusOr<ExitCode>()> run;
};

void AddTenantCommands(CLI::App& app, CommandLine& line);
void AddTokenCommand(CLI::App& app, CommandLine& line);
void AddImportCommand(CLI::App& app, CommandLine& line);
void AddCarersCommand(CLI::App& app, CommandLine& line);
void AddCareEventsCommand(CLI::App& app, CommandLine& line);
void AddMismatchesCommand(CLI::App& app, CommandLine& line);
void AddLagCommand(CLI::App& app, CommandLine& line);
void AddOutboxCommand(CLI::App& app, CommandLine& line);
// The group `notifications`.
void AddNotificationCommands(CLI::App& app, CommandLine& line);
// The group `mismatch`.
void AddMismatchGroup(CLI::App& app, CommandLine& line);
void AddExplainVisitCommand(CLI::App& app, CommandLine& line);
void AddDeliveriesCommand(CLI::App& app, CommandLine& line);
void AddWaitingCommand(CLI::App& app, CommandLine& line);
void AddDeviceViewCommand(CLI::App& app, CommandLine& line);
// The group `device`, to which the two below add.
CLI::App& AddDeviceGroup(CLI::App& app);
void AddReportCommands(CLI::App& app, CLI::App& group, CommandLine& line);
void AddDeviceCommands(CLI::App& group, CommandLine& line);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_COMMANDS_H_

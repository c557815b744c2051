// The command `check-client`.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_H_

#include "CLI/CLI.hpp"
#include "tools/caresync/commands.h"

namespace caresync::cli::check {

void AddCheckClientCommand(CLI::App& app, CommandLine& line);

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_H_

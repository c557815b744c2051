// The files of scenarios/, as they are built into the command.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EMBEDDED_SCENARIOS_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EMBEDDED_SCENARIOS_H_

#include <span>
#include <string_view>

namespace caresync::cli::check {

struct EmbeddedScenarios {
  std::string_view name;
  std::string_view text;
};

// By name. Made by CMakeLists.txt from the files.
std::span<const EmbeddedScenarios> EmbeddedScenarioFiles();

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EMBEDDED_SCENARIOS_H_

#include "tools/caresync/check_client/command.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/host_port.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/check_client/checker.h"
#include "tools/caresync/check_client/command_driver.h"
#include "tools/caresync/check_client/hand_driver.h"
#include "tools/caresync/check_client/inbox.h"
#include "tools/caresync/check_client/listener.h"
#include "tools/caresync/check_client/report.h"
#include "tools/caresync/check_client/scenario.h"
#include "tools/caresync/error_output.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/output.h"
#include "tools/caresync/stop_signal.h"

namespace caresync::cli::check {
namespace {

constexpr int kPeopleSeconds = 300;
constexpr int kCommandSeconds = 15;
// The check could not be made. 1 says that the client broke a rule.
constexpr int kExitNotChecked = 2;
// As a shell tells of a command that Ctrl-C ended.
constexpr int kExitStopped = 130;

struct CheckWish {
  std::string listen = "127.0.0.1:0";
  std::string device_command;
  std::vector<std::string> scenarios;
  // Not given: by who drives the device.
  std::optional<int> timeout;
  uint32_t data_level = base::limits::kDataLevel;
  bool list = false;
};

absl::Status CheckAddress(const std::string& address) {
  if (base::WrongHostPort(address, /*least_port=*/0).empty()) return absl::OkStatus();
  return errors::Usage(absl::StrCat("--listen ", address, ": give an address and a port, such as 127.0.0.1:7444"));
}

bool IsFor(const Scenario& scenario, uint32_t data_level) {
  return data_level == base::limits::kDataLevel || !scenario.NamesLevels();
}

absl::StatusOr<const Scenario*> ScenarioNamed(const std::string& name, uint32_t data_level) {
  for (const Scenario& scenario : AllScenarios()) {
    if (scenario.name != name) continue;
    if (IsFor(scenario, data_level)) return &scenario;
    return errors::Usage(absl::StrCat("--scenario ", name, " is for apps that keep every data level"));
  }
  return errors::ScenarioUnknown(name);
}

absl::StatusOr<std::vector<const Scenario*>> Chosen(const CheckWish& wish) {
  std::vector<const Scenario*> chosen;
  for (const Scenario& scenario : AllScenarios()) {
    if (wish.scenarios.empty() && IsFor(scenario, wish.data_level)) chosen.push_back(&scenario);
  }
  for (const std::string& name : wish.scenarios) {
    ASSIGN_OR_RETURN(chosen.emplace_back(), ScenarioNamed(name, wish.data_level));
  }
  return chosen;
}

absl::StatusOr<ExitCode> CheckClient(const Options& options, const CheckWish& wish) {
  if (wish.list) {
    TellScenarios(std::cout, options.json);
    return 0;
  }
  RETURN_IF_ERROR(CheckAddress(wish.listen));
  if (wish.timeout.value_or(1) < 1) return errors::Usage("--timeout: give seconds, 1 or more");
  if (wish.data_level < 1 || wish.data_level > base::limits::kDataLevel) {
    return errors::Usage(absl::StrCat("--data-level: give one of 1 to ", base::limits::kDataLevel));
  }
  ASSIGN_OR_RETURN(const std::vector<const Scenario*> scenarios, Chosen(wish));
  const bool by_hand = wish.device_command.empty();
  if (by_hand && options.json) return errors::Usage("--json needs --device-command: by hand you are told what to do");
  Inbox inbox;
  // What runs is ended, and what was made for it removed.
  StopSignal stop;
  stop.Tell([&inbox] { inbox.Stop(); });
  ASSIGN_OR_RETURN(const std::unique_ptr<Listener> listener, Listener::Start(wish.listen, inbox));
  std::unique_ptr<Driver> driver;
  if (by_hand) {
    driver = std::make_unique<HandDriver>(STDIN_FILENO, inbox);
  } else {
    driver = std::make_unique<CommandDriver>(wish.device_command, listener->address(), inbox);
  }
  const int seconds = wish.timeout.value_or(by_hand ? kPeopleSeconds : kCommandSeconds);
  Report report(std::cout, options.json, UsesColour(STDOUT_FILENO));
  report.TellAddress(listener->address());
  RETURN_IF_ERROR(Check(scenarios, {inbox, *driver, absl::Seconds(seconds), wish.data_level},
                        [&](const Verdict& verdict) { report.Tell(verdict); }));
  if (stop.asked()) return kExitStopped;
  return report.TellEnd() ? 0 : 1;
}

}  // namespace

void AddCheckClientCommand(CLI::App& app, CommandLine& line) {
  const auto wish = std::make_shared<CheckWish>();
  CLI::App* command = app.add_subcommand("check-client", "Say which rules of the sync protocol a client breaks");
  command->footer(
      "Plays a server that cuts streams, asks for events again, makes new copies and so on, and looks at what the "
      "client does.\n"
      "docs/check_client.md tells how. Without --device-command you are told what to make your app do.\n"
      "Examples:\n"
      "  caresync check-client --listen 0.0.0.0:7444 --scenario first_copy\n"
      "  caresync check-client --device-command ./my_device --json");
  command->add_option("--listen", wish->listen, "Where the client is to connect to; port 0 is any free one")
      ->capture_default_str();
  command->add_option("--device-command", wish->device_command, "Run by the shell for each step of a scenario")
      ->check(NotEmpty);
  command->add_option("--scenario", wish->scenarios, "Only this one; may be given again");
  command->add_option("--timeout", wish->timeout,
                      absl::StrCat("Seconds for each thing that the client is waited for (", kCommandSeconds,
                                   "; by hand ", kPeopleSeconds, ")"));
  command->add_option("--data-level", wish->data_level, "What the app keeps: 1 is without care plans")
      ->capture_default_str();
  command->add_flag("--list", wish->list, "Say which scenarios there are");
  command->callback([&line, wish] {
    line.run = [&line, wish]() -> absl::StatusOr<ExitCode> {
      absl::StatusOr<ExitCode> checked = CheckClient(line.options, *wish);
      // Verdicts that came to nobody are none of the client's.
      if (absl::Status written = FlushOutput(); checked.ok() && !written.ok()) checked = std::move(written);
      if (checked.ok()) return *checked;
      TellError(line.options.json, checked.status());
      return kExitNotChecked;
    };
  });
}

}  // namespace caresync::cli::check

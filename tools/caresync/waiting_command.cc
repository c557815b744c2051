#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "caresync/v1/deliveries.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"
#include "tools/caresync/waiting_table.h"

namespace caresync::cli {
namespace {

struct WaitingWish {
  std::string source;
  bool late_only = false;
};

absl::StatusOr<ExitCode> ListWaiting(const Options& options, const WaitingWish& wish) {
  const Connection connection(options);
  v1::ListWaitingChangesRequest request;
  request.set_page_size(1000);
  request.set_source(wish.source);
  request.set_late_only(wish.late_only);
  std::vector<v1::WaitingRosterChange> changes;
  RETURN_IF_ERROR(connection.CallPages(Caller(), &v1::DeliveryService::Stub::ListWaitingChanges, request,
                                       [&](const v1::ListWaitingChangesResponse& page) {
                                         changes.insert(changes.end(), page.changes().begin(), page.changes().end());
                                       }));
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::WaitingRosterChange& change : changes) list.push_back(ToJson(change));
    PrintJson({{"changes", list}});
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  std::cout << WaitingText(changes, zone, LookOf(STDOUT_FILENO));
  return 0;
}

}  // namespace

void AddWaitingCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand(
      "waiting-changes", "Changes of the rota that wait for a record that has not come, or were refused when it had");
  command->footer("Example:\n  caresync waiting-changes --tenant demo --late");
  const auto wish = std::make_shared<WaitingWish>();
  command->add_option("--source", wish->source, "Only those of this rostering system")->check(NotEmpty);
  command->add_flag("--late", wish->late_only,
                    "Only those of visits that were to be on the carers' phones by now (20 minutes, or 24 hours where "
                    "the visit was more than 72 hours ahead)");
  command->callback([&line, wish] { line.run = [&line, wish] { return ListWaiting(line.options, *wish); }; });
}

}  // namespace caresync::cli

#include <unistd.h>

#include <iostream>

#include "caresync/v1/mismatches.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/lag_table.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

absl::StatusOr<ExitCode> TellLag(const Options& options) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(
      const v1::IntegrationLag lag,
      connection.Call(Caller(), &v1::MismatchService::Stub::GetIntegrationLag, v1::GetIntegrationLagRequest()));
  if (options.json) {
    PrintJson(ToJson(lag));
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  std::cout << LagTable(lag, zone, LookOf(STDOUT_FILENO));
  return 0;
}

}  // namespace

void AddLagCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand(
      "integration-lag", "How long changes of the rota took to be committed, and to be applied on the carer's phone");
  command->footer(
      "Counted since the server started. Late is what took longer than promised: 20m for a visit within 72h, 24h for "
      "another.");
  command->callback([&line] { line.run = [&line] { return TellLag(line.options); }; });
}

}  // namespace caresync::cli

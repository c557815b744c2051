#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "caresync/v1/deliveries.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"
#include "tools/caresync/visit_way_text.h"

namespace caresync::cli {
namespace {

struct ExplainWish {
  std::string carer;
  std::string visit;
};

absl::StatusOr<ExitCode> ExplainVisit(const Options& options, const ExplainWish& wish) {
  const Connection connection(options);
  v1::ExplainVisitRequest request;
  ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  request.set_visit_id(wish.visit);
  ASSIGN_OR_RETURN(const v1::ExplainVisitResponse told,
                   connection.Call(Caller(), &v1::DeliveryService::Stub::ExplainVisit, request));
  if (options.json) {
    PrintJson(ToJson(told));
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  std::cout << VisitWayText(told, zone, UsesColour(STDOUT_FILENO));
  return 0;
}

}  // namespace

void AddExplainVisitCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("explain-visit", "Why a carer's phone shows a visit, or does not");
  command->footer(
      "Example:\n"
      "  caresync explain-visit --tenant demo --carer 003-rome/c1 --visit 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81");
  const auto wish = std::make_shared<ExplainWish>();
  command->add_option("--carer", wish->carer, "Whose phone: ID or external ID")->required()->check(NotEmpty);
  command->add_option("--visit", wish->visit, "The visit's ID")->required()->check(NotEmpty);
  command->callback([&line, wish] { line.run = [&line, wish] { return ExplainVisit(line.options, *wish); }; });
}

}  // namespace caresync::cli

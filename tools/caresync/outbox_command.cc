#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

void PrintNotices(const std::vector<v1::OutboxNotice>& notices, absl::TimeZone zone) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(notices.size());
  for (const v1::OutboxNotice& notice : notices) {
    rows.push_back({PeopleTime(ToTime(notice.create_time()), zone), notice.kind(), notice.subject(),
                    notice.email_address().empty() ? "webhook" : notice.email_address(),
                    absl::StrCat(notice.failures()), notice.failure(),
                    notice.has_next_try_time() ? PeopleTime(ToTime(notice.next_try_time()), zone) : "given up",
                    notice.notice_id()});
  }
  std::cout << FormatTable({"Since", "Notice", "About", "To", "Failures", "Last failure", "Next try", "Notice ID"},
                           rows, LookOf(STDOUT_FILENO));
}

absl::StatusOr<ExitCode> ListOutbox(const Options& options, bool given_up) {
  const Connection connection(options);
  v1::ListOutboxRequest request;
  request.set_tenant_id(options.tenant);
  request.set_given_up(given_up);
  request.set_page_size(1000);
  std::vector<v1::OutboxNotice> notices;
  RETURN_IF_ERROR(connection.CallPages(Caller(), &v1::TenantService::Stub::ListOutbox, request,
                                       [&](const v1::ListOutboxResponse& page) {
                                         notices.insert(notices.end(), page.notices().begin(), page.notices().end());
                                       }));
  if (!options.json) {
    ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
    PrintNotices(notices, zone);
    return 0;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::OutboxNotice& notice : notices) list.push_back(ToJson(notice));
  PrintJson({{"notices", list}});
  return 0;
}

}  // namespace

void AddOutboxCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command =
      app.add_subcommand("outbox", "What waits to be sent to the tenant's webhooks and by e-mail, and why");
  command->footer("Example:\n  caresync outbox --given-up --tenant demo");
  const auto given_up = std::make_shared<bool>(false);
  command->add_flag("--given-up", *given_up, "What was tried too often, the last 1,000, and not what still waits");
  command->callback(
      [&line, given_up] { line.run = [&line, given_up] { return ListOutbox(line.options, *given_up); }; });
}

}  // namespace caresync::cli

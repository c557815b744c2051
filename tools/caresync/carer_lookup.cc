#include "tools/caresync/carer_lookup.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

absl::StatusOr<std::vector<v1::CarerSummary>> ListAll(const Connection& connection, v1::ListCarersRequest request) {
  request.set_page_size(1000);
  std::vector<v1::CarerSummary> carers;
  RETURN_IF_ERROR(connection.CallPages(Caller(), &v1::RosterService::Stub::ListCarers, request,
                                       [&](const v1::ListCarersResponse& page) {
                                         carers.insert(carers.end(), page.carers().begin(), page.carers().end());
                                       }));
  return carers;
}

absl::StatusOr<std::string> OnlyOne(const std::string& text, const std::vector<v1::CarerSummary>& carers) {
  if (carers.empty()) return errors::CarerNotFound(text);
  if (carers.size() == 1) return carers.front().carer_id();
  constexpr size_t kShown = 10;
  std::vector<std::string> candidates;
  for (const v1::CarerSummary& carer : carers) {
    if (candidates.size() == kShown) {
      candidates.push_back(absl::StrCat("and ", carers.size() - kShown, " more"));
      break;
    }
    candidates.push_back(Printable(absl::StrCat(carer.external_id(), "  ", carer.name(), "  ", carer.carer_id())));
  }
  return errors::CarerAmbiguous(text, candidates);
}

absl::StatusOr<ExitCode> PrintCarers(const Options& options, const std::string& search) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(std::vector<v1::CarerSummary> carers, AllCarers(connection, search));
  std::sort(carers.begin(), carers.end(), [](const v1::CarerSummary& a, const v1::CarerSummary& b) {
    return std::tie(a.branch_name(), a.name(), a.carer_id()) < std::tie(b.branch_name(), b.name(), b.carer_id());
  });
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::CarerSummary& carer : carers) list.push_back(ToJson(carer));
    PrintJson({{"carers", list}});
    return 0;
  }
  std::vector<std::vector<Cell>> rows;
  rows.reserve(carers.size());
  for (const v1::CarerSummary& carer : carers) {
    rows.push_back({carer.name(),
                    carer.branch_name(),
                    carer.external_id(),
                    {carer.source(), Colour::kDim},
                    {carer.carer_id(), Colour::kDim}});
  }
  std::cout << FormatTable({"Name", "Branch", "External ID", "Source", "Carer ID"}, rows, LookOf(STDOUT_FILENO));
  std::cout << carers.size() << (carers.size() == 1 ? " carer\n" : " carers\n");
  return 0;
}

}  // namespace

absl::StatusOr<std::vector<v1::CarerSummary>> AllCarers(const Connection& connection, const std::string& search) {
  v1::ListCarersRequest request;
  request.set_search(std::string(search));
  return ListAll(connection, std::move(request));
}

absl::StatusOr<std::string> FindCarer(const Connection& connection, const std::string& text) {
  if (text.empty()) return errors::CarerNotFound(text);
  if (const auto uuid = base::Uuid::Parse(text)) return uuid->ToString();
  v1::ListCarersRequest exact;
  exact.set_external_id(std::string(text));
  ASSIGN_OR_RETURN(std::vector<v1::CarerSummary> carers, ListAll(connection, std::move(exact)));
  if (!carers.empty()) return OnlyOne(text, carers);
  const std::string suffix = absl::StrCat("/", text);
  ASSIGN_OR_RETURN(carers, AllCarers(connection, suffix));
  std::erase_if(carers, [&](const v1::CarerSummary& carer) { return !absl::EndsWith(carer.external_id(), suffix); });
  return OnlyOne(text, carers);
}

absl::StatusOr<std::string> FindBranch(const Connection& connection, const std::string& text) {
  if (const auto uuid = base::Uuid::Parse(text)) return uuid->ToString();
  ASSIGN_OR_RETURN(const std::vector<v1::CarerSummary> carers, AllCarers(connection, ""));
  return BranchNamed(carers, text);
}

absl::StatusOr<std::string> BranchNamed(const std::vector<v1::CarerSummary>& carers, const std::string& text) {
  struct Branch {
    std::string name;
    // Of its carers.
    std::set<std::string> sources;
  };
  std::map<std::string, Branch> found;
  for (const v1::CarerSummary& carer : carers) {
    if (carer.branch_id().empty() || !absl::EqualsIgnoreCase(carer.branch_name(), text)) continue;
    Branch& branch = found[carer.branch_id()];
    branch.name = carer.branch_name();
    branch.sources.insert(carer.source());
  }
  if (found.empty()) return errors::BranchNotFound(text);
  if (found.size() == 1) return found.begin()->first;
  std::vector<std::string> candidates;
  candidates.reserve(found.size());
  for (const auto& [id, branch] : found) {
    candidates.push_back(Printable(absl::StrCat(id, "  ", branch.name, "  ", absl::StrJoin(branch.sources, ", "))));
  }
  return errors::BranchAmbiguous(text, candidates);
}

absl::StatusOr<std::map<std::string, std::string>> BranchNames(const Connection& connection) {
  const absl::StatusOr<std::vector<v1::CarerSummary>> carers = AllCarers(connection, "");
  std::map<std::string, std::string> names;
  if (absl::IsPermissionDenied(carers.status())) return names;
  RETURN_IF_ERROR(carers.status());
  for (const v1::CarerSummary& carer : *carers) {
    if (!carer.branch_id().empty()) names[carer.branch_id()] = carer.branch_name();
  }
  return names;
}

void AddCarersCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("carers", "List the carers that are known");
  command->footer("Example:\n  caresync carers --tenant demo --search rome");
  const auto search = std::make_shared<std::string>();
  command->add_option("--search", *search, "In the name or the external ID");
  command->callback([&line, search] { line.run = [&line, search] { return PrintCarers(line.options, *search); }; });
}

}  // namespace caresync::cli

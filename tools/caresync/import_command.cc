#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/error_output.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/rota_import.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

// Some hundred times the largest agency of demo/rotas.
constexpr size_t kRotaBytes = size_t{64} * 1024 * 1024;

struct ImportWish {
  std::vector<std::string> files;
  std::string date;
  std::string source = "rota-import";
  std::string day_start = "07:00";
  std::string time_zone;
};

struct Rejection {
  std::string external_id;
  std::string reason;
  std::string message;
};

// What came of one file.
struct Tally {
  // By ChangeOutcome.
  std::array<size_t, v1::ChangeOutcome_ARRAYSIZE> outcomes{};
  std::vector<Rejection> rejections;
  uint64_t revision = 0;

  size_t of(v1::ChangeOutcome outcome) const { return outcomes[outcome]; }
};

absl::StatusOr<absl::CivilDay> ParseDay(const std::string& text) {
  absl::CivilDay day;
  if (!absl::ParseCivilTime(text, &day)) {
    return errors::Usage(absl::StrCat("--date ", text, ": give a day such as 2026-11-21"));
  }
  return day;
}

absl::StatusOr<absl::CivilSecond> ParseDayStart(absl::CivilDay day, const std::string& text) {
  absl::CivilMinute start;
  if (text.size() != 5 || !absl::ParseCivilTime(absl::StrCat(absl::FormatCivilTime(day), "T", text), &start)) {
    return errors::Usage(absl::StrCat("--day-start ", text, ": give a time such as 07:00"));
  }
  return absl::CivilSecond(start);
}

void AddResults(const v1::ApplyChangesRequest& request, const v1::ApplyChangesResponse& response, Tally& tally) {
  tally.revision = response.commit().revision();
  for (const v1::ChangeResult& result : response.results()) {
    if (v1::ChangeOutcome_IsValid(result.outcome())) ++tally.outcomes[result.outcome()];
    if (result.outcome() != v1::CHANGE_OUTCOME_REJECTED || static_cast<int>(result.index()) >= request.changes_size()) {
      continue;
    }
    tally.rejections.push_back(
        {request.changes(result.index()).external_id(), result.error().reason(), result.error().message()});
  }
}

// One message at a time: a rota is small, and each answer is one step of the bar.
absl::StatusOr<Tally> Send(const Connection& connection, const ImportWish& wish, const RotaPlan& plan) {
  grpc::ClientContext context;
  RETURN_IF_ERROR(
      connection.Prepare({access::Role::kRostering, wish.source, std::nullopt}, absl::Minutes(10), context));
  const auto stub = v1::RosterService::NewStub(connection.channel());
  const auto stream = stub->ApplyChanges(&context);
  ProgressBar bar(!connection.options().json);
  Tally tally;
  size_t done = 0;
  v1::ApplyChangesResponse response;
  for (const v1::ApplyChangesRequest& request : plan.requests) {
    bar.Show(plan.name, done, plan.requests.size());
    if (!stream->Write(request) || !stream->Read(&response)) break;
    AddResults(request, response, tally);
    ++done;
  }
  stream->WritesDone();
  if (done == plan.requests.size() && stream->Read(&response)) {
    context.TryCancel();
    stream->Finish();
    return errors::ServerBrokeProtocol("more answers than messages");
  }
  RETURN_IF_ERROR(connection.Result(stream->Finish()));
  if (done != plan.requests.size())
    return errors::ServerBrokeProtocol("the stream ended before every change had its answer");
  return tally;
}

void PrintTally(const Options& options, const std::string& file, const RotaPlan& plan, const Tally& tally) {
  if (options.json) {
    Json rejections = Json::array();
    for (const Rejection& rejection : tally.rejections) {
      rejections.push_back(
          {{"external_id", rejection.external_id}, {"reason", rejection.reason}, {"message", rejection.message}});
    }
    PrintJson({{"file", file},
               {"branch", plan.name},
               {"carers", plan.carers},
               {"idle_carers", plan.idle_carers},
               {"service_users", plan.service_users},
               {"visits", plan.visits},
               {"double_up_visits", plan.double_up_visits},
               {"service_users_without_visit", plan.without_visit},
               {"created", tally.of(v1::CHANGE_OUTCOME_CREATED)},
               {"updated", tally.of(v1::CHANGE_OUTCOME_UPDATED)},
               {"unchanged", tally.of(v1::CHANGE_OUTCOME_UNCHANGED)},
               {"superseded", tally.of(v1::CHANGE_OUTCOME_SUPERSEDED)},
               {"waiting", tally.of(v1::CHANGE_OUTCOME_WAITING)},
               {"rejected", rejections},
               {"revision", tally.revision}});
    return;
  }
  const bool colour = UsesColour(STDOUT_FILENO);
  std::cout << absl::StrFormat("%s  %d carers (%d idle)  %d service users  %d visits (%d double-up)\n",
                               Paint(plan.name, Colour::kBold, colour), plan.carers, plan.idle_carers,
                               plan.service_users, plan.visits, plan.double_up_visits);
  std::cout << absl::StrFormat("  created %d  updated %d  unchanged %d  waiting %d  rejected %d  revision %d\n",
                               tally.of(v1::CHANGE_OUTCOME_CREATED), tally.of(v1::CHANGE_OUTCOME_UPDATED),
                               tally.of(v1::CHANGE_OUTCOME_UNCHANGED), tally.of(v1::CHANGE_OUTCOME_WAITING),
                               tally.rejections.size(), tally.revision);
  if (plan.without_visit > 0) std::cout << "  " << plan.without_visit << " service users are on no route: no visit\n";
  for (const Rejection& rejection : tally.rejections) {
    std::cout << "  " << Paint("rejected", Colour::kRed, colour) << " " << Printable(rejection.external_id) << ": "
              << rejection.reason << ": " << Printable(rejection.message) << "\n";
  }
  std::cout << std::flush;
}

absl::StatusOr<bool> ImportFile(const Connection& connection, const ImportWish& wish, const RotaSettings& settings,
                                const std::string& file) {
  ASSIGN_OR_RETURN(const std::string json, ReadFile(file, kRotaBytes));
  ASSIGN_OR_RETURN(const RotaPlan plan, PlanRota(file, json, settings));
  ASSIGN_OR_RETURN(const Tally tally, Send(connection, wish, plan));
  PrintTally(connection.options(), file, plan, tally);
  return tally.rejections.empty();
}

void TellFileError(const Options& options, const std::string& file, const absl::Status& status) {
  if (!options.json) return PrintError(status);
  PrintJson({{"file", file}, {"error", ErrorJson(status)}});
}

// A bad file does not keep the others from being imported; a server that does not answer does.
absl::StatusOr<ExitCode> ImportRotas(const Options& options, const ImportWish& wish) {
  ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay(wish.date));
  ASSIGN_OR_RETURN(const absl::CivilSecond day_start, ParseDayStart(day, wish.day_start));
  const Connection connection(options);
  ASSIGN_OR_RETURN(const absl::TimeZone zone, wish.time_zone.empty() ? TenantZone(connection) : ZoneOf(wish.time_zone));
  const RotaSettings settings{wish.source, day, absl::FromCivil(day_start, zone), absl::Now()};
  bool all_taken = true;
  for (const std::string& file : wish.files) {
    const absl::StatusOr<bool> taken = ImportFile(connection, wish, settings, file);
    if (!taken.ok()) TellFileError(options, file, taken.status());
    all_taken = all_taken && taken.ok() && *taken;
    if (absl::IsUnavailable(taken.status())) break;
  }
  return all_taken ? 0 : 1;
}

}  // namespace

void AddImportCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("import-rota", "Load rota files: each becomes a branch with its day's visits");
  command->footer(
      "The people are made up, the same ones each time; importing a file again changes nothing.\n"
      "Example:\n  caresync import-rota demo/rotas/*.json --date 2026-11-21 --tenant demo");
  const auto wish = std::make_shared<ImportWish>();
  command->add_option("FILE", wish->files, "Rota files (JSON)")->required()->check(NotEmpty);
  command->add_option("--date", wish->date, "The day of the rota: YYYY-MM-DD")->required();
  command->add_option("--source", wish->source, "The name of the sending system")
      ->capture_default_str()
      ->check(NotEmpty);
  command->add_option("--day-start", wish->day_start, "When the working day starts, HH:MM")->capture_default_str();
  command->add_option("--time-zone", wish->time_zone, "Of the day's start; without it, the tenant's")->check(NotEmpty);
  command->callback([&line, wish] { line.run = [&line, wish] { return ImportRotas(line.options, *wish); }; });
}

}  // namespace caresync::cli

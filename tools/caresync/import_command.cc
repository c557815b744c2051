#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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
#include "tools/caresync/instant.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/rota_import.h"
#include "tools/caresync/tenant_zone.h"
#include "tools/caresync/token_claims.h"
#include "tools/caresync/withdrawn_visits.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

// Two years: rotas are planned, and sent again, within far less.
constexpr int kDaysFromToday = 731;

struct ImportWish {
  std::vector<std::string> files;
  std::string date;
  bool any_date = false;
  std::optional<std::string> source;
  std::string day_start = "07:00";
  std::string time_zone;
};

struct Rejection {
  std::string external_id;
  std::string reason;
  std::string message;
};

// A change that is kept until what it refers to comes.
struct Waiting {
  std::string external_id;
  // External IDs.
  std::vector<std::string> missing;
};

// What came of one file.
struct Tally {
  // By ChangeOutcome.
  std::array<size_t, v1::ChangeOutcome_ARRAYSIZE> outcomes{};
  std::vector<Rejection> rejections;
  std::vector<Waiting> waiting;
  // Changes that had their result, and those that the file has.
  size_t answered = 0;
  size_t changes = 0;
  // Visits of an earlier import that were taken off the phones.
  size_t withdrawn = 0;
  // It could be looked up which visits there were.
  bool looked_up = true;
  uint64_t revision = 0;

  size_t of(v1::ChangeOutcome outcome) const { return outcomes[outcome]; }
  // Everything in the file is in the store, as the file has it.
  bool all_taken() const {
    return looked_up && answered == changes && rejections.empty() && waiting.empty() &&
           of(v1::CHANGE_OUTCOME_SUPERSEDED) == 0;
  }
};

// A rota of another year is a slip of the finger, and nobody would see its visits.
absl::Status CheckNear(absl::CivilDay day, absl::CivilDay today) {
  if (day >= today - kDaysFromToday && day <= today + kDaysFromToday) return absl::OkStatus();
  return errors::Usage(absl::StrCat("--date ", absl::FormatCivilTime(day), " is more than ", kDaysFromToday,
                                    " days from today. If it is meant, give --any-date as well"));
}

absl::StatusOr<absl::CivilSecond> ParseDayStart(absl::CivilDay day, const std::string& text) {
  absl::CivilMinute start;
  if (text.size() != 5 || !absl::ParseCivilTime(absl::StrCat(absl::FormatCivilTime(day), "T", text), &start)) {
    return errors::Usage(absl::StrCat("--day-start ", text, ": give a time such as 07:00"));
  }
  return absl::CivilSecond(start);
}

// Errors: SERVER_BROKE_PROTOCOL where the results are not those of the request's changes.
absl::Status AddResults(const v1::ApplyChangesRequest& request, const v1::ApplyChangesResponse& response,
                        Tally& tally) {
  if (response.results_size() != request.changes_size()) {
    return errors::ServerBrokeProtocol(
        absl::StrCat(response.results_size(), " results for ", request.changes_size(), " changes"));
  }
  tally.revision = response.commit().revision();
  for (int i = 0; i < request.changes_size(); ++i) {
    const v1::ChangeResult& result = response.results(i);
    const std::string& external_id = request.changes(i).external_id();
    if (static_cast<int>(result.index()) != i || !v1::ChangeOutcome_IsValid(result.outcome()) ||
        result.outcome() == v1::CHANGE_OUTCOME_UNSPECIFIED) {
      return errors::ServerBrokeProtocol(absl::StrCat("no result that this caresync knows for ", external_id));
    }
    ++tally.answered;
    ++tally.outcomes[result.outcome()];
    const bool is_cancelled = request.changes(i).visit().cancelled();
    if (is_cancelled && result.outcome() == v1::CHANGE_OUTCOME_UPDATED) ++tally.withdrawn;
    if (result.outcome() == v1::CHANGE_OUTCOME_REJECTED) {
      tally.rejections.push_back({external_id, result.error().reason(), result.error().message()});
    }
    if (result.outcome() != v1::CHANGE_OUTCOME_WAITING) continue;
    Waiting& waiting = tally.waiting.emplace_back();
    waiting.external_id = external_id;
    for (const v1::MissingReference& missing : result.missing()) waiting.missing.push_back(missing.external_id());
  }
  return absl::OkStatus();
}

// One message at a time: a rota is small, and each answer is one step of the bar. Where it fails, `tally` is what was
// answered till then.
absl::Status Send(const Connection& connection, const std::string& source, const RotaPlan& plan, Tally& tally) {
  for (const v1::ApplyChangesRequest& request : plan.requests) tally.changes += request.changes_size();
  grpc::ClientContext context;
  RETURN_IF_ERROR(connection.Prepare({access::Role::kRostering, source, std::nullopt}, absl::Minutes(10), context));
  const auto stub = v1::RosterService::NewStub(connection.channel());
  const auto stream = stub->ApplyChanges(&context);
  ProgressBar bar(!connection.options().json);
  absl::Status broke;
  size_t done = 0;
  v1::ApplyChangesResponse response;
  for (const v1::ApplyChangesRequest& request : plan.requests) {
    bar.Show(plan.name, done, plan.requests.size());
    if (!stream->Write(request) || !stream->Read(&response)) break;
    broke = AddResults(request, response, tally);
    if (!broke.ok()) break;
    ++done;
  }
  stream->WritesDone();
  if (broke.ok() && done == plan.requests.size() && stream->Read(&response)) {
    broke = errors::ServerBrokeProtocol("more answers than messages");
  }
  if (!broke.ok()) {
    context.TryCancel();
    stream->Finish();
    return broke;
  }
  RETURN_IF_ERROR(connection.Result(stream->Finish()));
  if (done == plan.requests.size()) return absl::OkStatus();
  return errors::ServerBrokeProtocol("the stream ended before every change had its answer");
}

std::string UnvisitedText(size_t unvisited, const Tally& tally) {
  const std::string users = unvisited == 1 ? "1 service user is" : absl::StrCat(unvisited, " service users are");
  if (!tally.looked_up) {
    return absl::StrCat(users,
                        " on no route: a visit that an earlier import gave stays, as --token may not look for it");
  }
  const std::string given =
      tally.withdrawn == 0 ? "" : absl::StrCat("; ", tally.withdrawn, " of an earlier import withdrawn");
  return absl::StrCat(users, " on no route: no visit", given);
}

void PrintTally(const Options& options, const std::string& file, const RotaPlan& plan, const Tally& tally) {
  if (options.json) {
    Json rejections = Json::array();
    for (const Rejection& rejection : tally.rejections) {
      rejections.push_back(
          {{"external_id", rejection.external_id}, {"reason", rejection.reason}, {"message", rejection.message}});
    }
    Json waiting = Json::array();
    for (const Waiting& change : tally.waiting) {
      waiting.push_back({{"external_id", change.external_id}, {"missing", change.missing}});
    }
    PrintJson({{"file", file},
               {"branch", plan.name},
               {"carers", plan.carers},
               {"idle_carers", plan.idle_carers},
               {"service_users", plan.service_users},
               {"visits", plan.visits},
               {"double_up_visits", plan.double_up_visits},
               {"service_users_without_visit", plan.unvisited.size()},
               {"earlier_visits_looked_up", tally.looked_up},
               {"visits_withdrawn", tally.withdrawn},
               {"changes", tally.changes},
               {"answered", tally.answered},
               {"created", tally.of(v1::CHANGE_OUTCOME_CREATED)},
               {"updated", tally.of(v1::CHANGE_OUTCOME_UPDATED)},
               {"unchanged", tally.of(v1::CHANGE_OUTCOME_UNCHANGED)},
               {"superseded", tally.of(v1::CHANGE_OUTCOME_SUPERSEDED)},
               {"waiting", tally.waiting.size()},
               {"waiting_changes", waiting},
               {"rejected", rejections},
               {"revision", tally.revision}});
    return;
  }
  const bool colour = UsesColour(STDOUT_FILENO);
  std::cout << absl::StrFormat("%s  %d carers (%d idle)  %d service users  %d visits (%d double-up)\n",
                               Paint(plan.name, Colour::kBold, colour), plan.carers, plan.idle_carers,
                               plan.service_users, plan.visits, plan.double_up_visits);
  std::cout << absl::StrFormat(
      "  created %d  updated %d  unchanged %d  superseded %d  waiting %d  rejected %d  revision %d\n",
      tally.of(v1::CHANGE_OUTCOME_CREATED), tally.of(v1::CHANGE_OUTCOME_UPDATED),
      tally.of(v1::CHANGE_OUTCOME_UNCHANGED), tally.of(v1::CHANGE_OUTCOME_SUPERSEDED), tally.waiting.size(),
      tally.rejections.size(), tally.revision);
  if (tally.answered < tally.changes) {
    std::cout << absl::StrFormat("  cut off: only %d of %d changes had an answer; import it again\n", tally.answered,
                                 tally.changes);
  }
  if (!plan.unvisited.empty()) std::cout << "  " << UnvisitedText(plan.unvisited.size(), tally) << "\n";
  for (const Waiting& change : tally.waiting) {
    std::cout << "  " << Paint("waiting", Colour::kYellow, colour) << " " << Printable(change.external_id) << ": for "
              << Printable(absl::StrJoin(change.missing, ", ")) << "\n";
  }
  for (const Rejection& rejection : tally.rejections) {
    std::cout << "  " << Paint("rejected", Colour::kRed, colour) << " " << Printable(rejection.external_id) << ": "
              << Printable(rejection.reason) << ": " << Printable(rejection.message) << "\n";
  }
  std::cout << std::flush;
}

// The file is the whole rota of its day: what an earlier import had beside it is cancelled.
absl::Status AddWithdrawn(const Connection& connection, const std::string& source, RotaPlan& plan, Tally& tally) {
  absl::StatusOr<std::vector<v1::RosterChange>> withdrawn = FindWithdrawn(connection, source, plan);
  tally.looked_up = !absl::IsPermissionDenied(withdrawn.status());
  if (!tally.looked_up) return absl::OkStatus();
  RETURN_IF_ERROR(withdrawn.status());
  for (v1::ApplyChangesRequest& request : InMessages(*std::move(withdrawn))) {
    plan.requests.push_back(std::move(request));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ImportFile(const Connection& connection, const RotaSettings& settings, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string json, ReadFile(file, kRotaBytes));
  ASSIGN_OR_RETURN(RotaPlan plan, PlanRota(file, json, settings));
  Tally tally;
  RETURN_IF_ERROR(AddWithdrawn(connection, settings.source, plan, tally));
  const absl::Status sent = Send(connection, settings.source, plan, tally);
  // What was answered is in the store, whatever came after.
  if (sent.ok() || tally.answered > 0) PrintTally(connection.options(), file, plan, tally);
  RETURN_IF_ERROR(sent);
  return tally.all_taken();
}

void TellFileError(const Options& options, const std::string& file, const absl::Status& status) {
  if (!options.json) return PrintError(status);
  PrintJson({{"file", file}, {"error", ErrorJson(status)}});
}

// `given` empty: the tenant's.
absl::StatusOr<absl::TimeZone> RotaZone(const Connection& connection, const std::string& given) {
  if (!given.empty()) return ZoneOf(given);
  absl::StatusOr<absl::TimeZone> zone = TenantZone(connection);
  if (!absl::IsPermissionDenied(zone.status())) return zone;
  return errors::Usage(
      "the credential may not read the tenant's time zone, which says when the day starts. Give --time-zone, such as "
      "--time-zone Europe/Rome");
}

// A bad file does not keep the others from being imported; a server that does not answer does.
absl::StatusOr<ExitCode> ImportRotas(const Options& options, const ImportWish& wish) {
  ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay("--date", wish.date));
  if (!wish.any_date) RETURN_IF_ERROR(CheckNear(day, absl::ToCivilDay(absl::Now(), absl::UTCTimeZone())));
  ASSIGN_OR_RETURN(const absl::CivilSecond day_start, ParseDayStart(day, wish.day_start));
  ASSIGN_OR_RETURN(const std::string source, SourceOf(options, wish.source));
  const Connection connection(options);
  ASSIGN_OR_RETURN(const absl::TimeZone zone, RotaZone(connection, wish.time_zone));
  const RotaSettings settings{source, day, absl::FromCivil(day_start, zone), absl::Now()};
  bool all_taken = true;
  bool reachable = true;
  for (const std::string& file : wish.files) {
    if (!reachable) {
      TellFileError(options, file, errors::FileNotImported(file));
      continue;
    }
    const absl::StatusOr<bool> taken = ImportFile(connection, settings, file);
    if (!taken.ok()) TellFileError(options, file, taken.status());
    all_taken = all_taken && taken.ok() && *taken;
    reachable = !absl::IsUnavailable(taken.status());
  }
  return all_taken ? 0 : 1;
}

}  // namespace

void AddImportCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("import-rota", "Load rota files: each becomes a branch with its day's visits");
  command->footer(
      "The people are made up, the same ones each time; importing a file again changes nothing.\n"
      "A file is the whole rota of its branch on that day: where a service user in it is on no route, a visit that\n"
      "an earlier import gave is cancelled. Of who is not in the file any more nothing is known: that visit stays.\n"
      "With --token of a rostering system it cannot be looked up which visits there are: none is cancelled.\n"
      "Ends with 0 where all of every file was taken, else with 1.\n"
      "Example:\n  caresync import-rota demo/rotas/*.json --date 2026-11-21 --tenant demo");
  const auto wish = std::make_shared<ImportWish>();
  command->add_option("FILE", wish->files, "Rota files (JSON)")->required()->check(NotEmpty);
  command->add_option("--date", wish->date, "The day of the rota: YYYY-MM-DD")->required();
  command->add_flag("--any-date", wish->any_date, "The day may be more than two years from today");
  command->add_option("--source", wish->source, "The name of the sending system; else the token's, or rota-import")
      ->check(NotEmpty);
  command->add_option("--day-start", wish->day_start, "When the working day starts, HH:MM")->capture_default_str();
  command
      ->add_option("--time-zone", wish->time_zone,
                   "Of the day's start; without it, the tenant's, which a rostering system's token may not read")
      ->check(NotEmpty);
  command->callback([&line, wish] { line.run = [&line, wish] { return ImportRotas(line.options, *wish); }; });
}

}  // namespace caresync::cli

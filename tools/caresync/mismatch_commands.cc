#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/v1/mismatches.grpc.pb.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/instant.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/mismatch_table.h"
#include "tools/caresync/output.h"
#include "tools/caresync/stream_reading.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

struct MismatchesWish {
  std::string branch;
  std::string carer;
  bool ended = false;
  bool group = false;
  // RFC 3339; empty: not given.
  std::string changed_from;
  std::string changed_until;
  std::string last_sync_from;
  std::string last_sync_until;
  StreamWish stream;
};

absl::StatusOr<v1::ListMismatchesRequest> ListRequest(const Connection& connection, const MismatchesWish& wish) {
  v1::ListMismatchesRequest request;
  request.set_ended(wish.ended);
  request.set_group(wish.group);
  if (!wish.changed_from.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_changed_from_time(), ParseInstant("--changed-from", wish.changed_from));
  }
  if (!wish.changed_until.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_changed_until_time(), ParseInstant("--changed-until", wish.changed_until));
  }
  if (!wish.last_sync_from.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_last_sync_from_time(), ParseInstant("--last-sync-from", wish.last_sync_from));
  }
  if (!wish.last_sync_until.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_last_sync_until_time(), ParseInstant("--last-sync-until", wish.last_sync_until));
  }
  if (!wish.branch.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_branch_id(), FindBranch(connection, wish.branch));
  }
  if (!wish.carer.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  }
  return request;
}

struct AllPages {
  std::vector<v1::Mismatch> mismatches;
  std::vector<v1::MismatchGroup> groups;
};

absl::StatusOr<AllPages> ReadPages(const Connection& connection, v1::ListMismatchesRequest request) {
  request.set_page_size(1000);
  AllPages all;
  RETURN_IF_ERROR(connection.CallPages(
      Caller(), &v1::MismatchService::Stub::ListMismatches, request, [&](const v1::ListMismatchesResponse& page) {
        all.mismatches.insert(all.mismatches.end(), page.mismatches().begin(), page.mismatches().end());
        all.groups.insert(all.groups.end(), page.groups().begin(), page.groups().end());
      }));
  return all;
}

template <typename Message>
Json ListOf(const std::vector<Message>& messages) {
  Json list = Json::array();
  for (const Message& message : messages) list.push_back(ToJson(message));
  return list;
}

absl::StatusOr<ExitCode> ListMismatches(const Options& options, const MismatchesWish& wish) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(v1::ListMismatchesRequest request, ListRequest(connection, wish));
  ASSIGN_OR_RETURN(const AllPages all, ReadPages(connection, std::move(request)));
  if (options.json) {
    PrintJson(wish.group ? Json{{"groups", ListOf(all.groups)}} : Json{{"mismatches", ListOf(all.mismatches)}});
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  if (wish.group) {
    std::cout << MismatchGroupTable(all.groups, {options.tenant, wish.branch, wish.carer}, zone, LookOf(STDOUT_FILENO));
    return 0;
  }
  std::cout << MismatchTable(all.mismatches, wish.ended, zone, LookOf(STDOUT_FILENO));
  std::cout << all.mismatches.size() << (all.mismatches.size() == 1 ? " mismatch\n" : " mismatches\n");
  return 0;
}

// Prints what came, a line for each: they come one after the other, and have no columns in common.
absl::Status ShowTold(const v1::WatchMismatchesResponse& response, const Options& options, absl::TimeZone zone) {
  if (response.restarted()) {
    std::cerr << "The token is too old or of another store: what was told is void, and all that are open come again\n";
  }
  if (options.json) {
    Json list = Json::array();
    for (const v1::Mismatch& mismatch : response.mismatches()) list.push_back(ToJson(mismatch));
    PrintJson({{"mismatches", list}, {"caught_up", response.caught_up()}, {"restarted", response.restarted()}});
    return FlushOutput();
  }
  for (const v1::Mismatch& mismatch : response.mismatches()) {
    std::cout << MismatchLine(mismatch, zone, UsesColour(STDOUT_FILENO)) << "\n";
  }
  return FlushOutput();
}

absl::StatusOr<ExitCode> WatchMismatches(const Options& options, const MismatchesWish& wish) {
  const Connection connection(options);
  absl::TimeZone zone;
  if (!options.json) {
    ASSIGN_OR_RETURN(zone, ShownZone(connection));
  }
  const auto stub = v1::MismatchService::NewStub(connection.channel());
  RETURN_IF_ERROR(ReadStream<v1::WatchMismatchesResponse>(
      connection, Caller(), wish.stream,
      [&](grpc::ClientContext& context, const std::string& resume_token) {
        v1::WatchMismatchesRequest request;
        request.set_follow(wish.stream.follow);
        request.set_resume_token(resume_token);
        return stub->WatchMismatches(&context, request);
      },
      [&](const v1::WatchMismatchesResponse& response) { return ShowTold(response, options, zone); }));
  return 0;
}

// Which mismatch, and what to make of it.
struct TransitionWish {
  std::string carer;
  std::string visit;
  std::string note;
  std::string length = "1h";
};

template <typename Request>
absl::StatusOr<Request> RequestOf(const Connection& connection, const TransitionWish& wish) {
  Request request;
  ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  request.set_visit_id(wish.visit);
  request.set_note(wish.note);
  return request;
}

absl::StatusOr<ExitCode> Show(const Connection& connection, const Options& options, const v1::Mismatch& mismatch) {
  if (options.json) {
    PrintJson(ToJson(mismatch));
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  const bool ended = mismatch.has_end_time();
  std::cout << MismatchTable({mismatch}, ended, zone, LookOf(STDOUT_FILENO));
  return 0;
}

absl::StatusOr<ExitCode> Close(const Options& options, const TransitionWish& wish) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(const auto request, RequestOf<v1::CloseMismatchRequest>(connection, wish));
  ASSIGN_OR_RETURN(const v1::Mismatch mismatch,
                   connection.Call(Caller(), &v1::MismatchService::Stub::CloseMismatch, request));
  return Show(connection, options, mismatch);
}

absl::StatusOr<ExitCode> Snooze(const Options& options, const TransitionWish& wish) {
  absl::Duration length;
  if (!absl::ParseDuration(wish.length, &length) || length <= absl::ZeroDuration()) {
    return errors::Usage(absl::StrCat("--for ", wish.length, ": give a time such as 30m or 2h"));
  }
  const Connection connection(options);
  ASSIGN_OR_RETURN(auto request, RequestOf<v1::SnoozeMismatchRequest>(connection, wish));
  *request.mutable_until_time() = base::ToTimestamp(absl::Now() + length);
  ASSIGN_OR_RETURN(const v1::Mismatch mismatch,
                   connection.Call(Caller(), &v1::MismatchService::Stub::SnoozeMismatch, request));
  return Show(connection, options, mismatch);
}

absl::StatusOr<ExitCode> Reopen(const Options& options, const TransitionWish& wish) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(const auto request, RequestOf<v1::ReopenMismatchRequest>(connection, wish));
  ASSIGN_OR_RETURN(const v1::Mismatch mismatch,
                   connection.Call(Caller(), &v1::MismatchService::Stub::ReopenMismatch, request));
  return Show(connection, options, mismatch);
}

using Transition = absl::StatusOr<ExitCode> (*)(const Options&, const TransitionWish&);

// A subcommand that names one mismatch.
std::shared_ptr<TransitionWish> AddTransition(CLI::App& command, CommandLine& line, Transition transition) {
  auto wish = std::make_shared<TransitionWish>();
  command.add_option("--carer", wish->carer, "Whose: ID or external ID")->required()->check(NotEmpty);
  command.add_option("--visit", wish->visit, "The visit's ID, as `caresync mismatches` tells it with --json")
      ->required()
      ->check(NotEmpty);
  command.add_option("--note", wish->note, "What others are to know of it");
  command.callback(
      [&line, wish, transition] { line.run = [&line, wish, transition] { return transition(line.options, *wish); }; });
  return wish;
}

}  // namespace

void AddMismatchGroup(CLI::App& app, CommandLine& line) {
  CLI::App* group = app.add_subcommand("mismatch", "What people make of one mismatch");
  group->require_subcommand(1);
  AddTransition(*group->add_subcommand("close", "Clear it; a further change of the visit raises it again"), line,
                Close);
  CLI::App* snooze = group->add_subcommand("snooze", "Put it off; a further change of the visit ends that");
  const std::shared_ptr<TransitionWish> wish = AddTransition(*snooze, line, Snooze);
  snooze->add_option("--for", wish->length, "How long, at most 24h")->capture_default_str();
  AddTransition(*group->add_subcommand("reopen", "Open one that is snoozed or closed"), line, Reopen);
}

void AddMismatchesCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command =
      app.add_subcommand("mismatches", "Changes of the rota that did not reach a carer's phone, the most urgent first");
  command->footer(
      "Examples:\n  caresync mismatches --tenant demo\n"
      "  caresync mismatches --tenant demo --branch \"Rome 003\"\n"
      "  caresync mismatches --tenant demo --carer 003-rome/c1 --ended\n"
      "  caresync mismatches --tenant demo --group\n"
      "  caresync mismatches --tenant demo --follow\n"
      "With --follow or --token-file those that are open or snoozed come first, then each one that changes. With\n"
      "--token-file the next run goes on where this one ended. With --follow it comes back by itself where the server "
      "was gone.");
  const auto wish = std::make_shared<MismatchesWish>();
  command->add_option("--branch", wish->branch, "Only visits that this branch gives: its name or ID")->check(NotEmpty);
  command->add_option("--carer", wish->carer, "Only this carer's: ID or external ID")->check(NotEmpty);
  CLI::Option* ended =
      command->add_flag("--ended", wish->ended, "Those that were put right or closed since, the last ones first");
  command
      ->add_flag(
          "--group", wish->group,
          "Many at once as one: of a carer, of what the rota changed in one go, of phones that fell silent together")
      ->excludes(ended);
  command->add_option("--changed-from", wish->changed_from, "Only those whose last change was then or later")
      ->check(NotEmpty);
  command->add_option("--changed-until", wish->changed_until, "Only those whose last change was then or earlier")
      ->check(NotEmpty);
  command
      ->add_option("--last-sync-from", wish->last_sync_from,
                   "Only those of phones that are silent or failing and synced last then or later")
      ->check(NotEmpty)
      ->excludes(ended);
  command->add_option("--last-sync-until", wish->last_sync_until, "Likewise, then or earlier")
      ->check(NotEmpty)
      ->excludes(ended);
  AddStreamOptions(*command, wish->stream, "Go on with each as it changes, until Ctrl-C");
  for (const char* of_stream : {"--token-file", "--follow"}) {
    for (const char* of_list : {"--branch", "--carer", "--ended", "--group", "--changed-from", "--changed-until",
                                "--last-sync-from", "--last-sync-until"}) {
      command->get_option(of_stream)->excludes(of_list);
    }
  }
  command->callback([&line, wish] {
    const bool watches = wish->stream.follow || !wish->stream.token_file.empty();
    line.run = [&line, wish, watches] {
      return watches ? WatchMismatches(line.options, *wish) : ListMismatches(line.options, *wish);
    };
  });
}

}  // namespace caresync::cli

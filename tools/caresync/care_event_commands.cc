#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "server/base/random.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/coming_back.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

// What a token file may hold: tokens are far smaller.
constexpr size_t kPlaceBytes = 4096;

struct EventsWish {
  std::string source = "rota-import";
  std::string token_file;
  bool follow = false;
};

std::string WhatHappened(const v1::CareEvent& event) {
  switch (event.what_case()) {
    case v1::CareEvent::kVisitStarted:
      return "visit started";
    case v1::CareEvent::kVisitFinished:
      return "visit finished";
    case v1::CareEvent::kActivityOutcome:
      return absl::StrCat("activity ", event.activity_outcome().activity_id(), " ",
                          EnumText(v1::ActivityOutcome::Outcome_Name(event.activity_outcome().outcome()), "OUTCOME_"));
    case v1::CareEvent::kFormSubmitted:
      return absl::StrCat("form ", event.form_submitted().form_id(), " submitted");
    case v1::CareEvent::kNote:
      return absl::StrCat("note: ", event.note().text());
    case v1::CareEvent::kRotaChangeSeen:
      return "rota change seen";
    case v1::CareEvent::WHAT_NOT_SET:
      return "nothing that this caresync knows";
  }
  return "";
}

void PrintDelivery(bool as_json, const v1::CareEventDelivery& delivery, absl::TimeZone zone) {
  v1::CareEvent event;
  const bool understood = event.ParseFromString(delivery.event());
  if (as_json) {
    PrintJson({{"event_id", delivery.event_id()},
               {"parent_kind", v1::RecordKind_Name(delivery.parent_kind())},
               {"parent_external_id", delivery.parent_external_id()},
               {"carer_external_id", delivery.carer_external_id()},
               {"event", understood ? ToJson(event) : nlohmann::ordered_json()}});
    return;
  }
  std::cout << PeopleTime(ToTime(event.occurred_time()), zone) << "  " << Printable(delivery.carer_external_id())
            << "  " << Printable(delivery.parent_external_id()) << "  " << Printable(WhatHappened(event)) << "\n";
}

// No file yet: from the beginning. One that cannot be read, or holds nothing, is no reason to begin anew.
absl::StatusOr<std::string> ReadPlace(const std::string& file) {
  ASSIGN_OR_RETURN(std::string token, ReadFileIfAny(file, kPlaceBytes));
  if (token.empty() && std::filesystem::exists(file)) {
    return errors::FileNotReadable(file,
                                   "it is empty, which no place in the stream is; without it all events come again");
  }
  return token;
}

// What has been read so far, over all streams.
struct Reading {
  std::string resume_token;
  size_t events = 0;
};

// Prints what came, then keeps the place behind it: events that came to nobody come again.
absl::Status Take(const v1::StreamCareEventsResponse& response, const Options& options, const EventsWish& wish,
                  absl::TimeZone zone, Reading& reading) {
  if (response.restarted()) std::cerr << "The token is too old or of another store: all events come again\n";
  for (const v1::CareEventDelivery& delivery : response.events()) PrintDelivery(options.json, delivery, zone);
  RETURN_IF_ERROR(FlushOutput());
  reading.events += response.events_size();
  if (response.resume_token().empty()) return absl::OkStatus();
  reading.resume_token = response.resume_token();
  return wish.token_file.empty() ? absl::OkStatus() : ReplaceFile(wish.token_file, reading.resume_token);
}

// One stream, from where `reading` is to its end.
absl::Status ReadStream(const Connection& connection, const EventsWish& wish, absl::TimeZone zone, Reading& reading,
                        ComingBack& coming_back) {
  v1::StreamCareEventsRequest request;
  request.set_follow(wish.follow);
  request.set_resume_token(reading.resume_token);
  grpc::ClientContext context;
  const Caller caller{access::Role::kRostering, wish.source, std::nullopt};
  RETURN_IF_ERROR(connection.Prepare(caller, wish.follow ? absl::InfiniteDuration() : absl::Minutes(10), context));
  const auto stub = v1::RosterService::NewStub(connection.channel());
  const auto stream = stub->StreamCareEvents(&context, request);
  v1::StreamCareEventsResponse response;
  while (stream->Read(&response)) {
    coming_back.Heard();
    if (absl::Status status = Take(response, connection.options(), wish, zone, reading); !status.ok()) {
      context.TryCancel();
      stream->Finish();
      return status;
    }
  }
  return connection.Result(stream->Finish());
}

absl::StatusOr<ExitCode> StreamEvents(const Options& options, const EventsWish& wish) {
  Reading reading;
  if (!wish.token_file.empty()) {
    ASSIGN_OR_RETURN(reading.resume_token, ReadPlace(wish.token_file));
  }
  const Connection connection(options);
  absl::TimeZone zone;
  if (!options.json) {
    ASSIGN_OR_RETURN(zone, ShownZone(connection));
  }
  base::SystemRandom random;
  ComingBack coming_back(random, /*new_credential=*/options.token.empty());
  absl::Status end = ReadStream(connection, wish, zone, reading, coming_back);
  while (wish.follow && !end.ok()) {
    const std::optional<absl::Duration> pause = coming_back.PauseAfter(end);
    if (!pause) break;
    absl::SleepFor(*pause);
    end = ReadStream(connection, wish, zone, reading, coming_back);
  }
  RETURN_IF_ERROR(end);
  if (!options.json) std::cout << reading.events << (reading.events == 1 ? " event\n" : " events\n");
  return 0;
}

}  // namespace

void AddCareEventsCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("care-events", "What carers recorded, as a rostering system reads it");
  command->footer(
      "Example:\n  caresync care-events --tenant demo --follow\n"
      "With --token-file the next run goes on where this one ended. With --follow it comes back by itself where the "
      "server was gone.");
  const auto wish = std::make_shared<EventsWish>();
  command->add_option("--source", wish->source, "The rostering system whose visits they are of")
      ->capture_default_str()
      ->check(NotEmpty);
  command->add_option("--token-file", wish->token_file, "Keeps the place in the stream")->check(NotEmpty);
  command->add_flag("--follow", wish->follow, "Go on with events as they come, until Ctrl-C");
  command->callback([&line, wish] { line.run = [&line, wish] { return StreamEvents(line.options, *wish); }; });
}

}  // namespace caresync::cli

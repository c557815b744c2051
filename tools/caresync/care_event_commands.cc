#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/roster.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/stream_reading.h"
#include "tools/caresync/tenant_zone.h"
#include "tools/caresync/token_claims.h"

namespace caresync::cli {
namespace {

struct EventsWish {
  std::optional<std::string> source;
  StreamWish stream;
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
               {"device_uuid", delivery.device_uuid()},
               {"sequence", delivery.sequence()},
               {"event", understood ? ToJson(event) : nlohmann::ordered_json()}});
    return;
  }
  std::cout << PeopleTime(ToTime(event.occurred_time()), zone) << "  " << Printable(delivery.carer_external_id())
            << "  " << Printable(delivery.parent_external_id()) << "  " << Printable(WhatHappened(event)) << "\n";
}

// What came, each device's events in the order in which it recorded them: what one commit took has no order of its own.
// What is of different devices stays in the order in which it came.
std::vector<const v1::CareEventDelivery*> AsRecorded(const v1::StreamCareEventsResponse& response) {
  std::vector<const v1::CareEventDelivery*> events;
  std::map<std::string, std::vector<size_t>> places_of_device;
  for (const v1::CareEventDelivery& event : response.events()) {
    places_of_device[event.device_uuid()].push_back(events.size());
    events.push_back(&event);
  }
  for (const auto& [device, places] : places_of_device) {
    std::vector<const v1::CareEventDelivery*> recorded;
    for (const size_t place : places) recorded.push_back(events[place]);
    std::stable_sort(recorded.begin(), recorded.end(),
                     [](const v1::CareEventDelivery* one, const v1::CareEventDelivery* other) {
                       return one->sequence() < other->sequence();
                     });
    for (size_t i = 0; i < places.size(); ++i) events[places[i]] = recorded[i];
  }
  return events;
}

// Prints what came.
absl::Status Show(const v1::StreamCareEventsResponse& response, const Options& options, absl::TimeZone zone) {
  if (response.restarted()) std::cerr << "The token is too old or of another store: all events come again\n";
  for (const v1::CareEventDelivery* const delivery : AsRecorded(response)) PrintDelivery(options.json, *delivery, zone);
  return FlushOutput();
}

absl::StatusOr<ExitCode> StreamEvents(const Options& options, const EventsWish& wish) {
  ASSIGN_OR_RETURN(const std::string source, SourceOf(options, wish.source));
  const Connection connection(options);
  absl::TimeZone zone;
  if (!options.json) {
    ASSIGN_OR_RETURN(zone, ShownZone(connection));
  }
  const auto stub = v1::RosterService::NewStub(connection.channel());
  size_t events = 0;
  RETURN_IF_ERROR(ReadStream<v1::StreamCareEventsResponse>(
      connection, {access::Role::kRostering, source, std::nullopt}, wish.stream,
      [&](grpc::ClientContext& context, const std::string& resume_token) {
        v1::StreamCareEventsRequest request;
        request.set_follow(wish.stream.follow);
        request.set_resume_token(resume_token);
        return stub->StreamCareEvents(&context, request);
      },
      [&](const v1::StreamCareEventsResponse& response) {
        events += response.events_size();
        return Show(response, options, zone);
      }));
  if (!options.json) std::cout << events << (events == 1 ? " event\n" : " events\n");
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
  command
      ->add_option("--source", wish->source,
                   "The rostering system whose visits they are of; else the token's, or rota-import")
      ->check(NotEmpty);
  AddStreamOptions(*command, wish->stream, "Go on with events as they come, until Ctrl-C");
  command->callback([&line, wish] { line.run = [&line, wish] { return StreamEvents(line.options, *wish); }; });
}

}  // namespace caresync::cli

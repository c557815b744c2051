#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "caresync/v1/deliveries.grpc.pb.h"
#include "caresync/v1/devices.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/delivery_table.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/instant.h"
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
  std::cout << VisitWayText(told, zone, LookOf(STDOUT_FILENO));
  return 0;
}

struct DeliveriesWish {
  std::string visit;
  std::string carer;
  std::string device;
  // RFC 3339; empty: not given.
  std::string from;
  std::string to;
  bool late_only = false;
};

absl::StatusOr<v1::ListDeliveriesRequest> ListRequest(const Connection& connection, const DeliveriesWish& wish) {
  v1::ListDeliveriesRequest request;
  request.set_page_size(1000);
  request.set_visit_id(wish.visit);
  request.set_device_uuid(wish.device);
  request.set_late_only(wish.late_only);
  if (!wish.from.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_committed_from_time(), ParseInstant("--from", wish.from));
  }
  if (!wish.to.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_committed_until_time(), ParseInstant("--to", wish.to));
  }
  if (!wish.carer.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_carer_id(), FindCarer(connection, wish.carer));
  }
  return request;
}

// Errors: DEVICE_UNKNOWN; those of the call.
absl::Status CheckKnown(const Connection& connection, const std::string& device_uuid) {
  v1::GetDeviceRequest request;
  request.set_device_uuid(device_uuid);
  return connection.Call(Caller(), &v1::DeviceService::Stub::GetDevice, request).status();
}

absl::StatusOr<ExitCode> ListDeliveries(const Options& options, const DeliveriesWish& wish) {
  const Connection connection(options);
  // Nothing became of any change on a device that does not exist, and that would look like an answer.
  if (!wish.device.empty()) RETURN_IF_ERROR(CheckKnown(connection, wish.device));
  ASSIGN_OR_RETURN(v1::ListDeliveriesRequest request, ListRequest(connection, wish));
  std::vector<v1::Delivery> deliveries;
  RETURN_IF_ERROR(connection.CallPages(
      Caller(), &v1::DeliveryService::Stub::ListDeliveries, request, [&](const v1::ListDeliveriesResponse& page) {
        deliveries.insert(deliveries.end(), page.deliveries().begin(), page.deliveries().end());
      }));
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::Delivery& delivery : deliveries) list.push_back(ToJson(delivery));
    PrintJson({{"deliveries", list}});
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  std::cout << DeliveryTable(deliveries, zone, LookOf(STDOUT_FILENO));
  std::cout << deliveries.size() << (deliveries.size() == 1 ? " change\n" : " changes\n");
  return 0;
}

struct ViewWish {
  std::string device;
  std::string carer;
  // RFC 3339; empty: now.
  std::string at;
};

// A carer of whom the device may have shown something, and how people name that carer.
struct ViewedCarer {
  std::string id;
  std::string name;
};

// The one that is wished for; else all that the report lists of the device.
absl::StatusOr<std::vector<ViewedCarer>> CarersOf(const Connection& connection, const ViewWish& wish) {
  if (!wish.carer.empty()) {
    ASSIGN_OR_RETURN(std::string id, FindCarer(connection, wish.carer));
    return std::vector<ViewedCarer>({{std::move(id), wish.carer}});
  }
  v1::GetDeviceRequest request;
  request.set_device_uuid(wish.device);
  ASSIGN_OR_RETURN(const v1::Device device, connection.Call(Caller(), &v1::DeviceService::Stub::GetDevice, request));
  std::vector<ViewedCarer> carers;
  for (const v1::DeviceUser& user : device.users()) {
    carers.push_back({user.carer_id(), user.carer_name().empty() ? user.carer_id() : user.carer_name()});
  }
  return carers;
}

// All pages as one.
absl::StatusOr<v1::GetDeviceViewResponse> ReadView(const Connection& connection, v1::GetDeviceViewRequest request) {
  request.set_page_size(1000);
  ASSIGN_OR_RETURN(v1::GetDeviceViewResponse view,
                   connection.Call(Caller(), &v1::DeliveryService::Stub::GetDeviceView, request));
  while (!view.next_page_token().empty()) {
    request.set_page_token(view.next_page_token());
    ASSIGN_OR_RETURN(const v1::GetDeviceViewResponse page,
                     connection.Call(Caller(), &v1::DeliveryService::Stub::GetDeviceView, request));
    view.mutable_visits()->MergeFrom(page.visits());
    view.set_next_page_token(page.next_page_token());
  }
  return view;
}

absl::StatusOr<ExitCode> ShowDeviceView(const Options& options, const ViewWish& wish) {
  v1::GetDeviceViewRequest request;
  request.set_device_uuid(wish.device);
  if (!wish.at.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_view_time(), ParseInstant("--at", wish.at));
  }
  const Connection connection(options);
  ASSIGN_OR_RETURN(const std::vector<ViewedCarer> carers, CarersOf(connection, wish));
  std::vector<v1::GetDeviceViewResponse> views;
  for (const ViewedCarer& carer : carers) {
    request.set_carer_id(carer.id);
    ASSIGN_OR_RETURN(v1::GetDeviceViewResponse view, ReadView(connection, request));
    views.push_back(std::move(view));
  }
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::GetDeviceViewResponse& view : views) list.push_back(ToJson(view));
    PrintJson({{"views", list}});
    return 0;
  }
  ASSIGN_OR_RETURN(const absl::TimeZone zone, ShownZone(connection));
  for (size_t i = 0; i < views.size(); ++i) {
    if (i > 0) std::cout << "\n";
    std::cout << DeviceViewText(views[i], carers[i].name, zone, LookOf(STDOUT_FILENO));
  }
  if (views.empty()) std::cout << "the device has no users, and holds nothing of anybody\n";
  return 0;
}

}  // namespace

void AddDeliveriesCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command =
      app.add_subcommand("deliveries", "What became of changes of the rota on carers' devices, the oldest first");
  command->footer(
      "Examples:\n  caresync deliveries --tenant demo --visit 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81\n"
      "  caresync deliveries --tenant demo --carer 003-rome/c1 --from 2026-11-21T00:00:00Z\n"
      "  caresync deliveries --tenant demo --late --from 2026-11-21T00:00:00Z\n"
      "Give at least one of --visit, --carer, --device, --from and --to.");
  const auto wish = std::make_shared<DeliveriesWish>();
  command->add_option("--visit", wish->visit, "Only changes of this visit: its ID")->check(NotEmpty);
  command->add_option("--carer", wish->carer, "Only what concerned this carer: ID or external ID")->check(NotEmpty);
  command->add_option("--device", wish->device, "Only what became of it on this device: its UUID")->check(NotEmpty);
  command->add_option("--from", wish->from, "Only what was committed then or later")->check(NotEmpty);
  command->add_option("--to", wish->to, "Only what was committed before then")->check(NotEmpty);
  command->add_flag("--late", wish->late_only,
                    "Only what was not on the carer's phone as soon as is promised, and why (20 minutes, or 24 hours "
                    "where the visit was more than 72 hours ahead)");
  command->callback([&line, wish] {
    line.run = [&line, wish]() -> absl::StatusOr<ExitCode> {
      const bool given = !wish->visit.empty() || !wish->carer.empty() || !wish->device.empty() || !wish->from.empty() ||
                         !wish->to.empty();
      if (!given) return errors::Usage("give at least one of --visit, --carer, --device, --from and --to");
      return ListDeliveries(line.options, *wish);
    };
  });
}

void AddDeviceViewCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("device-view", "Which visits a device showed at a moment, and how");
  command->footer(
      "Example:\n"
      "  caresync device-view 6f9b1c1e-3c0f-4c6e-9d0e-0c2b5f6a7d81 --at 2026-11-21T07:02:00Z --tenant demo");
  const auto wish = std::make_shared<ViewWish>();
  command->add_option("UUID", wish->device, "The device")->required()->check(NotEmpty);
  command->add_option("--carer", wish->carer, "Only this carer's visits: ID or external ID")->check(NotEmpty);
  command->add_option("--at", wish->at, "The moment; without it now")->check(NotEmpty);
  command->callback([&line, wish] { line.run = [&line, wish] { return ShowDeviceView(line.options, *wish); }; });
}

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

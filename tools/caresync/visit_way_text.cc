#include "tools/caresync/visit_way_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

Cell StateCell(v1::DeliveryStepState state) {
  switch (state) {
    case v1::DELIVERY_STEP_STATE_DONE:
      return {"done", Colour::kGreen};
    case v1::DELIVERY_STEP_STATE_FAILED:
      return {"failed", Colour::kRed};
    case v1::DELIVERY_STEP_STATE_UNKNOWN:
      return {"unknown", Colour::kYellow};
    default:
      return {"-", Colour::kDim};
  }
}

std::string Steps(const v1::ExplainVisitResponse& told, const Look& look) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(static_cast<size_t>(told.steps_size()));
  for (const v1::DeliveryStepTold& step : told.steps()) {
    rows.push_back({EnumText(v1::DeliveryStep_Name(step.step()), "DELIVERY_STEP_"), StateCell(step.state()),
                    EnumText(v1::DeliveryFault_Name(step.fault()), "DELIVERY_FAULT_"), step.text()});
    const bool no_fault = step.fault() == v1::DELIVERY_FAULT_UNSPECIFIED;
    if (no_fault) rows.back()[2] = Cell("");
  }
  return FormatTable({"Step", "State", "Fault", "What is known"}, rows, look);
}

// Where the device stands on the way of changes to it.
std::string Positions(const v1::ExplainVisitResponse& told) {
  return absl::StrCat("the visit's ", told.visit_revision(), ", in what the carer's devices get ", told.feed_revision(),
                      ", acknowledged up to ", told.acknowledged_revision());
}

// Those that are known.
std::string Facts(const v1::ExplainVisitResponse& told, absl::TimeZone zone, const Look& look) {
  std::vector<std::vector<Cell>> rows;
  const auto add_time = [&](const char* what, bool known, const google::protobuf::Timestamp& time) {
    if (known) rows.push_back({what, PeopleTime(ToTime(time), zone)});
  };
  if (told.has_planned()) rows.push_back({"Service user", told.planned().service_user_name()});
  add_time("Planned start", told.has_planned(), told.planned().start_time());
  add_time("Planned end", told.has_planned(), told.planned().end_time());
  add_time("Changed in the rostering system", told.has_source_changed_time(), told.source_changed_time());
  add_time("Last change for the carer", told.has_last_change_time(), told.last_change_time());
  add_time("Comes to devices", told.has_enters_window_time(), told.enters_window_time());
  if (told.has_device()) {
    const v1::MismatchDevice& device = told.device();
    rows.push_back({"Device", device.device_name()});
    rows.push_back({"Device UUID", device.device_uuid()});
    add_time("Last API call time", device.has_last_api_call_time(), device.last_api_call_time());
    if (device.last_api_call() != v1::CALL_STATE_UNSPECIFIED) {
      const std::string call = EnumText(v1::CallState_Name(device.last_api_call()), "CALL_STATE_");
      const std::string& reason = device.last_api_call_reason();
      rows.push_back({"Last API call", reason.empty() ? call : absl::StrCat(call, " (", reason, ")")});
    }
    rows.push_back({"Last successful sync", device.has_last_successful_sync_time()
                                                ? PeopleTime(ToTime(device.last_successful_sync_time()), zone)
                                                : "Never"});
  }
  for (const std::string& uuid : told.assigned_device_uuids()) rows.push_back({"A device of the carer's", uuid});
  add_time("Seen", told.has_seen_time(), told.seen_time());
  rows.push_back({"Revisions", Positions(told)});
  return FormatTable({"Fact", ""}, rows, look);
}

}  // namespace

std::string VisitWayText(const v1::ExplainVisitResponse& told, absl::TimeZone zone, const Look& look) {
  std::string text = absl::StrCat(Printable(told.headline()), "\n");
  if (!told.advice().empty()) absl::StrAppend(&text, Printable(told.advice()), "\n");
  return absl::StrCat(text, "\n", Steps(told, look), "\n", Facts(told, zone, look));
}

}  // namespace caresync::cli

#include "tools/caresync/delivery_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

Cell StateCell(v1::DeliveryState state) {
  const std::string text = EnumText(v1::DeliveryState_Name(state), "DELIVERY_STATE_");
  switch (state) {
    case v1::DELIVERY_STATE_APPLIED:
      return {text, Colour::kGreen};
    case v1::DELIVERY_STATE_SUPERSEDED:
      return {text, Colour::kDim};
    case v1::DELIVERY_STATE_NOT_SENT:
      return {text, Colour::kRed};
    default:
      return {text, Colour::kYellow};
  }
}

// As the day goes; those of which no time is known come last.
std::vector<const v1::ViewedVisit*> InOrderOfStart(const v1::GetDeviceViewResponse& view) {
  std::vector<const v1::ViewedVisit*> visits;
  for (const v1::ViewedVisit& visit : view.visits()) visits.push_back(&visit);
  const auto start = [](const v1::ViewedVisit& visit) {
    return visit.shown().has_start_time() ? ToTime(visit.shown().start_time()) : absl::InfiniteFuture();
  };
  std::stable_sort(visits.begin(), visits.end(), [&](const v1::ViewedVisit* one, const v1::ViewedVisit* other) {
    return start(*one) < start(*other);
  });
  return visits;
}

// Records that are gone have no name.
std::string NameOr(const std::string& name, const std::string& id) { return name.empty() ? id : name; }

std::string TimeText(bool known, const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return known ? PeopleTime(ToTime(time), zone) : "-";
}

// What the carer's devices were to show by the change.
std::string ChangeText(const v1::Delivery& delivery, absl::TimeZone zone) {
  if (!delivery.has_visit()) return EnumText(v1::VisitGone_Name(delivery.gone()), "VISIT_GONE_");
  return TimeText(delivery.visit().has_start_time(), delivery.visit().start_time(), zone);
}

// Why it was not seen as soon as is promised.
Cell LateCell(const v1::Delivery& delivery) {
  switch (delivery.late_reason()) {
    case v1::DELIVERY_LATE_REASON_UNSPECIFIED:
      return {"-"};
    case v1::DELIVERY_LATE_REASON_SENT_LATE:
      return {"sent late by the rostering system", Colour::kYellow};
    case v1::DELIVERY_LATE_REASON_WAITED:
      return {"waited for another record", Colour::kYellow};
    default:
      break;
  }
  if (delivery.late_cause() == v1::MISMATCH_CAUSE_UNSPECIFIED) return {"acknowledged late", Colour::kYellow};
  return {EnumText(v1::MismatchCause_Name(delivery.late_cause()), "MISMATCH_CAUSE_"), Colour::kRed};
}

// What is known where the device showed nothing that could be listed.
std::string KnownText(v1::DeviceViewKnown known) {
  switch (known) {
    case v1::DEVICE_VIEW_KNOWN_ALL:
      return "showed";
    case v1::DEVICE_VIEW_KNOWN_NO_COPY:
      return "held no whole copy of this carer's records";
    default:
      return "showed what is not known: it is too long ago, or the phone held what this server does not know";
  }
}

}  // namespace

std::string DeliveryTable(const std::vector<v1::Delivery>& deliveries, absl::TimeZone zone, const Look& look) {
  const bool has_late = std::any_of(deliveries.begin(), deliveries.end(), [](const v1::Delivery& delivery) {
    return delivery.late_reason() != v1::DELIVERY_LATE_REASON_UNSPECIFIED;
  });
  std::vector<std::vector<Cell>> rows;
  for (const v1::Delivery& delivery : deliveries) {
    const std::vector<Cell> change = {
        TimeText(delivery.has_committed_time(), delivery.committed_time(), zone),
        NameOr(delivery.carer_name(), delivery.carer_id()), ChangeText(delivery, zone),
        delivery.has_visit() ? NameOr(delivery.visit().service_user_name(), delivery.visit().service_user_id()) : "-"};
    std::vector<Cell> end = {TimeText(delivery.has_seen_time(), delivery.seen_time(), zone)};
    if (has_late) end.push_back(LateCell(delivery));
    for (const v1::DeviceDelivery& device : delivery.devices()) {
      std::vector<Cell>& row = rows.emplace_back(change);
      row.insert(row.end(), {NameOr(device.device_name(), device.device_uuid()), StateCell(device.state()),
                             TimeText(device.has_sent_time(), device.sent_time(), zone),
                             TimeText(device.has_applied_time(), device.applied_time(), zone)});
      row.insert(row.end(), end.begin(), end.end());
    }
    if (!delivery.devices().empty()) continue;
    std::vector<Cell>& row = rows.emplace_back(change);
    row.insert(row.end(), {Cell("none", Colour::kYellow), "-", "-", "-"});
    row.insert(row.end(), end.begin(), end.end());
  }
  std::vector<std::string> titles = {"Committed", "Carer", "Visit start",  "Service user", "Device",
                                     "State",     "Sent",  "Acknowledged", "Seen"};
  if (has_late) titles.emplace_back("Late");
  return FormatTable(titles, rows, look);
}

std::string DeviceViewText(const v1::GetDeviceViewResponse& view, const std::string& carer, absl::TimeZone zone,
                           const Look& look) {
  std::string text = absl::StrCat(Printable(carer), ", ", PeopleTime(ToTime(view.view_time()), zone), ": the device ",
                                  KnownText(view.known()));
  const bool all = view.known() == v1::DEVICE_VIEW_KNOWN_ALL;
  if (all) absl::StrAppend(&text, " ", view.visits_size(), view.visits_size() == 1 ? " visit" : " visits");
  if (view.has_heard_time()) {
    absl::StrAppend(&text, " (it last said so at ", PeopleTime(ToTime(view.heard_time()), zone), ")");
  }
  absl::StrAppend(&text, "\n");
  if (view.cloned())
    absl::StrAppend(&text, "Two phones use this UUID: one of them said so, the other may have shown something else.\n");
  if (view.visits().empty()) return text;
  std::vector<std::vector<Cell>> rows;
  rows.reserve(static_cast<size_t>(view.visits_size()));
  for (const v1::ViewedVisit* const listed : InOrderOfStart(view)) {
    const v1::ViewedVisit& visit = *listed;
    const v1::VisitShown& shown = visit.shown();
    rows.push_back({TimeText(shown.has_start_time(), shown.start_time(), zone),
                    TimeText(shown.has_end_time(), shown.end_time(), zone),
                    visit.has_shown() ? NameOr(shown.service_user_name(), shown.service_user_id()) : "-",
                    visit.visit_id(), TimeText(visit.has_committed_time(), visit.committed_time(), zone),
                    visit.certain() ? Cell("yes") : Cell("no", Colour::kYellow)});
  }
  absl::StrAppend(
      &text, FormatTable({"Visit start", "Visit end", "Service user", "Visit", "As committed", "Certain"}, rows, look));
  return text;
}

}  // namespace caresync::cli

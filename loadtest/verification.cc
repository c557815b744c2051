#include "loadtest/verification.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

// Records that a difference names.
constexpr size_t kNamed = 3;

bool IsAccepted(const OwnEvent& event) {
  if (!event.result.has_value()) return false;
  // KNOWN: it was accepted, or kept for review, when it came first and its result was lost.
  const bool known = event.result->outcome() == v1::EVENT_OUTCOME_KNOWN;
  return event.result->outcome() == v1::EVENT_OUTCOME_ACCEPTED ||
         (known && event.result->review_reason() == v1::REVIEW_REASON_UNSPECIFIED);
}

// The reasons that a rota which changes meanwhile explains.
bool IsExplainedByChange(v1::ReviewReason reason) {
  return reason == v1::REVIEW_REASON_VISIT_UNKNOWN || reason == v1::REVIEW_REASON_VISIT_CANCELLED ||
         reason == v1::REVIEW_REASON_CARER_NOT_ASSIGNED || reason == v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE ||
         reason == v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW;
}

void CheckReview(const OwnEvent& event, const Model& model, std::vector<std::string>& faults) {
  v1::CareEvent care_event;
  care_event.ParseFromString(event.upload.event());
  const v1::ReviewReason reason = event.result->review_reason();
  const std::string what =
      absl::StrCat("event ", event.upload.event_id(), " is for review, ", v1::ReviewReason_Name(reason));
  if (!IsExplainedByChange(reason)) {
    faults.push_back(what);
  } else if (!model.WasEverHidden(care_event.carer_id(), event.parent)) {
    faults.push_back(absl::StrCat(what, ", though its carer always could see ", ToText(event.parent)));
  }
}

void CheckDelivery(const OwnEvent& event, const v1::CareEventDelivery& delivery, const Model& model,
                   std::vector<std::string>& faults) {
  const bool same = delivery.event() == event.upload.event() && delivery.sequence() == event.upload.sequence() &&
                    delivery.device_uuid() == event.device_uuid && delivery.parent_kind() == event.parent.kind &&
                    delivery.parent_external_id() == model.ExternalIdOf(event.parent);
  if (!same) faults.push_back(absl::StrCat("event ", delivery.event_id(), " was read back otherwise than recorded"));
}

void AppendNames(const std::string& what, const std::vector<RecordName>& names, std::string& text) {
  if (names.empty()) return;
  absl::StrAppend(&text, "; ", names.size(), " ", what, ":");
  for (size_t i = 0; i < std::min(names.size(), kNamed); ++i) absl::StrAppend(&text, " ", ToText(names[i]));
}

void CompareDevices(const Model& model, const Fleet& fleet, Faults& faults, Verified& verified) {
  const std::map<std::string, Holdings> expected = model.Expected();
  for (size_t i = 0; i < fleet.size(); ++i) {
    const VirtualDevice& device = fleet.device(i);
    const auto of_carer = expected.find(device.carer_id());
    std::string difference = "its carer is not known to the model";
    if (of_carer != expected.end()) difference = DifferenceOf(device.copy(), of_carer->second);
    if (difference.empty() && device.is_rebuilding()) difference = "a rebuild is unfinished";
    if (difference.empty() && device.unsent() > 0) {
      difference = absl::StrCat(device.unsent(), " events have no result");
    }
    ++verified.devices;
    verified.records += device.copy().records().size();
    if (difference.empty()) continue;
    ++verified.devices_different;
    faults.Add(
        absl::StrCat("device ", i, " (", device.uuid(), ", carer ", device.carer_id(), ") differs: ", difference));
  }
}

}  // namespace

std::string DifferenceOf(const HeldCopy& held, const Holdings& expected) {
  std::vector<RecordName> missing;
  std::vector<RecordName> other;
  std::vector<RecordName> surplus;
  for (const auto& [name, payload] : expected) {
    const auto record = held.records().find(name);
    if (record == held.records().end()) {
      missing.push_back(name);
    } else if (record->second.payload != payload) {
      other.push_back(name);
    }
  }
  for (const auto& [name, record] : held.records()) {
    if (!expected.contains(name)) surplus.push_back(name);
  }
  const v1::CopySum kept = held.Sum();
  const v1::CopySum recounted = held.Recount();
  const bool counted_right = kept.count() == recounted.count() && kept.sum() == recounted.sum();
  if (missing.empty() && other.empty() && surplus.empty() && counted_right) return "";
  std::string text = absl::StrCat("it holds ", held.records().size(), " records and must hold ", expected.size());
  AppendNames("missing", missing, text);
  AppendNames("with other content", other, text);
  AppendNames("too much", surplus, text);
  if (!counted_right) text += "; its count and sum are not those of its records";
  return text;
}

std::vector<std::string> FaultsOfEvents(const std::vector<const OwnEvent*>& settled,
                                        const std::vector<v1::CareEventDelivery>& delivered, const Model& model) {
  std::vector<std::string> faults;
  std::map<std::string, const v1::CareEventDelivery*> by_id;
  for (const v1::CareEventDelivery& delivery : delivered) {
    if (!by_id.emplace(delivery.event_id(), &delivery).second) {
      faults.push_back(absl::StrCat("event ", delivery.event_id(), " was read back twice"));
    }
  }
  for (const OwnEvent* event : settled) {
    const std::string& id = event->upload.event_id();
    const auto delivery = by_id.find(id);
    if (!IsAccepted(*event)) {
      CheckReview(*event, model, faults);
      // It was taken by itself since, when what it waited for came.
      if (delivery == by_id.end()) continue;
      CheckDelivery(*event, *delivery->second, model, faults);
      by_id.erase(delivery);
      continue;
    }
    if (delivery == by_id.end()) {
      faults.push_back(absl::StrCat("event ", id, " was accepted, and cannot be read back"));
      continue;
    }
    CheckDelivery(*event, *delivery->second, model, faults);
    by_id.erase(delivery);
  }
  for (const auto& [id, delivery] : by_id) {
    faults.push_back(absl::StrCat("event ", id, " was read back, and no device has it as accepted"));
  }
  return faults;
}

absl::Status Verify(Agency& agency, Fleet& fleet, Tally& tally, Faults& faults, Verified& verified) {
  fleet.RunOnce(v1::SYNC_TYPE_STANDARD, tally);
  fleet.RunOnce(v1::SYNC_TYPE_AUTO, tally);
  std::vector<std::pair<std::string, v1::CareEventDelivery>> given;
  std::set<std::string> effective;
  for (const std::string& source : agency.sources()) {
    ASSIGN_OR_RETURN(const std::vector<v1::CareEventDelivery> of_source, agency.ReadCareEvents(source));
    for (const v1::CareEventDelivery& delivery : of_source) {
      given.emplace_back(source, delivery);
      effective.insert(delivery.event_id());
    }
  }
  std::vector<const OwnEvent*> settled;
  for (size_t i = 0; i < fleet.size(); ++i) {
    for (const auto& [id, event] : fleet.device(i).settled()) {
      settled.push_back(&event);
      if (!IsAccepted(event) && !effective.contains(id)) {
        ++verified.events_for_review;
        continue;
      }
      ++verified.events_accepted;
      agency.model().TakeEvent(event);
    }
  }
  CompareDevices(agency.model(), fleet, faults, verified);
  std::vector<v1::CareEventDelivery> delivered;
  for (auto& [source, delivery] : given) {
    const std::string owner = agency.model().SourceOf({v1::RECORD_KIND_CARE_EVENT, delivery.event_id()});
    if (owner != source) faults.Add(absl::StrCat("event ", delivery.event_id(), " was given to ", source));
    delivered.push_back(std::move(delivery));
  }
  for (std::string& fault : FaultsOfEvents(settled, delivered, agency.model())) faults.Add(std::move(fault));
  return absl::OkStatus();
}

}  // namespace caresync::loadtest

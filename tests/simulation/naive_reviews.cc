// What becomes of care events, those for review among them: by a person's word, or by themselves.
#include <algorithm>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/sha256.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "tests/simulation/naive_model.h"

namespace caresync::simulation {
namespace {

Name ServiceUserOf(const State& state, const Name& parent) {
  if (parent.first == v1::RECORD_KIND_SERVICE_USER) return parent;
  return {v1::RECORD_KIND_SERVICE_USER, state.records.at(parent)->service_user};
}

// Where a ruling puts the event; the record may be unknown.
Name DestinationOf(const State& state, const Name& own, const Ruling& ruling) {
  if (ruling.target.has_value()) return *ruling.target;
  const bool unplanned = ruling.resolution == v1::RESOLUTION_ACCEPTED_AS_UNPLANNED && state.records.contains(own);
  return unplanned ? ServiceUserOf(state, own) : own;
}

// The visit that the event names; no visit where it names none.
Name VisitIn(const EventKey& event) {
  v1::CareEvent parsed;
  parsed.ParseFromString(event.second);
  return {v1::RECORD_KIND_VISIT, parsed.visit_id()};
}

// What a carer wrote stays as it is, but for what it hangs on.
std::string PayloadOn(const Name& on, const KeptEvent& kept, const std::string& bytes) {
  if (on == kept.parent) return bytes;
  v1::CareEvent event;
  event.ParseFromString(bytes);
  event.clear_visit_id();
  event.clear_service_user_id();
  if (on.first == v1::RECORD_KIND_VISIT) event.set_visit_id(on.second);
  if (on.first == v1::RECORD_KIND_SERVICE_USER) event.set_service_user_id(on.second);
  return event.SerializeAsString();
}

}  // namespace

std::vector<EventKey> State::WaitingOf(const std::string& carer, const Name& parent) const {
  std::vector<EventKey> waiting;
  for (const auto& [event, kept] : for_review) {
    if (kept.carer == carer && kept.parent == parent) waiting.push_back(event);
  }
  // Two under one ID may have come with one number in one upload.
  const auto place = [this](const EventKey& event) {
    const KeptEvent& kept = for_review.at(event);
    return std::tuple(kept.revision, kept.sequence, event.first, base::Sha256Of(event.second));
  };
  std::sort(waiting.begin(), waiting.end(),
            [&place](const EventKey& one, const EventKey& other) { return place(one) < place(other); });
  return waiting;
}

Name NaiveModel::RecordOf(const EventKey& event, bool reused) const {
  if (!reused) return {v1::RECORD_KIND_CARE_EVENT, event.first};
  const std::string digest = absl::BytesToHexString(base::Sha256Of(event.second));
  return {v1::RECORD_KIND_CARE_EVENT,
          records::IntegratedId(tenant_, "", v1::RECORD_KIND_CARE_EVENT, absl::StrCat(event.first, "/", digest))
              .ToString()};
}

void NaiveModel::Accept(State& state, const SentEvent& event) const {
  state.settled[{event.event_id, event.bytes}] = {v1::RESOLUTION_UNSPECIFIED, "", event.parent};
  NaiveRecord record;
  record.payload = event.bytes;
  record.parent = event.parent;
  record.source = state.records.at(event.parent)->source;
  PutRecord(state, {v1::RECORD_KIND_CARE_EVENT, event.event_id}, std::move(record));
}

void NaiveModel::StoreWaiting(State& state, const EventKey& event, const Name& on, SettledEvent settled) const {
  const KeptEvent kept = state.for_review.at(event);
  state.for_review.erase(event);
  settled.stored_on = on;
  state.settled[event] = std::move(settled);
  NaiveRecord record;
  record.payload = PayloadOn(on, kept, event.second);
  record.parent = on;
  record.source = state.records.at(on)->source;
  PutRecord(state, RecordOf(event, kept.reused), std::move(record));
}

std::string NaiveModel::WhyNot(const State& state, const Ruling& ruling) {
  if (const auto settled = state.settled.find(ruling.event); settled != state.settled.end()) {
    // What took effect as it came never was for review.
    if (settled->second.resolution == v1::RESOLUTION_UNSPECIFIED) return "REVIEW_UNKNOWN";
    const bool own_visit = ruling.resolution == v1::RESOLUTION_APPLIED && !ruling.target.has_value();
    const std::optional<Name> named = own_visit ? VisitIn(ruling.event) : ruling.target;
    const bool said = settled->second.resolution == ruling.resolution && settled->second.note == ruling.note &&
                      (!named.has_value() || settled->second.stored_on == named);
    return said ? "" : "EVENT_RESOLVED";
  }
  const auto kept = state.for_review.find(ruling.event);
  if (kept == state.for_review.end()) return "REVIEW_UNKNOWN";
  if (ruling.resolution == v1::RESOLUTION_DISCARDED) return "";
  const Name& own = kept->second.parent;
  const bool applied = ruling.resolution == v1::RESOLUTION_APPLIED;
  if (applied && !ruling.target.has_value() && own.first != v1::RECORD_KIND_VISIT) return "INVALID_FIELD";
  const Name destination = DestinationOf(state, own, ruling);
  if (state.records.contains(destination)) return "";
  return destination.first == v1::RECORD_KIND_VISIT ? "VISIT_UNKNOWN" : "SERVICE_USER_UNKNOWN";
}

void NaiveModel::Rule(State& state, const Ruling& ruling) const {
  const KeptEvent kept = state.for_review.at(ruling.event);
  // What is recorded on a service user stands by itself, and what is behind another as well waits for that one.
  const bool leads =
      kept.parent.first == v1::RECORD_KIND_VISIT && state.WaitingOf(kept.carer, kept.parent).front() == ruling.event;
  std::optional<Name> goes_along;
  if (ruling.resolution == v1::RESOLUTION_DISCARDED) {
    state.for_review.erase(ruling.event);
    state.settled[ruling.event] = {ruling.resolution, ruling.note, std::nullopt};
  } else {
    const Name destination = DestinationOf(state, kept.parent, ruling);
    StoreWaiting(state, ruling.event, destination, {ruling.resolution, ruling.note, std::nullopt});
    if (leads) goes_along = destination;
  }
  // One that waited for a person alone, and held nothing up, is no occasion to look at others.
  if (kept.reused && kept.parent.first != v1::RECORD_KIND_VISIT) return;
  TakeWaiting(state, kept.carer, kept.parent, goes_along);
}

void NaiveModel::TakeWaiting(State& state, const std::string& carer, const Name& parent,
                             const std::optional<Name>& target) const {
  for (const EventKey& event : state.WaitingOf(carer, parent)) {
    // Which of two under one ID was meant, a person must say; what is recorded on a service user stands by itself.
    const bool holds_up = parent.first == v1::RECORD_KIND_VISIT;
    if (state.for_review.at(event).reused && holds_up) return;
    if (state.for_review.at(event).reused) continue;
    const bool own = MayRecord(state, carer, parent);
    if (!own && !target.has_value()) return;
    StoreWaiting(state, event, own ? parent : *target, {v1::RESOLUTION_BY_ITSELF, "", std::nullopt});
  }
}

}  // namespace caresync::simulation

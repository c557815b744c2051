#include "tools/caresync/check_client/event_ledger.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/records.pb.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"

namespace caresync::cli::check {
namespace {

void Add(Findings& findings, std::string_view rule, std::string expected, std::string seen) {
  findings.push_back({&RuleNamed(rule), std::move(expected), std::move(seen), 0, ""});
}

void CheckBounds(const v1::Upload& upload, Findings& findings) {
  const size_t events = static_cast<size_t>(upload.events_size());
  if (events > base::limits::kUploadEvents || (events == 0 && !upload.resend_complete())) {
    Add(findings, "UPLOAD_BOUNDS", "1 to 100 events in an upload", absl::StrCat(events, " events"));
  }
  if (upload.ByteSizeLong() > base::limits::kUploadBytes) {
    Add(findings, "UPLOAD_BOUNDS", "at most 1 MiB in an upload", absl::StrCat(upload.ByteSizeLong(), " bytes"));
  }
  for (const v1::UploadedEvent& event : upload.events()) {
    if (event.event().size() <= base::limits::kEventBytes) continue;
    Add(findings, "UPLOAD_BOUNDS", "events of at most 256 KiB",
        absl::StrCat("one of ", event.event().size(), " bytes"));
  }
}

}  // namespace

void EventLedger::Recorded(const std::string& name, const std::string& carer_id, const std::string& visit_id) {
  slots_.push_back({name, carer_id, visit_id, std::nullopt});
}

EventLedger::UnsentRange EventLedger::Unsent(const std::string& carer_id) const {
  UnsentRange unsent;
  for (const Slot& slot : slots_) {
    if (slot.carer_id != carer_id || IsSettled(slot)) continue;
    ++unsent.most;
    unsent.least += IsInDoubt(slot) ? 0 : 1;
  }
  return unsent;
}

void EventLedger::Declared(const std::string& carer_id, size_t unsent) {
  const UnsentRange range = Unsent(carer_id);
  if (unsent != range.least && unsent != range.most) return;
  for (const Slot& slot : slots_) {
    if (slot.carer_id != carer_id || !IsInDoubt(slot)) continue;
    in_doubt_.erase(slot.event->event_id());
    if (unsent == range.most) answered_.erase(slot.event->event_id());
  }
}

std::string EventLedger::NameOf(const std::string& event_id) const {
  for (const Slot& slot : slots_) {
    if (slot.event && slot.event->event_id() == event_id) return slot.name;
  }
  return "";
}

const v1::UploadedEvent* EventLedger::Find(const std::string& name) const {
  for (const Slot& slot : slots_) {
    if (slot.name == name && slot.event) return &*slot.event;
  }
  return nullptr;
}

Findings EventLedger::Take(const std::string& carer_id, const v1::Upload& upload, bool asked_again) {
  Findings findings;
  CheckBounds(upload, findings);
  for (const v1::UploadedEvent& event : upload.events()) TakeEvent(carer_id, event, asked_again, findings);
  return findings;
}

EventLedger::Slot* EventLedger::SlotOf(const std::string& carer_id, const v1::UploadedEvent& event) {
  const auto same = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.event && slot.event->event_id() == event.event_id();
  });
  if (same != slots_.end()) return &*same;
  const auto is_free = [&](const Slot& slot) { return !slot.event && slot.carer_id == carer_id; };
  const uint64_t first = first_sequence_.value_or(1);
  if (event.sequence() >= first && event.sequence() - first < slots_.size()) {
    Slot& numbered = slots_[event.sequence() - first];
    if (is_free(numbered)) return &numbered;
  }
  const auto next = std::find_if(slots_.begin(), slots_.end(), is_free);
  return next == slots_.end() ? nullptr : &*next;
}

void EventLedger::TakeEvent(const std::string& carer_id, const v1::UploadedEvent& event, bool asked_again,
                            Findings& findings) {
  Slot* slot = SlotOf(carer_id, event);
  if (slot == nullptr) {
    return Add(
        findings, "EVENT_BYTES", "only events that were recorded, each always under its own ID",
        absl::StrCat("another ID, though every recorded event had come before: ", absl::CHexEscape(event.event_id())));
  }
  if (slot->carer_id != carer_id) {
    return Add(findings, "COPIES_APART", "events of the session's carer only",
               absl::StrCat(slot->name, ", which another carer recorded"));
  }
  const size_t index = static_cast<size_t>(slot - slots_.data());
  if (slot->event) {
    CheckAgain(*slot, event, findings);
  } else {
    CheckNew(index, event, findings);
    slot->event = event;
  }
  if (IsSettled(*slot) && !asked_again) {
    Add(findings, "EVENT_ANSWERED", absl::StrCat(slot->name, " not sent again: it had its result"),
        "it was sent again");
  }
  // Those that are asked for again are older, and come behind the unsent ones: that is for the stream to see.
  if (asked_again) return;
  if (last_in_stream_ && *last_in_stream_ > index) {
    Add(findings, "EVENT_ORDER", "events in the order in which they were recorded",
        absl::StrCat(slot->name, " after ", slots_[*last_in_stream_].name));
  }
  last_in_stream_ = index;
}

void EventLedger::CheckNew(size_t index, const v1::UploadedEvent& event, Findings& findings) {
  const Slot& slot = slots_[index];
  if (!base::Uuid::Parse(event.event_id())) {
    Add(findings, "EVENT_ID", "a UUID as event_id", absl::StrCat("\"", absl::CHexEscape(event.event_id()), "\""));
  }
  if (!first_sequence_) first_sequence_ = counts_from_one_ ? 1 : event.sequence() - index;
  if (event.sequence() != *first_sequence_ + index) {
    Add(findings, "EVENT_SEQUENCE", absl::StrCat(slot.name, " with sequence ", *first_sequence_ + index),
        absl::StrCat("sequence ", event.sequence()));
  }
  CheckContent(slot, event, findings);
}

void EventLedger::CheckContent(const Slot& slot, const v1::UploadedEvent& event, Findings& findings) {
  v1::CareEvent content;
  if (!content.ParseFromString(event.event())) {
    return Add(findings, "EVENT_CONTENT", "a serialized CareEvent", "bytes that are none");
  }
  if (content.carer_id() != slot.carer_id) {
    Add(findings, "EVENT_CONTENT", absl::StrCat("carer_id ", slot.carer_id),
        absl::StrCat("\"", content.carer_id(), "\""));
  }
  if (content.visit_id() != slot.visit_id || !content.service_user_id().empty()) {
    Add(findings, "EVENT_CONTENT", absl::StrCat("visit_id ", slot.visit_id, " and no service_user_id"),
        absl::StrCat("visit_id \"", content.visit_id(), "\", service_user_id \"", content.service_user_id(), "\""));
  }
  if (!content.has_occurred_time()) Add(findings, "EVENT_CONTENT", "occurred_time", "none");
  if (content.what_case() == v1::CareEvent::WHAT_NOT_SET) {
    Add(findings, "EVENT_CONTENT", "what happened: one of the fields from 10 on", "none of them");
  }
}

void EventLedger::CheckAgain(const Slot& slot, const v1::UploadedEvent& event, Findings& findings) {
  if (event.event() != slot.event->event()) {
    Add(findings, "EVENT_BYTES", absl::StrCat(slot.name, " with the bytes that came first"),
        absl::StrCat(event.event().size(), " other bytes under the same ID"));
  }
  if (event.sequence() != slot.event->sequence()) {
    Add(findings, "EVENT_SEQUENCE", absl::StrCat(slot.name, " with sequence ", slot.event->sequence(), ", as before"),
        absl::StrCat("sequence ", event.sequence()));
  }
}

}  // namespace caresync::cli::check

#include "server/records/care_events.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/text.h"
#include "server/feed/feed_reader.h"
#include "server/records/applicability.h"
#include "server/records/care_event_form.h"
#include "server/records/record_key.h"
#include "server/records/review.h"

namespace caresync::records {
namespace {

using base::RecordKey;
using storage::Space;

constexpr v1::ReviewReason kApplicable = v1::REVIEW_REASON_UNSPECIFIED;

// An upload, read as far as it can be.
struct Incoming {
  const v1::UploadedEvent& upload;
  // nullopt where the event ID is no UUID.
  std::optional<base::Uuid> id;
  // Under which the identity is kept: one text for all spellings of a UUID, and short whatever the device sent.
  std::string identity;
  std::string digest;
  // nullopt where the bytes are no CareEvent, or too many.
  std::optional<v1::CareEvent> event;
  std::optional<RecordName> parent;
};

// Whether the event takes effect, and if not, why.
struct Verdict {
  v1::ReviewReason reason = kApplicable;
  // What the device is told; it may know less.
  v1::ReviewReason told = kApplicable;
  // The record that it hangs on; set where it takes effect.
  std::optional<store::Record> parent;
};

Verdict ForReview(v1::ReviewReason reason) { return {reason, reason, std::nullopt}; }

std::string IdentityOf(const v1::UploadedEvent& upload, const std::optional<base::Uuid>& id) {
  if (id.has_value()) return id->ToString();
  const bool storable =
      upload.event_id().size() <= base::limits::kEventIdBytes && base::CountCharacters(upload.event_id()).has_value();
  return storable ? upload.event_id() : "sha256:" + absl::BytesToHexString(base::Sha256Of(upload.event_id()));
}

Incoming Read(const v1::UploadedEvent& upload) {
  const std::optional<base::Uuid> id = base::Uuid::Parse(upload.event_id());
  Incoming incoming{upload, id, IdentityOf(upload, id), base::Sha256Of(upload.event()), std::nullopt, std::nullopt};
  v1::CareEvent event;
  if (upload.event().size() > base::limits::kEventBytes || !event.ParseFromString(upload.event())) return incoming;
  incoming.parent = ParentOf(event);
  incoming.event = std::move(event);
  return incoming;
}

bool NamesSender(const Incoming& incoming, const EventSender& sender) {
  return incoming.event.has_value() && base::Uuid::Parse(incoming.event->carer_id()) == sender.carer;
}

// The visit or service user that the event waits on; empty where it is not the sender's own. On a visit it also holds
// up what is behind it. On a service user each stands by itself, so one that only a person can take waits on nothing:
// it would be in the way of those that may go by themselves.
RecordKey WaitsOn(const Incoming& incoming, const EventSender& sender, v1::ReviewReason reason) {
  if (!incoming.parent.has_value() || !NamesSender(incoming, sender)) return {};
  if (incoming.parent->kind != v1::RECORD_KIND_VISIT && !MayGoByItself(reason)) return {};
  return KeyOf(*incoming.parent);
}

// Whether an earlier one of the carer is for review, so that this one follows it: what is recorded on a service user
// stands by itself.
absl::StatusOr<bool> Follows(const commit::Transaction& transaction, const EventSender& sender,
                             const RecordName& parent) {
  if (parent.kind != v1::RECORD_KIND_VISIT) return false;
  return HasReview(transaction, transaction.tenant(), KeyOf({v1::RECORD_KIND_CARER, sender.carer}), KeyOf(parent));
}

// What the device may be told: a visit that its carer never had is unknown to it.
absl::StatusOr<v1::ReviewReason> Told(const commit::Transaction& transaction, const base::ReceiverId& receiver,
                                      const RecordKey& parent, v1::ReviewReason reason) {
  if (reason != v1::REVIEW_REASON_VISIT_CANCELLED && reason != v1::REVIEW_REASON_CARER_NOT_ASSIGNED) return reason;
  ASSIGN_OR_RETURN(const std::optional<feed::Entry> had,
                   feed::ReadEntry(transaction, transaction.tenant(), receiver, parent));
  return had.has_value() ? reason : v1::REVIEW_REASON_VISIT_UNKNOWN;
}

absl::StatusOr<Verdict> Judge(const commit::Transaction& transaction, const EventSender& sender,
                              const Incoming& incoming) {
  const base::TenantId& tenant = transaction.tenant();
  if (!incoming.id.has_value() || !incoming.event.has_value() || !IsUnderstood(*incoming.event)) {
    return ForReview(v1::REVIEW_REASON_NOT_UNDERSTOOD);
  }
  if (!NamesSender(incoming, sender)) return ForReview(v1::REVIEW_REASON_OTHER_CARER);

  const RecordKey parent = KeyOf(*incoming.parent);
  ASSIGN_OR_RETURN(Applicability applicability, WhetherApplicable(transaction, tenant, sender.carer, *incoming.parent));
  Verdict verdict{applicability.reason, kApplicable, std::move(applicability.parent)};
  ASSIGN_OR_RETURN(verdict.told, Told(transaction, CarerReceiver(sender.carer), parent, verdict.reason));
  if (verdict.reason != kApplicable) return verdict;

  ASSIGN_OR_RETURN(const bool has_room, HasRoomForEvent(transaction, tenant, parent));
  if (!has_room) return ForReview(v1::REVIEW_REASON_TOO_MANY_EVENTS);
  ASSIGN_OR_RETURN(const bool follows, Follows(transaction, sender, *incoming.parent));
  if (follows) return ForReview(v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW);
  return verdict;
}

void Keep(commit::Transaction& transaction, const EventSender& sender, const Incoming& incoming,
          v1::ReviewReason reason) {
  store::ReviewItem item;
  item.set_event_id(incoming.identity);
  item.set_event(incoming.upload.event());
  item.set_reason(reason);
  item.set_device_uuid(sender.device.ToString());
  item.set_carer_id(sender.carer.ToString());
  item.set_received_time_us(base::ToStoredTime(transaction.now()));
  item.set_event_sequence(incoming.upload.sequence());
  item.set_revision(transaction.revision());
  item.set_waits_on(WaitsOn(incoming, sender, reason).bytes);
  KeepForReview(transaction, item, incoming.digest);
}

v1::EventResult Result(const Incoming& incoming, v1::EventOutcome outcome, v1::ReviewReason told) {
  v1::EventResult result;
  result.set_event_id(incoming.upload.event_id());
  result.set_outcome(outcome);
  result.set_review_reason(told);
  return result;
}

void PutIdentity(commit::Transaction& transaction, const Incoming& incoming, const v1::EventResult& result) {
  store::EventIdentity identity;
  identity.set_digest(incoming.digest);
  identity.set_outcome(result.outcome());
  identity.set_review_reason(result.review_reason());
  identity.set_revision(transaction.revision());
  identity.set_received_time_us(base::ToStoredTime(transaction.now()));
  transaction.Put(Space::kRecords, base::keys::EventIdentity(transaction.tenant(), incoming.identity),
                  identity.SerializeAsString());
}

store::Record RecordOf(const EventSender& sender, const Incoming& incoming) {
  store::Record record;
  record.set_kind(v1::RECORD_KIND_CARE_EVENT);
  record.set_record_id(incoming.identity);
  record.set_payload(incoming.upload.event());
  record.set_device_uuid(sender.device.ToString());
  record.set_event_sequence(incoming.upload.sequence());
  return record;
}

absl::StatusOr<v1::EventResult> TakeNew(RecordStore& records, const EventSender& sender, const Incoming& incoming) {
  commit::Transaction& transaction = records.transaction();
  ASSIGN_OR_RETURN(const Verdict verdict, Judge(transaction, sender, incoming));
  if (verdict.reason == kApplicable) {
    RETURN_IF_ERROR(records.PutCareEvent(RecordOf(sender, incoming), *verdict.parent));
  }
  const bool accepted = verdict.reason == kApplicable;
  if (!accepted) Keep(transaction, sender, incoming, verdict.reason);
  const v1::EventResult result =
      Result(incoming, accepted ? v1::EVENT_OUTCOME_ACCEPTED : v1::EVENT_OUTCOME_FOR_REVIEW, verdict.told);
  PutIdentity(transaction, incoming, result);
  return result;
}

// Other bytes under a known ID: kept beside the first, once.
absl::StatusOr<v1::EventResult> TakeReused(commit::Transaction& transaction, const EventSender& sender,
                                           const Incoming& incoming) {
  const std::string item = base::keys::ReviewItem(transaction.tenant(), incoming.identity, incoming.digest);
  ASSIGN_OR_RETURN(const std::optional<std::string> kept, transaction.Get(Space::kRecords, item));
  if (!kept.has_value()) Keep(transaction, sender, incoming, v1::REVIEW_REASON_EVENT_ID_REUSED);
  return Result(incoming, v1::EVENT_OUTCOME_FOR_REVIEW, v1::REVIEW_REASON_EVENT_ID_REUSED);
}

// The planted bug of events that are known by their running number: whether the device sent one of this number before.
absl::StatusOr<bool> IsNumberKnown(commit::Transaction& transaction, const EventSender& sender,
                                   const v1::UploadedEvent& event) {
  const std::string number = absl::StrCat(sender.device.ToString(), "/", event.sequence());
  const std::string key = base::keys::EventIdentity(transaction.tenant(), number);
  ASSIGN_OR_RETURN(const std::optional<std::string> row, transaction.Get(Space::kRecords, key));
  if (!row.has_value()) transaction.Put(Space::kRecords, key, std::string());
  return row.has_value();
}

}  // namespace

absl::StatusOr<v1::EventResult> TakeEvent(RecordStore& records, const EventSender& sender,
                                          const v1::UploadedEvent& event) {
  commit::Transaction& transaction = records.transaction();
  const Incoming incoming = Read(event);
  if (base::HasPlantedBug(base::PlantedBug::kEventsKnownByNumber)) {
    ASSIGN_OR_RETURN(const bool number_known, IsNumberKnown(transaction, sender, event));
    if (number_known) return Result(incoming, v1::EVENT_OUTCOME_KNOWN, kApplicable);
  }
  const std::string key = base::keys::EventIdentity(transaction.tenant(), incoming.identity);
  ASSIGN_OR_RETURN(const std::optional<store::EventIdentity> known,
                   base::GetStored<store::EventIdentity>(transaction, Space::kRecords, key));
  if (!known.has_value()) return TakeNew(records, sender, incoming);
  if (known->digest() == incoming.digest) return Result(incoming, v1::EVENT_OUTCOME_KNOWN, known->review_reason());
  return TakeReused(transaction, sender, incoming);
}

}  // namespace caresync::records

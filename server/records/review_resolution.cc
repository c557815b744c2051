#include "server/records/review_resolution.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "server/records/applicability.h"
#include "server/records/care_event_form.h"

namespace caresync::records {
namespace {

namespace errors = base::errors;
using base::RecordKey;
using storage::Space;

// Where an event goes: the record it is to hang on, as it is stored.
struct Destination {
  RecordName name;
  store::Record record;
};

absl::StatusOr<v1::CareEvent> EventOf(const store::ReviewItem& item) {
  v1::CareEvent event;
  // What was not understood when it came may be since: by the bytes, not by the reason that was stored then.
  if (!base::Uuid::Parse(item.event_id()).has_value() || item.event().size() > base::limits::kEventBytes ||
      !event.ParseFromString(item.event()) || !IsUnderstood(event)) {
    return errors::EventCannotBeStored("its bytes are no care event that this server understands");
  }
  return event;
}

absl::StatusOr<Destination> Find(const commit::Transaction& transaction, const RecordName& name) {
  ASSIGN_OR_RETURN(std::optional<store::Record> record, GetRecord(transaction, transaction.tenant(), KeyOf(name)));
  if (record.has_value()) return Destination{name, *std::move(record)};
  return name.kind == v1::RECORD_KIND_VISIT ? errors::VisitUnknown(name.id.ToString())
                                            : errors::ServiceUserUnknown(name.id.ToString());
}

absl::StatusOr<RecordName> ServiceUserOf(const commit::Transaction& transaction, const RecordName& parent) {
  if (parent.kind == v1::RECORD_KIND_SERVICE_USER) return parent;
  ASSIGN_OR_RETURN(const Destination visit, Find(transaction, parent));
  ASSIGN_OR_RETURN(const v1::Visit payload, base::ParseStored<v1::Visit>(visit.record.payload()));
  const std::optional<base::Uuid> id = base::Uuid::Parse(payload.service_user_id());
  if (!id.has_value()) return errors::DamagedRow("a visit's service user");
  return RecordName{v1::RECORD_KIND_SERVICE_USER, *id};
}

absl::StatusOr<Destination> DestinationOf(const commit::Transaction& transaction, const v1::CareEvent& event,
                                          const Ruling& ruling) {
  if (ruling.target.has_value()) return Find(transaction, *ruling.target);
  // An event that is understood hangs on something.
  const RecordName own = *ParentOf(event);
  if (ruling.resolution == v1::RESOLUTION_ACCEPTED_AS_UNPLANNED) {
    ASSIGN_OR_RETURN(const RecordName service_user, ServiceUserOf(transaction, own));
    return Find(transaction, service_user);
  }
  if (own.kind == v1::RECORD_KIND_VISIT) return Find(transaction, own);
  return errors::InvalidArgument("apply_to_visit.visit_id", "is empty, and the event was recorded on no visit");
}

// The bytes as they came, where the event names the record that it is to hang on; else bytes that do.
std::string PayloadOn(const RecordName& destination, v1::CareEvent event, const store::ReviewItem& item) {
  if (ParentOf(event) == destination) return item.event();
  event.clear_visit_id();
  event.clear_service_user_id();
  const std::string id = destination.id.ToString();
  if (destination.kind == v1::RECORD_KIND_VISIT) {
    event.set_visit_id(id);
  } else {
    event.set_service_user_id(id);
  }
  return event.SerializeAsString();
}

// One that came under the ID of another is a record of its own.
std::string RecordIdOf(const base::TenantId& tenant, const ReviewName& name, const store::ReviewItem& item) {
  if (item.reason() != v1::REVIEW_REASON_EVENT_ID_REUSED) return item.event_id();
  return IntegratedId(tenant, "", v1::RECORD_KIND_CARE_EVENT,
                      absl::StrCat(name.event_id, "/", absl::BytesToHexString(name.digest)))
      .ToString();
}

absl::Status TellIdentity(commit::Transaction& transaction, const store::ReviewItem& item) {
  // The identity of a reused ID is the first one's.
  if (item.reason() == v1::REVIEW_REASON_EVENT_ID_REUSED) return absl::OkStatus();
  const std::string key = base::keys::EventIdentity(transaction.tenant(), item.event_id());
  ASSIGN_OR_RETURN(std::optional<store::EventIdentity> identity,
                   base::GetStored<store::EventIdentity>(transaction, Space::kRecords, key));
  if (!identity.has_value()) return errors::DamagedRow("an event for review without its identity");
  identity->set_outcome(v1::EVENT_OUTCOME_ACCEPTED);
  identity->clear_review_reason();
  transaction.Put(Space::kRecords, key, identity->SerializeAsString());
  return absl::OkStatus();
}

absl::Status StoreOn(RecordStore& records, const ReviewName& name, const v1::CareEvent& event,
                     const Destination& destination, store::ReviewItem& item) {
  commit::Transaction& transaction = records.transaction();
  ASSIGN_OR_RETURN(const bool has_room, HasRoomForEvent(transaction, transaction.tenant(), KeyOf(destination.name)));
  if (!has_room)
    return errors::EventCannotBeStored("the visit or service user holds the most events that one may hold");
  store::Record record;
  record.set_kind(v1::RECORD_KIND_CARE_EVENT);
  record.set_record_id(RecordIdOf(transaction.tenant(), name, item));
  record.set_payload(PayloadOn(destination.name, event, item));
  record.set_device_uuid(item.device_uuid());
  record.set_event_sequence(item.event_sequence());
  RETURN_IF_ERROR(records.PutCareEvent(std::move(record), destination.record));
  RETURN_IF_ERROR(TellIdentity(transaction, item));
  item.set_stored_on(KeyOf(destination.name).bytes);
  return absl::OkStatus();
}

void SetResolution(store::ReviewItem& item, v1::Resolution resolution, const std::string& note,
                   const std::string& person, absl::Time now) {
  item.set_resolution(resolution);
  item.set_resolution_note(note);
  item.set_resolved_by(person);
  item.set_resolved_time_us(base::ToStoredTime(now));
}

// Whether a person said this of it before.
bool IsSaidAlready(const store::ReviewItem& item, const Ruling& ruling) {
  if (item.resolution() != ruling.resolution || item.resolution_note() != ruling.note) return false;
  if (ruling.target.has_value()) return item.stored_on() == KeyOf(*ruling.target).bytes;
  // Its visit's service user may be another one by now.
  if (ruling.resolution != v1::RESOLUTION_APPLIED) return true;
  v1::CareEvent event;
  const std::optional<RecordName> own = event.ParseFromString(item.event()) ? ParentOf(event) : std::nullopt;
  return own.has_value() && item.stored_on() == KeyOf(*own).bytes;
}

std::optional<RecordKey> CarerOf(const store::ReviewItem& item) {
  const std::optional<base::Uuid> carer = base::Uuid::Parse(item.carer_id());
  if (!carer.has_value() || item.waits_on().empty()) return std::nullopt;
  return KeyOf({v1::RECORD_KIND_CARER, *carer});
}

bool IsVisit(const RecordKey& parent) {
  const std::optional<RecordName> name = NameOf(parent);
  return name.has_value() && name->kind == v1::RECORD_KIND_VISIT;
}

// Whether what else waits there follows it. What is recorded on a service user stands by itself; and while an earlier
// one waits, what is behind both waits for that one, and the earlier one was not spoken of.
absl::StatusOr<bool> LeadsOthers(const commit::Transaction& transaction, const ReviewName& name,
                                 const store::ReviewItem& item) {
  const std::optional<RecordKey> carer = CarerOf(item);
  if (!carer.has_value() || !IsVisit({item.waits_on()})) return false;
  ASSIGN_OR_RETURN(const std::vector<ReviewName> first,
                   WaitingReviews(transaction, transaction.tenant(), *carer, {item.waits_on()}, 1));
  return !first.empty() && first.front() == name;
}

// Due since ever: a clock that is set back must not put it off.
constexpr absl::Time kLookDue = absl::UnixEpoch();

std::string LookId(const RecordKey& carer, const RecordKey& parent) {
  return absl::StrCat("review/", absl::BytesToHexString(carer.bytes), "/", absl::BytesToHexString(parent.bytes));
}

void ScheduleLook(commit::Transaction& transaction, const RecordKey& carer, const RecordKey& parent,
                  const std::optional<RecordKey>& target) {
  store::ReviewFollowers payload;
  payload.set_carer(carer.bytes);
  payload.set_parent(parent.bytes);
  if (target.has_value()) payload.set_target(target->bytes);
  commit::ScheduleTask(transaction, kLookDue, LookId(carer, parent), kReviewTask, payload.SerializeAsString());
}

// Takes one that waits, where it belongs, else on `target`. False where it goes on waiting, and so does what is behind
// it on a visit.
absl::StatusOr<bool> TakeFirst(RecordStore& records, const ReviewName& name, const std::optional<RecordKey>& target) {
  commit::Transaction& transaction = records.transaction();
  ASSIGN_OR_RETURN(std::optional<store::ReviewItem> item, GetReview(transaction, transaction.tenant(), name));
  if (!item.has_value()) return errors::DamagedRow("an event for review");
  if (item->resolution() != v1::RESOLUTION_UNSPECIFIED) {
    // Damage: it would take effect again, or hold up what is behind it.
    observability::Log(observability::Level::kError, "resolved_event_said_to_wait",
                       {{"tenant", transaction.tenant().text()}, {"review", TextOf(name)}});
    CloseReview(transaction, name, *item);
    return true;
  }
  // On a service user each stands by itself: one that a person must take is not in the others' way.
  const bool on_visit = IsVisit({item->waits_on()});
  const absl::StatusOr<v1::CareEvent> event = EventOf(*item);
  // One that an older server understood, and this one does not, is a person's too.
  if (!MayGoByItself(item->reason()) || !event.ok()) {
    if (!on_visit) LeaveToPerson(transaction, name, *item);
    return false;
  }
  const std::optional<base::Uuid> carer = base::Uuid::Parse(item->carer_id());
  if (!carer.has_value()) return errors::DamagedRow("an event for review of a carer under no UUID");
  const RecordName parent = *ParentOf(*event);
  ASSIGN_OR_RETURN(Applicability own, WhetherApplicable(transaction, transaction.tenant(), *carer, parent));
  std::optional<Destination> destination;
  if (own.reason == v1::REVIEW_REASON_UNSPECIFIED) {
    destination = Destination{parent, *std::move(own.parent)};
  } else if (target.has_value()) {
    ASSIGN_OR_RETURN(destination, Find(transaction, *NameOf(*target)));
  }
  if (destination.has_value()) {
    const RecordStore::Mark mark = records.SetMark();
    const absl::Status stored = StoreOn(records, name, *event, *destination, *item);
    if (stored.ok()) {
      SetResolution(*item, v1::RESOLUTION_BY_ITSELF, "", "", transaction.now());
      CloseReview(transaction, name, *item);
      return true;
    }
    records.RollBackTo(mark);
    if (base::Reason(stored) != base::Reason(errors::EventCannotBeStored(""))) return stored;
  }
  // Where it followed another it leads what is behind it now, and says why it waits itself.
  const bool is_full = own.reason == v1::REVIEW_REASON_UNSPECIFIED;
  if (is_full || item->reason() == v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW) {
    item->set_reason(is_full ? v1::REVIEW_REASON_TOO_MANY_EVENTS : own.reason);
    if (is_full && !on_visit) {
      LeaveToPerson(transaction, name, *item);
    } else {
      PutReview(transaction, name, *item);
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<Resolved> Resolve(RecordStore& records, const ReviewName& name, const Ruling& ruling) {
  commit::Transaction& transaction = records.transaction();
  ASSIGN_OR_RETURN(std::optional<store::ReviewItem> item, GetReview(transaction, transaction.tenant(), name));
  if (!item.has_value()) return errors::ReviewUnknown(TextOf(name));
  if (item->resolution() != v1::RESOLUTION_UNSPECIFIED) {
    if (!IsSaidAlready(*item, ruling)) return errors::EventResolved();
    return Resolved{*std::move(item), 0};
  }
  ASSIGN_OR_RETURN(const bool leads, LeadsOthers(transaction, name, *item));
  std::optional<RecordKey> target;
  if (ruling.resolution != v1::RESOLUTION_DISCARDED) {
    ASSIGN_OR_RETURN(const v1::CareEvent event, EventOf(*item));
    ASSIGN_OR_RETURN(const Destination destination, DestinationOf(transaction, event, ruling));
    RETURN_IF_ERROR(StoreOn(records, name, event, destination, *item));
    if (leads) target = KeyOf(destination.name);
  }
  SetResolution(*item, ruling.resolution, ruling.note, ruling.person, transaction.now());
  CloseReview(transaction, name, *item);
  Resolved resolved{*std::move(item), 0};
  const std::optional<RecordKey> carer = CarerOf(resolved.item);
  if (!carer.has_value()) return resolved;
  ASSIGN_OR_RETURN(resolved.followers, TakeWaiting(records, *carer, {resolved.item.waits_on()}, target));
  return resolved;
}

absl::StatusOr<size_t> TakeWaiting(RecordStore& records, const RecordKey& carer, const RecordKey& parent,
                                   const std::optional<RecordKey>& target) {
  commit::Transaction& transaction = records.transaction();
  constexpr size_t kMost = base::limits::kFollowersPerCommit;
  ASSIGN_OR_RETURN(const std::vector<ReviewName> waiting,
                   WaitingReviews(transaction, transaction.tenant(), carer, parent, kMost + 1));
  size_t taken = 0;
  for (const ReviewName& name : waiting) {
    if (taken == kMost) break;
    const RecordStore::Mark mark = records.SetMark();
    const absl::StatusOr<bool> gone = TakeFirst(records, name, target);
    const bool full = base::Reason(gone.status()) == base::Reason(errors::CommitTooLarge());
    if (full && taken > 0) {
      records.RollBackTo(mark);
      ScheduleLook(transaction, carer, parent, target);
      return taken;
    }
    if (!gone.ok()) return gone.status();
    if (*gone) {
      ++taken;
    } else if (IsVisit(parent)) {
      return taken;
    }
  }
  if (waiting.size() <= kMost) return taken;
  // Others lie behind those that were looked at. Where the first of these waits on, so do they, for the same.
  ASSIGN_OR_RETURN(const std::vector<ReviewName> first,
                   WaitingReviews(transaction, transaction.tenant(), carer, parent, 1));
  if (!first.empty() && first.front() != waiting.front()) ScheduleLook(transaction, carer, parent, target);
  return taken;
}

absl::Status LookAtWaiting(commit::Transaction& transaction, const RecordKey& carer, const RecordKey& parent) {
  ASSIGN_OR_RETURN(const bool waits, HasReview(transaction, transaction.tenant(), carer, parent));
  if (!waits) return absl::OkStatus();
  // A look that is to come already may know where a person put what they followed.
  const std::string row = base::keys::Task(transaction.tenant(), base::ToStoredTime(kLookDue), LookId(carer, parent));
  ASSIGN_OR_RETURN(const std::optional<std::string> scheduled, transaction.Get(Space::kRecords, row));
  if (!scheduled.has_value()) ScheduleLook(transaction, carer, parent, std::nullopt);
  return absl::OkStatus();
}

absl::Status ReviewStep(commit::Transaction& transaction, const std::string& payload) {
  ASSIGN_OR_RETURN(const store::ReviewFollowers work, base::ParseStored<store::ReviewFollowers>(payload));
  RecordStore records(transaction);
  std::optional<RecordKey> target;
  if (!work.target().empty()) target = RecordKey{work.target()};
  if (target.has_value() && !NameOf(*target).has_value()) return errors::DamagedRow("a review task's target");
  return TakeWaiting(records, {work.carer()}, {work.parent()}, target).status();
}

}  // namespace caresync::records

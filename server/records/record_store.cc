#include "server/records/record_store.h"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_entry.h"
#include "server/records/fan_out.h"
#include "server/records/fan_out_walk.h"
#include "server/records/grants.h"
#include "server/records/groups.h"
#include "server/records/review.h"
#include "server/records/review_resolution.h"
#include "server/records/visit_ends.h"
#include "server/records/window_edges.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using storage::Space;

// Kept for the tenant's head and the like.
constexpr size_t kRowsLeft = 100;

// Of a record that is to be stored: its ID is the caller's to make.
RecordKey KeyOfRecord(const store::Record& record) {
  const std::optional<base::Uuid> id = base::Uuid::Parse(record.record_id());
  ABSL_RAW_CHECK(id.has_value(), "a record is to be stored under an ID that is no UUID");
  return KeyOf({record.kind(), *id});
}

bool IsUnchanged(const store::Record& old, const store::Record& record) {
  return old.payload() == record.payload() && old.published() == record.published() &&
         old.cancelled() == record.cancelled() && old.left() == record.left() &&
         old.dissolved() == record.dissolved() && old.deleted() == record.deleted() &&
         old.origin().source() == record.origin().source() &&
         old.origin().external_id() == record.origin().external_id() &&
         old.origin().source_version() == record.origin().source_version();
}

// Sets what is not the caller's. The version is the payload's: a feed entry that is right already is not moved by a
// change of what no device gets. Of a visit it is kept beside that when it was last published or cancelled.
void Complete(store::Record& record, const std::optional<store::Record>& old, const commit::Transaction& transaction) {
  const bool same_payload = old.has_value() && old->payload() == record.payload();
  record.set_version(same_payload ? old->version() : transaction.revision());
  if (record.kind() == v1::RECORD_KIND_VISIT) {
    const bool is_same =
        same_payload && old->published() == record.published() && old->cancelled() == record.cancelled();
    record.set_changed_revision(is_same ? old->changed_revision() : transaction.revision());
  }
  record.set_created_time_us(old.has_value() ? old->created_time_us() : base::ToStoredTime(transaction.now()));
  record.set_fingerprint(
      same_payload ? old->fingerprint()
                   : feed::Fingerprint(static_cast<uint32_t>(record.kind()), record.record_id(), record.payload()));
}

void PutRecordRow(commit::Transaction& transaction, const RecordKey& key, const store::Record& record) {
  transaction.Put(Space::kRecords, base::keys::Record(transaction.tenant(), key), record.SerializeAsString());
}

std::set<Grant> Without(const std::set<Grant>& grants, const std::set<Grant>& others) {
  std::set<Grant> left;
  for (const Grant& grant : grants) {
    if (!others.contains(grant)) left.insert(grant);
  }
  return left;
}

store::FanOut OfRecord(const RecordKey& record) {
  store::FanOut fan_out;
  fan_out.mutable_of_record()->set_record(record.bytes);
  return fan_out;
}

store::FanOut OfChild(const RecordKey& record, const RecordKey& child) {
  store::FanOut fan_out;
  fan_out.mutable_of_child()->set_record(record.bytes);
  fan_out.mutable_of_child()->set_child(child.bytes);
  return fan_out;
}

store::FanOut OfGroupRecord(const RecordKey& group, const RecordKey& record) {
  store::FanOut fan_out;
  fan_out.mutable_of_group_record()->set_group(group.bytes);
  fan_out.mutable_of_group_record()->set_record(record.bytes);
  return fan_out;
}

store::FanOut OfPairs(const std::set<std::pair<ReceiverId, RecordKey>>& pairs) {
  store::FanOut fan_out;
  for (const auto& [receiver, record] : pairs) {
    store::FanOut::Pair& pair = *fan_out.mutable_of_pairs()->add_pairs();
    pair.set_receiver(receiver.bytes);
    pair.set_record(record.bytes);
  }
  return fan_out;
}

// What the visit's carers recorded before it was theirs can be taken now, be the visit on devices or not.
absl::Status LookAtAssigned(commit::Transaction& transaction, const RecordKey& key, const store::Record& record) {
  if (!record.published() || record.cancelled()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::Visit visit, base::ParseStored<v1::Visit>(record.payload()));
  for (const v1::Assignment& assignment : visit.assignments()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(assignment.carer_id());
    if (!carer.has_value()) return base::errors::DamagedRow("a visit's carer");
    const RecordKey carer_key = KeyOf({v1::RECORD_KIND_CARER, *carer});
    // Of nearly no carer anything waits, and that is known for all the visits of a message.
    ASSIGN_OR_RETURN(const bool any, HasAnyReview(transaction, transaction.tenant(), carer_key));
    if (any) RETURN_IF_ERROR(LookAtWaiting(transaction, carer_key, key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<store::Record>> GetRecord(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const RecordKey& key) {
  return base::GetStored<store::Record>(reader, Space::kRecords, base::keys::Record(tenant, key));
}

absl::StatusOr<std::vector<std::optional<store::Record>>> GetRecords(const storage::Reader& reader,
                                                                     const base::TenantId& tenant,
                                                                     const std::vector<RecordKey>& keys) {
  std::vector<std::string> rows;
  rows.reserve(keys.size());
  for (const RecordKey& key : keys) rows.push_back(base::keys::Record(tenant, key));
  ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> values, reader.MultiGet(Space::kRecords, rows));
  std::vector<std::optional<store::Record>> records(keys.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].has_value()) continue;
    ASSIGN_OR_RETURN(records[i], base::ParseStored<store::Record>(*values[i]));
  }
  return records;
}

storage::KeyRange ChildrenOfKind(const base::TenantId& tenant, const RecordKey& parent, v1::RecordKind kind) {
  std::string behind = KeyPrefix(kind);
  ++behind.back();
  return {.begin = base::keys::Child(tenant, parent, {KeyPrefix(kind)}),
          .end = base::keys::Child(tenant, parent, {std::move(behind)})};
}

absl::StatusOr<PutOutcome> RecordStore::Put(store::Record record) {
  ABSL_RAW_CHECK(!HangsOnAnother(record.kind()), "what hangs on a record has a way of its own to be stored");
  const RecordKey key = KeyOfRecord(record);
  ASSIGN_OR_RETURN(const std::optional<store::Record> old, GetRecord(transaction_, transaction_.tenant(), key));
  if (old.has_value() && IsUnchanged(*old, record)) return PutOutcome::kUnchanged;
  // What people gave is not the caller's.
  record.clear_access();
  if (old.has_value()) *record.mutable_access() = old->access();
  return Store(key, old, std::move(record));
}

absl::StatusOr<PutOutcome> RecordStore::SetAccess(const RecordKey& service_user, const std::set<ReceiverId>& holders) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> old,
                   GetRecord(transaction_, transaction_.tenant(), service_user));
  ABSL_RAW_CHECK(old.has_value(), "access is set to a record that is not stored");
  store::Record record = *old;
  record.clear_access();
  for (const ReceiverId& holder : holders) record.add_access(holder.bytes);
  if (std::set<std::string>(old->access().begin(), old->access().end()) ==
      std::set<std::string>(record.access().begin(), record.access().end())) {
    return PutOutcome::kUnchanged;
  }
  return Store(service_user, old, std::move(record));
}

absl::StatusOr<PutOutcome> RecordStore::Store(const RecordKey& key, const std::optional<store::Record>& old,
                                              store::Record record) {
  Complete(record, old, transaction_);
  if (record.kind() == v1::RECORD_KIND_VISIT) RETURN_IF_ERROR(PlaceVisit(transaction_, key, old, record));
  PutRecordRow(transaction_, key, record);
  RETURN_IF_ERROR(IndexVisitEnds(transaction_, old, record));
  std::set<Grant> before;
  if (old.has_value()) {
    ASSIGN_OR_RETURN(before, GrantsGivenBy(*old, ""));
  }
  ASSIGN_OR_RETURN(const std::set<Grant> after, GrantsGivenBy(record, ""));
  Work work{.record = std::nullopt, .removed = Without(before, after), .added = Without(after, before)};
  // A visit is held by nobody but those to whom it gives itself: by one that is new they are reached as such.
  const bool is_new_visit = !old.has_value() && record.kind() == v1::RECORD_KIND_VISIT;
  const bool is_new_to_holders = !old.has_value() || old->payload() != record.payload();
  if (is_new_to_holders && !is_new_visit) work.record = key;
  RETURN_IF_ERROR(Settle(work));
  if (record.kind() == v1::RECORD_KIND_EMPLOYEE_GROUP) {
    RETURN_IF_ERROR(PutMembers(key, old.has_value() ? &*old : nullptr, record));
  }
  if (record.kind() == v1::RECORD_KIND_VISIT) RETURN_IF_ERROR(LookAtAssigned(transaction_, key, record));
  // No feed entry shows it, and whoever follows as this carer is to be refused at once.
  if (old.has_value() && old->left() != record.left()) {
    const std::optional<RecordName> name = NameOf(key);
    ABSL_RAW_CHECK(name.has_value(), "a record's own key names none");
    transaction_.Announce(CarerReceiver(name->id));
  }
  RETURN_IF_ERROR(CheckRows());
  return old.has_value() ? PutOutcome::kUpdated : PutOutcome::kCreated;
}

absl::Status RecordStore::PutMembers(const RecordKey& group, const store::Record* old, const store::Record& record) {
  ASSIGN_OR_RETURN(const MemberChange change, CompareMembers(old, record));
  if (change.leave.empty() && change.join.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(WriteMembers(transaction_, group, change));
  store::FanOut fan_out;
  fan_out.mutable_of_members()->set_group(group.bytes);
  // Those who leave come first: what a carer may no longer see is the more urgent.
  for (const RecordKey& carer : change.leave) fan_out.mutable_of_members()->add_carers(carer.bytes);
  for (const RecordKey& carer : change.join) fan_out.mutable_of_members()->add_carers(carer.bytes);
  return SettleOrSchedule(fan_out, !change.leave.empty());
}

absl::StatusOr<PutOutcome> RecordStore::PutCarePlan(store::Record plan) {
  ABSL_RAW_CHECK(plan.kind() == v1::RECORD_KIND_CARE_PLAN, "only a care plan is stored as one");
  const RecordKey key = KeyOfRecord(plan);
  ASSIGN_OR_RETURN(const RecordKey service_user, ParentOf(plan));
  ASSIGN_OR_RETURN(const std::optional<store::Record> old, GetRecord(transaction_, transaction_.tenant(), key));
  if (old.has_value() && IsUnchanged(*old, plan)) return PutOutcome::kUnchanged;
  Complete(plan, old, transaction_);
  PutRecordRow(transaction_, key, plan);
  transaction_.Put(Space::kRecords, base::keys::Child(transaction_.tenant(), service_user, key), std::string());
  RETURN_IF_ERROR(SettleOrSchedule(OfChild(service_user, key), plan.deleted()));
  RETURN_IF_ERROR(CheckRows());
  return old.has_value() ? PutOutcome::kUpdated : PutOutcome::kCreated;
}

absl::StatusOr<CarePlanCount> RecordStore::CountCarePlans(const RecordKey& service_user) {
  const base::TenantId& tenant = transaction_.tenant();
  const storage::KeyRange plans = ChildrenOfKind(tenant, service_user, v1::RECORD_KIND_CARE_PLAN);
  std::vector<RecordKey> keys;
  bool damaged = false;
  RETURN_IF_ERROR(transaction_.Scan(Space::kRecords, plans, base::limits::kCarePlanRowsOfServiceUser,
                                    [&](std::string_view key, std::string_view) {
                                      RecordKey of;
                                      damaged = !base::keys::ParseChild(key, &of, &keys.emplace_back());
                                      return !damaged;
                                    }));
  if (damaged) return base::errors::DamagedRow("child");
  // While nothing is under way, every feed is what the records say, and a deleted plan is in none.
  ASSIGN_OR_RETURN(const bool under_way, HasScopes(transaction_, tenant));
  CarePlanCount count;
  for (const RecordKey& key : keys) {
    ASSIGN_OR_RETURN(const std::optional<store::Record> plan, GetRecord(transaction_, tenant, key));
    const bool live = plan.has_value() && !plan->deleted();
    if (live) ++count.live;
    if (live || under_way) {
      ++count.rows;
    } else {
      transaction_.Delete(Space::kRecords, base::keys::Child(tenant, service_user, key));
    }
  }
  return count;
}

absl::Status RecordStore::PutCareEvent(store::Record event, const store::Record& parent) {
  ABSL_RAW_CHECK(event.kind() == v1::RECORD_KIND_CARE_EVENT, "only a care event is stored as one");
  const RecordKey key = KeyOfRecord(event);
  const std::optional<base::Uuid> parent_id = base::Uuid::Parse(parent.record_id());
  if (!parent_id.has_value()) return base::errors::DamagedRow("a record under an ID that is no UUID");
  const RecordKey parent_key = KeyOf({parent.kind(), *parent_id});
  Complete(event, std::nullopt, transaction_);
  PutRecordRow(transaction_, key, event);
  transaction_.Put(Space::kRecords, base::keys::Child(transaction_.tenant(), parent_key, key), std::string());

  ASSIGN_OR_RETURN(std::set<Grant> grants, GrantsGivenBy(event, parent.origin().source()));
  RETURN_IF_ERROR(Settle({.record = std::nullopt, .removed = {}, .added = std::move(grants)}));
  RETURN_IF_ERROR(SettleOrSchedule(OfChild(parent_key, key), /*ends=*/false));
  return CheckRows();
}

absl::Status RecordStore::JudgeVisit(const RecordKey& visit, const store::WindowEdges& edges) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> old, GetRecord(transaction_, transaction_.tenant(), visit));
  if (!old.has_value()) return base::errors::DamagedRow("a visit's index row without its visit");
  ASSIGN_OR_RETURN(const bool outside, IsOutside(edges, visit, *old));
  if (outside == old->outside_window()) return absl::OkStatus();
  store::Record record = *old;
  record.set_outside_window(outside);
  PutRecordRow(transaction_, visit, record);
  ASSIGN_OR_RETURN(const std::set<Grant> before, GrantsGivenBy(*old, ""));
  ASSIGN_OR_RETURN(const std::set<Grant> after, GrantsGivenBy(record, ""));
  RETURN_IF_ERROR(Settle({.record = std::nullopt, .removed = Without(before, after), .added = Without(after, before)}));
  return CheckRows();
}

void RecordStore::RollBackTo(const Mark& mark) {
  transaction_.RollBackTo(mark.transaction);
  settler_.set_moved(mark.moved);
}

absl::Status RecordStore::Settle(const Work& work) {
  std::set<std::pair<ReceiverId, RecordKey>> pairs;
  std::set<std::pair<RecordKey, RecordKey>> taken_from;
  std::set<std::pair<RecordKey, RecordKey>> given_to;
  for (const Grant& grant : work.removed) {
    RemoveGrant(transaction_, grant);
    const std::optional<RecordKey> group = GroupOfHolder(grant.holder);
    if (group.has_value()) {
      taken_from.insert({*group, grant.record});
    } else {
      pairs.insert({grant.holder, grant.record});
    }
  }
  for (const Grant& grant : work.added) {
    AddGrant(transaction_, grant);
    const std::optional<RecordKey> group = GroupOfHolder(grant.holder);
    if (group.has_value()) {
      given_to.insert({*group, grant.record});
    } else if (grant.record != work.record) {
      // Whoever holds the record itself is reached as such.
      pairs.insert({grant.holder, grant.record});
    }
  }
  if (!pairs.empty()) RETURN_IF_ERROR(SettleOrSchedule(OfPairs(pairs), !work.removed.empty()));
  for (const auto& [group, record] : taken_from) RETURN_IF_ERROR(SettleOrSchedule(OfGroupRecord(group, record), true));
  for (const auto& [group, record] : given_to) RETURN_IF_ERROR(SettleOrSchedule(OfGroupRecord(group, record), false));
  if (work.record.has_value()) RETURN_IF_ERROR(SettleOrSchedule(OfRecord(*work.record), false));
  return absl::OkStatus();
}

absl::Status RecordStore::SettleOrSchedule(const store::FanOut& fan_out, bool ends) {
  const Mark before = SetMark();
  store::FanOut at_once = fan_out;
  ASSIGN_OR_RETURN(const bool through, WalkFanOut(settler_, Settler::Mode::kInline, at_once));
  if (through) return absl::OkStatus();
  RollBackTo(before);
  return ScheduleFanOut(transaction_, fan_out, ends);
}

absl::Status RecordStore::CheckRows() const {
  const bool fits = transaction_.rows() + kRowsLeft <= base::limits::kCommitRows;
  return fits ? absl::OkStatus() : base::errors::CommitTooLarge();
}

}  // namespace caresync::records

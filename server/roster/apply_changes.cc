#include "server/roster/apply_changes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/roster/change_record.h"
#include "server/roster/matching.h"
#include "server/roster/validation.h"
#include "server/roster/waiting.h"
#include "server/tenants/tenants.h"

namespace caresync::roster {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using base::RecordKey;
using records::PutOutcome;
using records::RecordStore;

// What a change refers to, as records.
struct Resolved {
  std::map<Reference, base::Uuid> ids;
  // Those that are not stored yet, in the order of the change's fields.
  std::vector<Reference> missing;
  std::set<RecordKey> missing_keys;
};

// Whether an error is the store's, and so of the whole message, rather than of one change.
bool IsOfStore(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsDataLoss(status); }

bool IsOlder(const v1::RosterChange& change, uint64_t than) {
  return change.source_version() != 0 && change.source_version() < than;
}

// Where external IDs are looked up: in the change's own transaction, so that it sees what it writes.
const storage::Reader& MatchedIn(const commit::Transaction& transaction) {
  if (base::HasPlantedBug(base::PlantedBug::kMatchingOutsideSequencer)) return transaction.base();
  return transaction;
}

absl::StatusOr<Resolved> Resolve(const commit::Transaction& transaction, const v1::RosterChange& change) {
  const base::TenantId& tenant = transaction.tenant();
  const std::vector<Reference> references = ReferencesOf(change);
  Resolved resolved;
  std::vector<RecordKey> keys;
  for (const Reference& reference : references) {
    ASSIGN_OR_RETURN(const base::Uuid id,
                     MeantBy(MatchedIn(transaction), tenant, change.source(), reference.kind, reference.external_id));
    resolved.ids[reference] = id;
    keys.push_back(records::KeyOf({reference.kind, id}));
  }
  ASSIGN_OR_RETURN(const std::vector<std::optional<store::Record>> found,
                   records::GetRecords(MatchedIn(transaction), tenant, keys));
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].has_value()) continue;
    resolved.missing.push_back(references[i]);
    resolved.missing_keys.insert(keys[i]);
  }
  return resolved;
}

v1::ChangeOutcome ToOutcome(PutOutcome outcome) {
  switch (outcome) {
    case PutOutcome::kCreated:
      return v1::CHANGE_OUTCOME_CREATED;
    case PutOutcome::kUpdated:
      return v1::CHANGE_OUTCOME_UPDATED;
    case PutOutcome::kUnchanged:
      return v1::CHANGE_OUTCOME_UNCHANGED;
  }
  return v1::CHANGE_OUTCOME_UNSPECIFIED;
}

v1::ChangeResult Rejected(const absl::Status& status) {
  v1::ChangeResult result;
  result.set_outcome(v1::CHANGE_OUTCOME_REJECTED);
  result.mutable_error()->set_reason(base::Reason(status));
  result.mutable_error()->set_message(std::string(status.message()));
  return result;
}

// Whether the change takes what a stored record shows off the devices: a visit cancelled or withdrawn, a group
// dissolved, a carer who left. It waits for nothing that it refers to: nobody is to see that, and who sees what it
// takes away must not keep it for the sake of a record that has not come.
bool TakesAway(const v1::RosterChange& change, const std::optional<store::Record>& stored) {
  // A group is stored with those of its members who are known: sent again it would be found stored, and waiting no
  // more.
  if (change.employee_group().dissolved()) return true;
  if (!stored.has_value()) return false;
  const bool hides_visit = change.has_visit() && (change.visit().cancelled() || !change.visit().published());
  return hides_visit || change.carer().left();
}

// Stores `record`, which a change asks for.
absl::StatusOr<PutOutcome> StoreRecord(RecordStore& records, store::Record record, const base::Uuid& id) {
  const v1::RecordKind kind = record.kind();
  const store::Origin origin = record.origin();
  ASSIGN_OR_RETURN(const PutOutcome outcome, records.Put(std::move(record)));
  if (outcome != PutOutcome::kCreated) return outcome;
  SetMatch(records.transaction(), origin.source(), kind, origin.external_id(), id);
  RETURN_IF_ERROR(ScheduleRelease(records.transaction(), records::KeyOf({kind, id})));
  return outcome;
}

// Applies a valid change, or keeps it waiting. Errors leave traces, which the caller rolls back.
absl::StatusOr<v1::ChangeResult> ApplyValid(RecordStore& records, const v1::RosterChange& change) {
  commit::Transaction& transaction = records.transaction();
  const base::TenantId& tenant = transaction.tenant();
  const v1::RecordKind kind = KindOf(change);
  ASSIGN_OR_RETURN(const base::Uuid id, MeantBy(transaction, tenant, change.source(), kind, change.external_id()));
  const RecordKey key = records::KeyOf({kind, id});
  ASSIGN_OR_RETURN(const std::optional<store::Record> stored, records::GetRecord(transaction, tenant, key));
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> waiting, GetWaiting(transaction, tenant, key));
  v1::ChangeResult result;
  result.set_record_id(id.ToString());

  const bool superseded = (stored.has_value() && IsOlder(change, stored->origin().source_version())) ||
                          (waiting.has_value() && IsOlder(change, waiting->change().source_version()));
  if (superseded) {
    result.set_outcome(v1::CHANGE_OUTCOME_SUPERSEDED);
    return result;
  }

  ASSIGN_OR_RETURN(const Resolved resolved, Resolve(transaction, change));
  // Of a group those who are known are taken at once: somebody who left it must not stay in it for the sake of a
  // newcomer.
  const bool waits = !resolved.missing.empty() && !TakesAway(change, stored);
  const bool goes_ahead = !waits || kind == v1::RECORD_KIND_EMPLOYEE_GROUP;
  store::Record record = BuildRecord(waits ? WithoutMembers(change, resolved.missing) : change, id, resolved.ids);
  if (record.payload().size() > limits::kRecordBytes) return errors::RecordTooLarge(record.payload().size());
  // A version that is not given must not make room for an older one.
  const uint64_t latest = std::max(stored.has_value() ? stored->origin().source_version() : 0,
                                   waiting.has_value() ? waiting->change().source_version() : 0);
  bool dropped = false;
  if (!waits) {
    ASSIGN_OR_RETURN(dropped, DropWaiting(transaction, key));
  } else {
    v1::RosterChange kept = change;
    kept.set_source_version(std::max(latest, change.source_version()));
    RETURN_IF_ERROR(KeepWaiting(transaction, kept, key, resolved.missing_keys));
    *result.mutable_missing() = ToMissing(resolved.missing);
  }
  // A group may wait for thousands, though its record is as it was.
  RETURN_IF_ERROR(records.CheckRows());
  if (!goes_ahead) {
    result.set_outcome(v1::CHANGE_OUTCOME_WAITING);
    return result;
  }

  record.mutable_origin()->set_source_version(std::max(latest, change.source_version()));
  ASSIGN_OR_RETURN(const PutOutcome outcome, StoreRecord(records, std::move(record), id));
  // What waited for the record's next state was dropped: that is a change, though the record is as it was.
  const bool only_dropped = dropped && outcome == PutOutcome::kUnchanged;
  result.set_outcome(only_dropped ? v1::CHANGE_OUTCOME_UPDATED : ToOutcome(outcome));
  return result;
}

absl::StatusOr<v1::ChangeResult> ApplyOne(RecordStore& records, const std::string& source,
                                          const v1::RosterChange& change) {
  if (change.source() != source) return Rejected(errors::SourceNotYours(change.source(), source));
  if (const absl::Status valid = Validate(change); !valid.ok()) return Rejected(valid);
  const RecordStore::Mark mark = records.SetMark();
  absl::StatusOr<v1::ChangeResult> result = ApplyValid(records, change);
  if (result.ok() || IsOfStore(result.status())) return result;
  records.RollBackTo(mark);
  return Rejected(result.status());
}

// Applies what waited, or keeps it waiting for what is still missing. Errors leave traces.
absl::StatusOr<v1::ChangeResult> ApplyWaiting(RecordStore& records, const v1::RosterChange& change) {
  // It was valid when it was kept, perhaps by another version of the server.
  RETURN_IF_ERROR(Validate(change));
  return ApplyValid(records, change);
}

// Applies what waits to write `waiter`, keeps it waiting for what is still missing, or notes that it is refused. Not OK
// where it does not fit into this commit any more, and for errors of the store. Returns how much it refers to.
// `record`: what came.
absl::StatusOr<size_t> Release(RecordStore& records, const RecordKey& record, const RecordKey& waiter) {
  commit::Transaction& transaction = records.transaction();
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> waiting,
                   GetWaiting(transaction, transaction.tenant(), waiter));
  const bool waits = waiting.has_value() && std::find(waiting->missing().begin(), waiting->missing().end(),
                                                      record.bytes) != waiting->missing().end();
  if (!waits) {
    // It would go on being said to wait, step after step, and hold up what does.
    observability::Log(observability::Level::kError, "waiting_change_missing",
                       {{"tenant", transaction.tenant().text()}});
    ForgetWaiter(transaction, record, waiter);
    return 0;
  }
  const size_t references = ReferencesOf(waiting->change()).size();
  const RecordStore::Mark mark = records.SetMark();
  const absl::StatusOr<v1::ChangeResult> result = ApplyWaiting(records, waiting->change());
  if (result.ok()) {
    if (result->outcome() == v1::CHANGE_OUTCOME_SUPERSEDED) {
      RETURN_IF_ERROR(DropWaiting(transaction, waiter).status());
    }
    return references;
  }
  records.RollBackTo(mark);
  const std::string reason = base::Reason(result.status());
  if (IsOfStore(result.status()) || reason == base::Reason(errors::CommitTooLarge())) return result.status();
  observability::Log(observability::Level::kError, "waiting_change_refused",
                     {{"tenant", transaction.tenant().text()},
                      {"source", waiting->change().source()},
                      {"kind", v1::RecordKind_Name(KindOf(waiting->change()))},
                      {"external_id", waiting->change().external_id()},
                      {"reason", reason}});
  RETURN_IF_ERROR(RefuseWaiting(transaction, waiter, reason));
  return references;
}

// One step of kReleaseTask.
absl::Status ReleaseStep(commit::Transaction& transaction, const std::string& payload) {
  const RecordKey record{payload};
  ASSIGN_OR_RETURN(const std::vector<RecordKey> waiters,
                   WaitersFor(transaction, transaction.tenant(), record, limits::kReleasedPerCommit));
  RecordStore records(transaction);
  size_t references = 0;
  for (const RecordKey& waiter : waiters) {
    const absl::StatusOr<size_t> released = Release(records, record, waiter);
    if (IsOfStore(released.status())) return released.status();
    // The commit is full. The first waiter always fits, so each step gets on.
    if (!released.ok()) break;
    // Each is looked up: one large group is enough for a step.
    references += *released;
    if (references >= limits::kGroupMembers || transaction.bytes() > limits::kVisitStepBytes) break;
  }
  return ScheduleRelease(transaction, record);
}

}  // namespace

absl::StatusOr<std::vector<v1::ChangeResult>> ApplyMessage(commit::Transaction& transaction, const std::string& source,
                                                           const v1::ApplyChangesRequest& request) {
  const size_t count = static_cast<size_t>(request.changes_size());
  if (count > limits::kRosterChanges) return errors::TooManyChanges(count);
  RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
  RecordStore records(transaction);
  std::vector<v1::ChangeResult> results;
  results.reserve(count);
  for (const v1::RosterChange& change : request.changes()) {
    ASSIGN_OR_RETURN(v1::ChangeResult result, ApplyOne(records, source, change));
    result.set_index(static_cast<uint32_t>(results.size()));
    results.push_back(std::move(result));
  }
  return results;
}

void RegisterTasks(commit::TaskRunner& tasks) { tasks.Register(kReleaseTask, ReleaseStep); }

}  // namespace caresync::roster

#include "server/roster/waiting.h"

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "server/records/record_key.h"

namespace caresync::roster {
namespace {

using base::RecordKey;
using storage::Space;

// When a record changed in its system is evidence, and no part of what is compared.
bool IsSameChange(v1::RosterChange a, v1::RosterChange b) {
  a.clear_changed_time();
  b.clear_changed_time();
  return a.SerializeAsString() == b.SerializeAsString();
}

std::set<RecordKey> MissingKeysOf(const store::WaitingChange& waiting) {
  std::set<RecordKey> missing;
  for (const std::string& key : waiting.missing()) missing.insert({key});
  return missing;
}

bool IsRefused(const store::WaitingChange& waiting) { return !waiting.refused_reason().empty(); }

// What waits to write `record`, or was refused.
absl::StatusOr<std::optional<store::WaitingChange>> GetKept(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const RecordKey& record) {
  return base::GetStored<store::WaitingChange>(reader, Space::kRecords, base::keys::Waiting(tenant, record));
}

absl::StatusOr<store::SourceState> GetState(const commit::Transaction& transaction, const std::string& source) {
  const std::string key = base::keys::SourceState(transaction.tenant(), source);
  ASSIGN_OR_RETURN(const std::optional<store::SourceState> state,
                   base::GetStored<store::SourceState>(transaction, Space::kRecords, key));
  return state.value_or(store::SourceState());
}

void PutState(commit::Transaction& transaction, const std::string& source, const store::SourceState& state) {
  transaction.Put(Space::kRecords, base::keys::SourceState(transaction.tenant(), source), state.SerializeAsString());
}

// Takes what is kept out of its source's counts.
absl::Status Uncount(const store::WaitingChange& kept, store::SourceState& state) {
  const bool refused = IsRefused(kept);
  const uint64_t count = refused ? state.refused() : state.waiting();
  if (count == 0) return base::errors::DamagedRow("the count of a source's waiting changes");
  refused ? state.set_refused(count - 1) : state.set_waiting(count - 1);
  return absl::OkStatus();
}

void DeleteRows(commit::Transaction& transaction, const RecordKey& record, const store::WaitingChange& waiting) {
  transaction.Delete(Space::kRecords, base::keys::Waiting(transaction.tenant(), record));
  for (const RecordKey& missing : MissingKeysOf(waiting)) {
    transaction.Delete(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, record));
  }
}

// Writes only what differs: a group may wait for thousands of carers, who come a few at a time.
void ReplaceRows(commit::Transaction& transaction, const RecordKey& record, const std::set<RecordKey>& before,
                 const store::WaitingChange& waiting) {
  transaction.Put(Space::kRecords, base::keys::Waiting(transaction.tenant(), record), waiting.SerializeAsString());
  const std::set<RecordKey> after = MissingKeysOf(waiting);
  for (const RecordKey& missing : before) {
    if (after.contains(missing)) continue;
    transaction.Delete(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, record));
  }
  for (const RecordKey& missing : after) {
    if (before.contains(missing)) continue;
    transaction.Put(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, record), std::string());
  }
}

}  // namespace

absl::Status KeepWaiting(commit::Transaction& transaction, const v1::RosterChange& change, const RecordKey& record,
                         const std::set<RecordKey>& missing) {
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> before,
                   GetKept(transaction, transaction.tenant(), record));
  const bool replaces = before.has_value() && !IsRefused(*before);
  const bool same = replaces && IsSameChange(before->change(), change);
  if (same && MissingKeysOf(*before) == missing) return absl::OkStatus();

  ASSIGN_OR_RETURN(store::SourceState state, GetState(transaction, change.source()));
  // One that waits already may still be replaced.
  if (!replaces && state.waiting() >= base::limits::kWaitingChanges) {
    return base::errors::TooManyWaiting(change.source());
  }
  if (before.has_value()) RETURN_IF_ERROR(Uncount(*before, state));
  state.set_waiting(state.waiting() + 1);
  PutState(transaction, change.source(), state);
  store::WaitingChange waiting;
  *waiting.mutable_change() = change;
  waiting.set_since_us(same ? before->since_us() : base::ToStoredTime(transaction.now()));
  for (const RecordKey& key : missing) waiting.add_missing(key.bytes);
  ReplaceRows(transaction, record, before.has_value() ? MissingKeysOf(*before) : std::set<RecordKey>(), waiting);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<store::WaitingChange>> GetWaiting(const storage::Reader& reader,
                                                               const base::TenantId& tenant, const RecordKey& record) {
  ASSIGN_OR_RETURN(std::optional<store::WaitingChange> kept, GetKept(reader, tenant, record));
  if (kept.has_value() && IsRefused(*kept)) kept.reset();
  return kept;
}

absl::StatusOr<bool> DropWaiting(commit::Transaction& transaction, const RecordKey& record) {
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> kept, GetKept(transaction, transaction.tenant(), record));
  if (!kept.has_value()) return false;
  const std::string& source = kept->change().source();
  ASSIGN_OR_RETURN(store::SourceState state, GetState(transaction, source));
  RETURN_IF_ERROR(Uncount(*kept, state));
  DeleteRows(transaction, record, *kept);
  PutState(transaction, source, state);
  return true;
}

absl::Status RefuseWaiting(commit::Transaction& transaction, const RecordKey& record, const std::string& reason) {
  ASSIGN_OR_RETURN(std::optional<store::WaitingChange> waiting, GetWaiting(transaction, transaction.tenant(), record));
  if (!waiting.has_value()) return base::errors::DamagedRow("a change that is said to wait");
  RETURN_IF_ERROR(DropWaiting(transaction, record).status());
  const std::string source = waiting->change().source();
  ASSIGN_OR_RETURN(store::SourceState state, GetState(transaction, source));
  if (state.refused() >= base::limits::kWaitingChanges) return absl::OkStatus();
  state.set_refused(state.refused() + 1);
  PutState(transaction, source, state);
  waiting->clear_missing();
  waiting->set_refused_reason(reason);
  ReplaceRows(transaction, record, {}, *waiting);
  return absl::OkStatus();
}

void ForgetWaiter(commit::Transaction& transaction, const RecordKey& missing, const RecordKey& waiter) {
  transaction.Delete(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, waiter));
}

absl::Status ScheduleRelease(commit::Transaction& transaction, const RecordKey& record) {
  ASSIGN_OR_RETURN(const std::vector<RecordKey> waiters, WaitersFor(transaction, transaction.tenant(), record, 1));
  if (waiters.empty()) return absl::OkStatus();
  // Due since ever: a clock that is set back must not put it off.
  commit::ScheduleTask(transaction, base::FromStoredTime(0), std::string(kReleaseTask).append("/").append(record.bytes),
                       kReleaseTask, record.bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RecordKey>> WaitersFor(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const RecordKey& missing, size_t most) {
  std::vector<RecordKey> waiters;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::AllWaitingFor(tenant, missing), most,
                              [&](std::string_view key, std::string_view) {
                                RecordKey of;
                                damaged = !base::keys::ParseWaitingFor(key, &of, &waiters.emplace_back());
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a row of what waits for a record");
  return waiters;
}

std::vector<Reference> MissingOf(const base::TenantId& tenant, const store::WaitingChange& waiting, size_t most) {
  const std::set<RecordKey> keys = MissingKeysOf(waiting);
  std::vector<Reference> missing;
  if (keys.empty()) return missing;
  for (const Reference& reference : ReferencesOf(waiting.change())) {
    if (missing.size() == most) break;
    // What has not come is matched to nothing: it has the ID that it will be matched to.
    const base::Uuid id =
        records::IntegratedId(tenant, waiting.change().source(), reference.kind, reference.external_id);
    if (keys.contains(records::KeyOf({reference.kind, id}))) missing.push_back(reference);
  }
  return missing;
}

}  // namespace caresync::roster

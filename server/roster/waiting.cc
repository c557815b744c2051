#include "server/roster/waiting.h"

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"

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

std::set<RecordKey> MissingOf(const store::WaitingChange& waiting) {
  std::set<RecordKey> missing;
  for (const std::string& key : waiting.missing()) missing.insert({key});
  return missing;
}

absl::StatusOr<uint64_t> CountOf(const commit::Transaction& transaction, const std::string& source) {
  const std::string key = base::keys::SourceState(transaction.tenant(), source);
  ASSIGN_OR_RETURN(const std::optional<store::SourceState> state,
                   base::GetStored<store::SourceState>(transaction, Space::kRecords, key));
  return state.has_value() ? state->waiting() : 0;
}

void PutCount(commit::Transaction& transaction, const std::string& source, uint64_t waiting) {
  store::SourceState state;
  state.set_waiting(waiting);
  transaction.Put(Space::kRecords, base::keys::SourceState(transaction.tenant(), source), state.SerializeAsString());
}

void DeleteRows(commit::Transaction& transaction, const RecordKey& record, const store::WaitingChange& waiting) {
  transaction.Delete(Space::kRecords, base::keys::Waiting(transaction.tenant(), record));
  for (const RecordKey& missing : MissingOf(waiting)) {
    transaction.Delete(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, record));
  }
}

void PutRows(commit::Transaction& transaction, const RecordKey& record, const store::WaitingChange& waiting) {
  transaction.Put(Space::kRecords, base::keys::Waiting(transaction.tenant(), record), waiting.SerializeAsString());
  for (const RecordKey& missing : MissingOf(waiting)) {
    transaction.Put(Space::kRecords, base::keys::WaitingFor(transaction.tenant(), missing, record), std::string());
  }
}

}  // namespace

absl::Status KeepWaiting(commit::Transaction& transaction, const v1::RosterChange& change, const RecordKey& record,
                         const std::set<RecordKey>& missing) {
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> before,
                   GetWaiting(transaction, transaction.tenant(), record));
  const bool same = before.has_value() && IsSameChange(before->change(), change);
  if (same && MissingOf(*before) == missing) return absl::OkStatus();

  if (before.has_value()) {
    DeleteRows(transaction, record, *before);
  } else {
    ASSIGN_OR_RETURN(const uint64_t count, CountOf(transaction, change.source()));
    if (count >= base::limits::kWaitingChanges) return base::errors::TooManyWaiting(change.source());
    PutCount(transaction, change.source(), count + 1);
  }
  store::WaitingChange waiting;
  *waiting.mutable_change() = change;
  waiting.set_since_us(same ? before->since_us() : base::ToStoredTime(transaction.now()));
  for (const RecordKey& key : missing) waiting.add_missing(key.bytes);
  PutRows(transaction, record, waiting);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<store::WaitingChange>> GetWaiting(const storage::Reader& reader,
                                                               const base::TenantId& tenant, const RecordKey& record) {
  return base::GetStored<store::WaitingChange>(reader, Space::kRecords, base::keys::Waiting(tenant, record));
}

absl::Status DropWaiting(commit::Transaction& transaction, const RecordKey& record) {
  ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> waiting,
                   GetWaiting(transaction, transaction.tenant(), record));
  if (!waiting.has_value()) return absl::OkStatus();
  const std::string& source = waiting->change().source();
  ASSIGN_OR_RETURN(const uint64_t count, CountOf(transaction, source));
  if (count == 0) return base::errors::DamagedRow("the count of a source's waiting changes");
  DeleteRows(transaction, record, *waiting);
  PutCount(transaction, source, count - 1);
  return absl::OkStatus();
}

absl::Status ScheduleRelease(commit::Transaction& transaction, const RecordKey& record) {
  ASSIGN_OR_RETURN(const std::vector<RecordKey> waiters, WaitersFor(transaction, transaction.tenant(), record, 1));
  if (waiters.empty()) return absl::OkStatus();
  commit::ScheduleTask(transaction, transaction.now(), std::string(kReleaseTask).append("/").append(record.bytes),
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

}  // namespace caresync::roster

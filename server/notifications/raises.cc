#include "server/notifications/raises.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/tasks.h"
#include "server/mismatch/due.h"
#include "server/notifications/gathering.h"
#include "server/notifications/settings.h"
#include "server/notifications/task_state.h"

namespace caresync::notifications {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using mismatch::CarerVisit;
using storage::Space;

// Those of which people are told something else than before the transaction.
absl::StatusOr<std::vector<CarerVisit>> ToldAnew(const commit::Transaction& transaction) {
  std::vector<CarerVisit> told;
  bool damaged = false;
  transaction.VisitOwn(Space::kRecords, keys::ToldMismatches(transaction.tenant(), ""),
                       [&](std::string_view key, const std::optional<std::string>& value) {
                         if (!value.has_value()) return true;
                         CarerVisit& of = told.emplace_back();
                         base::Revision revision = 0;
                         damaged = !keys::ParseToldMismatch(key, &revision, &of.carer, &of.visit);
                         return !damaged;
                       });
  if (damaged) return base::errors::DamagedRow("the key of a mismatch that was told");
  return told;
}

bool IsOpen(const std::optional<store::Mismatch>& row) {
  return row.has_value() && row->state() == store::Mismatch::OPEN;
}

// It is open as before, and waits for an hour to be over, which a further change of the visit leaves no time for.
absl::StatusOr<bool> WaitsThoughNear(const commit::Transaction& transaction, const CarerVisit& of,
                                     const store::Mismatch& row) {
  if (!IsNear(mismatch::StartThatCounts(row), transaction.now())) return false;
  return IsHeldBack(transaction, transaction.tenant(), row.branch_id(), of);
}

// Whether somebody is to be told of a branch; each is read once.
class ToldBranches {
 public:
  explicit ToldBranches(const commit::Transaction& transaction) : transaction_(transaction) {}

  absl::StatusOr<bool> Has(const std::string& branch) {
    const auto known = told_.find(branch);
    if (known != told_.end()) return known->second;
    ASSIGN_OR_RETURN(const store::NotificationSettings settings,
                     SettingsFor(transaction_, transaction_.tenant(), branch));
    return told_[branch] = NamesAnybody(settings);
  }

 private:
  const commit::Transaction& transaction_;
  std::map<std::string, bool> told_;
};

// The task falls due at `due` at the latest.
absl::Status Arm(commit::Transaction& transaction, absl::Time due) {
  ASSIGN_OR_RETURN(store::Notifications state, ReadNotifications(transaction, transaction.tenant()));
  const absl::Time set = base::FromStoredTime(state.task_due_us());
  // One that is overdue by more than it ever sleeps was put aside by a server that does not know its kind.
  const bool stands = state.task_due_us() != 0 && set <= due && set >= transaction.now() - limits::kNotificationsSleep;
  if (stands && !state.has_walked_branch()) return absl::OkStatus();
  // It may be on its way behind the branch of this one.
  const int64_t due_us = base::ToStoredTime(due);
  if (state.next_us() == 0 || due_us < state.next_us()) state.set_next_us(due_us);
  if (!stands) {
    PutNotifications(transaction, due, std::move(state));
    return absl::OkStatus();
  }
  // The task is left as it is. While the outbox is full it rests, and is due later than it was written for: written
  // anew by each raise it would be another one each time.
  transaction.Put(Space::kRecords, keys::Notifications(transaction.tenant()), state.SerializeAsString());
  return absl::OkStatus();
}

using ParseKey = bool (*)(std::string_view key, std::string* branch, base::Uuid* carer, base::RecordKey* visit);

absl::StatusOr<std::optional<std::string>> FirstBranchIn(const storage::Reader& reader, const storage::KeyRange& range,
                                                         ParseKey parse) {
  std::optional<std::string> branch;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, range, 1, [&](std::string_view key, std::string_view) {
    CarerVisit of;
    damaged = !parse(key, &branch.emplace(), &of.carer, &of.visit);
    return false;
  }));
  if (damaged) return base::errors::DamagedRow("the key of a mismatch that is to be told");
  return branch;
}

}  // namespace

absl::Status NoteRaises(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> told, ToldAnew(transaction));
  ToldBranches branches(transaction);
  bool any = false;
  for (const CarerVisit& of : told) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row,
                     mismatch::GetUndamaged(transaction, transaction.tenant(), of));
    if (!IsOpen(row)) continue;
    ASSIGN_OR_RETURN(const bool is_told, branches.Has(row->branch_id()));
    if (!is_told) continue;
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> before,
                     mismatch::GetUndamaged(transaction.base(), transaction.tenant(), of));
    // Another branch has not been told of it.
    if (IsOpen(before) && before->branch_id() == row->branch_id()) {
      ASSIGN_OR_RETURN(const bool is_urgent, WaitsThoughNear(transaction, of, *row));
      if (!is_urgent) continue;
    }
    transaction.Put(Space::kRecords, keys::RaisedMismatch(transaction.tenant(), row->branch_id(), of.carer, of.visit),
                    std::string());
    any = true;
  }
  return any ? Arm(transaction, transaction.now() + limits::kToldTogether) : absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> FirstBranch(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const std::optional<std::string>& after) {
  const std::string* const behind = after.has_value() ? &*after : nullptr;
  ASSIGN_OR_RETURN(const std::optional<std::string> raised,
                   FirstBranchIn(reader, keys::RaisedMismatchesAfter(tenant, behind), keys::ParseRaisedMismatch));
  ASSIGN_OR_RETURN(const std::optional<std::string> held,
                   FirstBranchIn(reader, keys::HeldMismatchesAfter(tenant, behind), keys::ParseHeldMismatch));
  if (!raised.has_value() || !held.has_value()) return raised.has_value() ? raised : held;
  return std::optional<std::string>(std::min(*raised, *held));
}

absl::StatusOr<std::vector<CarerVisit>> ReadRaised(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const std::string& branch, size_t most) {
  std::vector<CarerVisit> raised;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::RaisedMismatchesOf(tenant, branch), most,
                              [&](std::string_view key, std::string_view) {
                                CarerVisit& of = raised.emplace_back();
                                std::string of_branch;
                                damaged = !keys::ParseRaisedMismatch(key, &of_branch, &of.carer, &of.visit);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("the key of a mismatch that is to be told");
  return raised;
}

void ForgetRaised(commit::Transaction& transaction, const std::string& branch, const CarerVisit& of) {
  transaction.Delete(Space::kRecords, keys::RaisedMismatch(transaction.tenant(), branch, of.carer, of.visit));
}

absl::Status LookAtRaised(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(const std::optional<std::string> first,
                   FirstBranch(transaction, transaction.tenant(), std::nullopt));
  if (!first.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(store::Notifications state, ReadNotifications(transaction, transaction.tenant()));
  state.clear_walked_branch();
  state.clear_next_us();
  PutNotifications(transaction, transaction.now(), std::move(state));
  return absl::OkStatus();
}

absl::StatusOr<store::Notifications> ReadNotifications(const storage::Reader& reader, const base::TenantId& tenant) {
  return ReadTaskState<store::Notifications>(reader, tenant, keys::Notifications(tenant), "notifications_not_readable");
}

void PutNotifications(commit::Transaction& transaction, std::optional<absl::Time> due, store::Notifications state) {
  const base::TenantId& tenant = transaction.tenant();
  if (due.has_value()) due = std::clamp(*due, transaction.now(), transaction.now() + limits::kNotificationsSleep);
  state.set_task_due_us(commit::MoveTask(transaction, kTellTask, state.task_due_us(), due));
  transaction.Put(Space::kRecords, keys::Notifications(tenant), state.SerializeAsString());
}

}  // namespace caresync::notifications

#include "server/mismatch/mismatch_rows.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/due.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

bool IsListed(const store::Mismatch& row) { return row.state() != store::Mismatch::PENDING; }

keys::MismatchGroup GroupOf(const store::Mismatch& row) {
  if (row.state() == store::Mismatch::SNOOZED) return keys::MismatchGroup::kSnoozed;
  return IsLive(row) ? keys::MismatchGroup::kOpen : keys::MismatchGroup::kEnded;
}

// By the start that counts; behind all of those, the last first, where the visit is over; those that have ended the
// last first.
int64_t RankOf(const store::Mismatch& row) {
  if (!IsLive(row)) return -row.ended_us();
  const int64_t start_us = base::ToStoredTime(StartThatCounts(row));
  // No start is later than the last instant.
  return row.over() ? 2 * base::kLastInstantUs + 1 - start_us : start_us;
}

absl::Time LookAt(const store::Mismatch& row) {
  absl::Time look = EndOf(row);
  if (row.due_us() != 0) look = base::FromStoredTime(row.due_us());
  if (row.state() == store::Mismatch::SNOOZED) look = std::min(look, base::FromStoredTime(row.snoozed_until_us()));
  // Then it goes behind those whose visits are to come.
  if (row.state() == store::Mismatch::OPEN && !row.over()) look = std::min(look, VisitEnd(row));
  return look;
}

bool IsOver(const store::Mismatch& row, absl::Time now) {
  return row.state() == store::Mismatch::OPEN && VisitEnd(row) <= now;
}

// As it is to be stored now: with its place in the list, and when it is to be looked at.
store::Mismatch Placed(store::Mismatch row, absl::Time now) {
  row.set_over(IsOver(row, now));
  row.set_rank(IsListed(row) ? RankOf(row) : 0);
  row.set_look_us(base::ToStoredTime(LookAt(row)));
  return row;
}

// The keys of its index rows, which are empty.
std::vector<std::string> IndexKeys(const base::TenantId& tenant, const CarerVisit& of, const store::Mismatch& row) {
  std::vector<std::string> index = {keys::MismatchLook(tenant, row.look_us(), of.carer, of.visit)};
  if (IsLive(row)) index.push_back(keys::OpenMismatch(tenant, of.carer, of.visit));
  if (IsListed(row)) index.push_back(ListedKey(tenant, of, row));
  if (row.told_revision() != 0) {
    index.push_back(keys::ToldMismatch(tenant, row.told_revision(), of.carer, of.visit));
  }
  return index;
}

// All of the row but when it is looked at and where its index rows lie, of which nobody is told.
std::string WhatIsTold(store::Mismatch row) {
  row.clear_due_us();
  row.clear_again_us();
  row.clear_look_us();
  row.clear_rank();
  row.clear_over();
  row.clear_told_revision();
  return row.SerializeAsString();
}

bool Holds(const std::vector<std::string>& index, const std::string& key) {
  return std::find(index.begin(), index.end(), key) != index.end();
}

absl::Status Alarm(commit::Transaction& transaction, absl::Time look) {
  ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, transaction.tenant()));
  // A task further away than it ever sleeps was put there by a clock that has been set back since.
  const absl::Time due = std::clamp(look, transaction.now(), transaction.now() + limits::kMismatchSleep);
  if (looks.next_due_us() != 0 && base::FromStoredTime(looks.next_due_us()) <= due) return absl::OkStatus();
  const bool set_back = NoteClock(transaction.now(), looks);
  ScheduleLook(transaction, set_back ? transaction.now() : due, looks);
  PutLooks(transaction, looks);
  return absl::OkStatus();
}

}  // namespace

bool IsLive(const store::Mismatch& row) {
  return row.state() == store::Mismatch::OPEN || row.state() == store::Mismatch::SNOOZED;
}

absl::StatusOr<std::optional<store::Mismatch>> GetMismatch(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const CarerVisit& of) {
  ASSIGN_OR_RETURN(
      std::optional<store::Mismatch> row,
      base::GetStored<store::Mismatch>(reader, Space::kRecords, keys::Mismatch(tenant, of.carer, of.visit)));
  if (row.has_value() && PartsIn(*row).empty()) return base::errors::DamagedRow("a mismatch about nothing");
  return row;
}

absl::StatusOr<std::optional<store::Mismatch>> GetUndamaged(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const CarerVisit& of) {
  return UnlessDamaged(GetMismatch(reader, tenant, of), "mismatch_not_readable", tenant, of.carer);
}

base::ReceiverId MismatchTopic() { return {"mismatches"}; }

absl::Status PutMismatch(commit::Transaction& transaction, const CarerVisit& of,
                         const std::optional<store::Mismatch>& old, store::Mismatch row) {
  const base::TenantId& tenant = transaction.tenant();
  row = Placed(std::move(row), transaction.now());
  row.set_told_revision(old.has_value() ? old->told_revision() : 0);
  const bool was_told = row.told_revision() != 0 && WhatIsTold(*old) == WhatIsTold(row);
  if (IsListed(row) && !was_told) {
    row.set_told_revision(transaction.revision());
    transaction.Announce(MismatchTopic());
  }
  const std::vector<std::string> before = old.has_value() ? IndexKeys(tenant, of, *old) : std::vector<std::string>();
  const std::vector<std::string> after = IndexKeys(tenant, of, row);
  for (const std::string& key : before) {
    if (!Holds(after, key)) transaction.Delete(Space::kRecords, key);
  }
  for (const std::string& key : after) {
    if (!Holds(before, key)) transaction.Put(Space::kRecords, key, std::string());
  }
  transaction.Put(Space::kRecords, keys::Mismatch(tenant, of.carer, of.visit), row.SerializeAsString());
  return Alarm(transaction, base::FromStoredTime(row.look_us()));
}

bool IsInItsPlace(const store::Mismatch& row, absl::Time now) {
  const store::Mismatch placed = Placed(row, now);
  return placed.over() == row.over() && placed.rank() == row.rank() && placed.look_us() == row.look_us();
}

void DeleteMismatch(commit::Transaction& transaction, const CarerVisit& of, const store::Mismatch& old) {
  const base::TenantId& tenant = transaction.tenant();
  for (std::string& key : IndexKeys(tenant, of, old)) transaction.Delete(Space::kRecords, std::move(key));
  transaction.Delete(Space::kRecords, keys::Mismatch(tenant, of.carer, of.visit));
}

absl::StatusOr<std::vector<Look>> ReadLookTimes(const storage::Reader& reader, const base::TenantId& tenant,
                                                std::string_view after, size_t most) {
  std::vector<Look> looks;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::AllMismatchLooks(tenant, after), most,
                              [&](std::string_view key, std::string_view) {
                                Look& look = looks.emplace_back();
                                damaged = !keys::ParseMismatchLook(key, &look.time_us, &look.of.carer, &look.of.visit);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("when a mismatch is to be looked at");
  return looks;
}

std::string ListedKey(const base::TenantId& tenant, const CarerVisit& of, const store::Mismatch& row) {
  return keys::ListedMismatch(tenant, GroupOf(row), row.rank(), of.carer, of.visit);
}

absl::Time VisitEnd(const store::Mismatch& row) {
  absl::Time end = absl::InfinitePast();
  for (const store::VisitPart* part : PartsIn(row)) end = std::max(end, base::FromStoredTime(part->end_us()));
  return end;
}

absl::Time EndOf(const store::Mismatch& row) {
  const absl::Time over = VisitEnd(row);
  const absl::Time kept = row.opened_us() == 0 ? over : over + limits::kMismatchKept;
  // No stored time lies behind it.
  return std::min(kept, absl::FromUnixMicros(base::kLastInstantUs));
}

absl::StatusOr<store::MismatchLooks> ReadLooks(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<store::MismatchLooks> looks,
                   base::GetStored<store::MismatchLooks>(reader, Space::kRecords, keys::MismatchLooks(tenant)));
  return std::move(looks).value_or(store::MismatchLooks());
}

bool NoteClock(absl::Time now, store::MismatchLooks& looks) {
  const bool set_back = base::FromStoredTime(looks.clock_us()) > now + limits::kMismatchClockSlack;
  looks.set_clock_us(base::ToStoredTime(now));
  if (!set_back) return false;
  // One that is under way for another reason does that too, and begins anew: what it has passed was not put right.
  if (!looks.retiming()) looks.set_set_back(true);
  looks.set_retiming(true);
  looks.clear_retimed();
  return true;
}

void ScheduleLook(commit::Transaction& transaction, absl::Time due, store::MismatchLooks& looks) {
  looks.set_next_due_us(commit::MoveTask(transaction, kLookTask, looks.next_due_us(), due));
}

void PutLooks(commit::Transaction& transaction, const store::MismatchLooks& looks) {
  std::string key = keys::MismatchLooks(transaction.tenant());
  if (looks.next_due_us() == 0) return transaction.Delete(Space::kRecords, std::move(key));
  transaction.Put(Space::kRecords, std::move(key), looks.SerializeAsString());
}

}  // namespace caresync::mismatch

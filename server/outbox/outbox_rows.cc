#include "server/outbox/outbox_rows.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/commit/tasks.h"

namespace caresync::outbox {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

void PutOutbox(commit::Transaction& transaction, const store::Outbox& outbox) {
  transaction.Put(Space::kRecords, keys::Outbox(transaction.tenant()), outbox.SerializeAsString());
}

void PutWaiting(commit::Transaction& transaction, uint64_t number, const store::OutboxNotice& notice) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Put(Space::kRecords, keys::Notice(tenant, number), notice.SerializeAsString());
  transaction.Put(Space::kRecords, keys::NoticeDue(tenant, notice.due_us(), number), std::string());
}

void DeleteWaiting(commit::Transaction& transaction, const DueNotice& due) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Delete(Space::kRecords, keys::Notice(tenant, due.number));
  transaction.Delete(Space::kRecords, keys::NoticeDue(tenant, due.due_us, due.number));
}

absl::Status CountOneLess(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(store::Outbox outbox, ReadOutbox(transaction, transaction.tenant()));
  outbox.set_waiting(outbox.waiting() - std::min<uint64_t>(outbox.waiting(), 1));
  PutOutbox(transaction, outbox);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<uint64_t>> OldestDead(const commit::Transaction& transaction) {
  std::optional<uint64_t> oldest;
  bool damaged = false;
  RETURN_IF_ERROR(transaction.Scan(Space::kRecords, keys::DeadNotices(transaction.tenant(), 0), 1,
                                   [&](std::string_view key, std::string_view) {
                                     uint64_t number = 0;
                                     damaged = !keys::ParseDeadNotice(key, &number);
                                     oldest = number;
                                     return false;
                                   }));
  if (damaged) return base::errors::DamagedRow("the key of a notice that was given up");
  return oldest;
}

}  // namespace

absl::StatusOr<uint64_t> PutNotice(commit::Transaction& transaction, const NewNotice& notice,
                                   base::RandomSource& random) {
  ASSIGN_OR_RETURN(store::Outbox outbox, ReadOutbox(transaction, transaction.tenant()));
  if (outbox.waiting() >= limits::kOutboxWaiting) return base::errors::OutboxFull();
  const uint64_t number = outbox.last_number() + 1;
  outbox.set_last_number(number);
  outbox.set_waiting(outbox.waiting() + 1);
  PutOutbox(transaction, outbox);
  store::OutboxNotice row;
  row.set_kind(notice.kind);
  row.set_notice_id(base::Uuid::Random(random).ToString());
  row.set_subject(notice.subject);
  row.set_body(notice.body);
  row.set_branch_id(notice.branch_id);
  row.set_email_address(notice.email_address);
  row.set_email_subject(notice.email_subject);
  row.set_create_time_us(base::ToStoredTime(transaction.now()));
  row.set_due_us(row.create_time_us());
  PutWaiting(transaction, number, row);
  RETURN_IF_ERROR(ArmTask(transaction, transaction.now()));
  return number;
}

absl::StatusOr<std::optional<store::OutboxNotice>> ReadNotice(const storage::Reader& reader,
                                                              const base::TenantId& tenant, uint64_t number) {
  return base::GetStored<store::OutboxNotice>(reader, Space::kRecords, keys::Notice(tenant, number));
}

absl::StatusOr<std::vector<DueNotice>> ReadDue(const storage::Reader& reader, const base::TenantId& tenant,
                                               size_t most) {
  std::vector<DueNotice> due;
  bool damaged = false;
  RETURN_IF_ERROR(
      reader.Scan(Space::kRecords, keys::AllNoticesDue(tenant), most, [&](std::string_view key, std::string_view) {
        DueNotice& notice = due.emplace_back();
        damaged = !keys::ParseNoticeDue(key, &notice.due_us, &notice.number);
        return !damaged;
      }));
  if (damaged) return base::errors::DamagedRow("when a notice is tried");
  return due;
}

void MoveNotice(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice, absl::Time due) {
  DeleteWaiting(transaction, {notice.due_us(), number});
  notice.set_due_us(base::ToStoredTime(due));
  PutWaiting(transaction, number, notice);
}

absl::StatusOr<bool> HurryNotice(commit::Transaction& transaction, uint64_t number) {
  absl::StatusOr<std::optional<store::OutboxNotice>> notice = ReadNotice(transaction, transaction.tenant(), number);
  if (absl::IsDataLoss(notice.status())) return false;
  if (!notice.ok()) return notice.status();
  if (!notice->has_value()) return false;
  if (base::FromStoredTime((*notice)->due_us()) <= transaction.now() + limits::kSendLease) return true;
  MoveNotice(transaction, number, **std::move(notice), transaction.now());
  RETURN_IF_ERROR(ArmTask(transaction, transaction.now()));
  return true;
}

absl::Status RemoveNotice(commit::Transaction& transaction, const DueNotice& due) {
  DeleteWaiting(transaction, due);
  return CountOneLess(transaction);
}

void ForgetDue(commit::Transaction& transaction, const DueNotice& due) {
  transaction.Delete(Space::kRecords, keys::NoticeDue(transaction.tenant(), due.due_us, due.number));
}

absl::Status BuryNotice(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice) {
  RETURN_IF_ERROR(RemoveNotice(transaction, {notice.due_us(), number}));
  notice.clear_due_us();
  transaction.Put(Space::kRecords, keys::DeadNotice(transaction.tenant(), number), notice.SerializeAsString());
  ASSIGN_OR_RETURN(store::Outbox outbox, ReadOutbox(transaction, transaction.tenant()));
  outbox.set_dead(outbox.dead() + 1);
  if (outbox.dead() > limits::kDeadNotices) {
    ASSIGN_OR_RETURN(const std::optional<uint64_t> oldest, OldestDead(transaction));
    if (oldest.has_value()) transaction.Delete(Space::kRecords, keys::DeadNotice(transaction.tenant(), *oldest));
    outbox.set_dead(limits::kDeadNotices);
  }
  PutOutbox(transaction, outbox);
  return absl::OkStatus();
}

absl::StatusOr<store::Outbox> ReadOutbox(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<store::Outbox> outbox,
                   base::GetStored<store::Outbox>(reader, Space::kRecords, keys::Outbox(tenant)));
  return std::move(outbox).value_or(store::Outbox());
}

absl::Status ArmTask(commit::Transaction& transaction, absl::Time soonest) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(store::Outbox outbox, ReadOutbox(transaction, tenant));
  ASSIGN_OR_RETURN(const std::vector<DueNotice> first, ReadDue(transaction, tenant, 1));
  std::optional<absl::Time> due;
  if (!first.empty()) {
    // One that is further away than any pause was put there by a clock that has been set back since.
    const absl::Time latest = std::max(soonest, transaction.now() + limits::kNoticePauseMost);
    due = std::clamp(base::FromStoredTime(first[0].due_us), soonest, latest);
  }
  outbox.set_task_due_us(commit::MoveTask(transaction, kOutboxTask, outbox.task_due_us(), due));
  PutOutbox(transaction, outbox);
  return absl::OkStatus();
}

}  // namespace caresync::outbox

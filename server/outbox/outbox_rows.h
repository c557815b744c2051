// The outbox: what is to leave the server, kept until it was taken. A notice is put in by the change that it tells of,
// and so is there if and only if that is.
//
// Of notices that wait there is a row each and one that says when it is tried next; the tenant has one task, which
// falls due with the first of them. Pure functions of their arguments; what they write, the transaction commits.
#ifndef CARESYNC_SERVER_OUTBOX_OUTBOX_ROWS_H_
#define CARESYNC_SERVER_OUTBOX_OUTBOX_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/outbox.pb.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::outbox {

// The name of the outbox's tasks, and their ID.
inline constexpr char kOutboxTask[] = "outbox";

// What somebody wants told.
struct NewNotice {
  std::string kind;
  std::string subject;
  std::string body;
  // By whose settings it goes, where that matters.
  std::string branch_id = {};
  // The address that it goes to by e-mail, and the subject there; empty: it goes to a webhook.
  std::string email_address = {};
  std::string email_subject = {};
};

// Puts it in, to be tried at once. Returns its number. Errors: OUTBOX_FULL, those of reading.
absl::StatusOr<uint64_t> PutNotice(commit::Transaction& transaction, const NewNotice& notice,
                                   base::RandomSource& random);

// nullopt where no such notice waits. Errors: those of reading, DAMAGED_ROW.
absl::StatusOr<std::optional<store::OutboxNotice>> ReadNotice(const storage::Reader& reader,
                                                              const base::TenantId& tenant, uint64_t number);

// When a notice is tried.
struct DueNotice {
  int64_t due_us = 0;
  uint64_t number = 0;
};
// The first ones, in due order.
absl::StatusOr<std::vector<DueNotice>> ReadDue(const storage::Reader& reader, const base::TenantId& tenant,
                                               size_t most);

// A notice that waits, as `notice` says, is tried at `due` instead; what else of `notice` changed is written too.
void MoveNotice(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice, absl::Time due);
// Somebody asks again for what a notice tells: one that rests for longer than limits::kSendLease is tried at once. One
// that is nearer may be on its way just now. False where none such waits that can be read. Errors are those of reading.
absl::StatusOr<bool> HurryNotice(commit::Transaction& transaction, uint64_t number);
// One that was taken, was of no use, or cannot be read: it goes, and with it what said when to try it.
absl::Status RemoveNotice(commit::Transaction& transaction, const DueNotice& due);
// What says when to try a notice that is tried at another time, or never: it alone goes.
void ForgetDue(commit::Transaction& transaction, const DueNotice& due);
// One that was given up: it is kept for people, and the oldest of those go past limits::kDeadNotices.
absl::Status BuryNotice(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice);

// None was ever put in where the row is absent.
absl::StatusOr<store::Outbox> ReadOutbox(const storage::Reader& reader, const base::TenantId& tenant);

// The outbox's task falls due when the first notice does, but no sooner than `soonest`; no notice, no task. To be
// called at the end of each change that moved notices.
absl::Status ArmTask(commit::Transaction& transaction, absl::Time soonest);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_OUTBOX_ROWS_H_

// Takes notices out of the outbox and hands them to the sender; what came of each is committed by a change of its own.
//
// A notice that is handed over is put off by limits::kSendLease in the same commit. Should the server end before it
// hears what came of it, the notice is sent again then: a receiver may get one twice, under the same ID, and none is
// lost.
#ifndef CARESYNC_SERVER_OUTBOX_DISPATCHER_H_
#define CARESYNC_SERVER_OUTBOX_DISPATCHER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/outbox.pb.h"
#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/commit/sequencer.h"
#include "server/commit/tasks.h"
#include "server/outbox/mailer.h"
#include "server/outbox/outbox_rows.h"
#include "server/outbox/sender.h"
#include "storage/mutex.h"

namespace caresync::outbox {

// Where a notice goes just now.
struct Destination {
  // To a webhook, and the key that signs what is sent there.
  std::string url;
  std::string key;
  // Or by e-mail to this address.
  std::string email_address = {};
};

enum class NoticeEnd { kTaken, kGivenUp };

// What the room above says of its notices.
struct NoticeKind {
  // nullopt: nowhere, and the notice is given up.
  std::function<absl::StatusOr<std::optional<Destination>>(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const store::OutboxNotice& notice)>
      destination;
  // In the change that takes notice `number` out of the outbox.
  std::function<absl::Status(commit::Transaction& transaction, uint64_t number, const store::OutboxNotice& notice,
                             NoticeEnd end)>
      ended;
};

// Thread-safe. Everything given to the constructor must outlive it, and it must outlive the threads of the
// sender and the mailer.
class Dispatcher {
 public:
  // `mailer`: nullptr: the server sends no e-mail, and those notices fail.
  Dispatcher(commit::Sequencer& sequencer, base::Clock& clock, base::RandomSource& random, Sender& sender,
             Mailer* mailer = nullptr);

  // Before the first step. `kind` is stable: it is stored.
  void Register(std::string kind, NoticeKind what);

  // What the task kOutboxTask does: hands over what is due, as long as fewer than limits::kSendsOfTenant of the tenant
  // are being sent.
  commit::TaskStep Step();

 private:
  absl::Status HandOverDue(commit::Transaction& transaction, const std::string& payload) ABSL_LOCKS_EXCLUDED(mutex_);
  // False where it is not to be sent, and is dealt with.
  absl::StatusOr<bool> HandOver(commit::Transaction& transaction, const DueNotice& due);
  absl::Status GiveUp(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice) const;
  void Send(const base::TenantId& tenant, uint64_t number, const store::OutboxNotice& notice,
            const Destination& destination) ABSL_LOCKS_EXCLUDED(mutex_);
  void SendMail(const store::OutboxNotice& notice, const std::string& address, SendDone done);
  // The change that notes what came of the notice that was handed over until `lease_us`.
  absl::Status Note(commit::Transaction& transaction, uint64_t number, int64_t lease_us, const SendResult& result);
  absl::Status NoteFailure(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice,
                           const SendResult& result);
  size_t RoomOf(const base::TenantId& tenant) const ABSL_LOCKS_EXCLUDED(mutex_);
  void CountOut(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);

  commit::Sequencer& sequencer_;
  base::Clock& clock_;
  base::RandomSource& random_;
  Sender& sender_;
  Mailer* const mailer_;
  std::map<std::string, NoticeKind> kinds_;

  mutable storage::Mutex mutex_;
  // Of each tenant that has some: how many are being sent.
  std::map<base::TenantId, size_t> under_way_ ABSL_GUARDED_BY(mutex_);
};

// How long a notice rests after so many failures (not 0): twice as long each time, up to limits::kNoticePauseMost, less
// up to a half of it by chance, so that what failed together is not tried together.
absl::Duration PauseAfter(uint32_t failures, base::RandomSource& random);

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_DISPATCHER_H_

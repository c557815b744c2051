// One change of a tenant at a time: the only door through which a tenant's records, feeds and tasks are written.
//
// A change runs in a transaction at the tenant's head R. What it wrote commits as revision R+1, on condition that the
// head is still R, in one durable batch with the new head; then its subscribers hear of it. A change that writes
// nothing takes no revision. A conflict (another process on the same store came first, or a row is no longer as the
// change requires it) runs the change again on what is stored then; an unknown outcome is settled by the commit ID in
// the head. Where even that cannot be told, the change has failed for its caller; whom it concerns hears of it all the
// same a while later, if it took effect.
#ifndef CARESYNC_SERVER_COMMIT_SEQUENCER_H_
#define CARESYNC_SERVER_COMMIT_SEQUENCER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/commit/subscriptions.h"
#include "server/commit/transaction.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::commit {

// Runs on an executor thread; may run more than once, so it must set its outputs anew each time. An error forgets all
// that it wrote.
using Change = std::function<absl::Status(Transaction&)>;

struct Committed {
  // The tenant's head after the change.
  base::CommitPoint head;
  // False where the change wrote nothing and so took no revision.
  bool wrote = false;
};
// Called exactly once, on any thread, after the commit is durable and its subscribers were told; must not block.
using ChangeDone = std::function<void(absl::StatusOr<Committed>)>;

// Hears, after each commit that announced a task, when its earliest falls due. Of a commit whose outcome stayed unknown
// it hears limits::kTaskSleep later at the earliest, and soon after it took effect, if ever it did. Must not block.
using OnTask = std::function<void(const base::TenantId& tenant, absl::Time due)>;

// Thread-safe. Everything given to the constructor must outlive it; destroy it only when every change is done, and not
// from within a `done`.
class Sequencer {
 public:
  // `timeline` is this opening of the store (NewTimeline). `room` is that of each commit.
  Sequencer(storage::Store& store, base::Clock& clock, base::RandomSource& random, base::Executor& executor,
            Subscriptions& subscriptions, std::string timeline, const CommitRoom& room = {});
  ~Sequencer();

  // Queues `change`, which keeps `held_bytes` of memory until it is done (0 where that is little). Errors that `done`
  // gets: the change's own; OVERLOADED with a retry hint when the tenant's queue is full, or all queues together hold
  // limits::kQueuedChangeBytes; those of the rider; COMMIT_TOO_LARGE; STORE_FULL; STORE_UNAVAILABLE; COMMIT_CONFLICT
  // after limits::kConflictTries, or where it cannot be told whether an earlier try took effect.
  void Submit(const base::TenantId& tenant, Change change, ChangeDone done, size_t held_bytes = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until every change that was submitted is done. Not from work on the executor; for going away.
  void WaitUntilIdle() ABSL_LOCKS_EXCLUDED(mutex_);

  // Outcomes that are not known stay so: who waits for one is told STORE_UNAVAILABLE after limits::kSettlePause, not
  // after limits::kSettleReads of them. For going away where the store will not be read again.
  void GiveUpSettling() ABSL_LOCKS_EXCLUDED(mutex_);

  // Set once, before the first Submit.
  void SetOnTask(OnTask on_task) { on_task_ = std::move(on_task); }

  // A Change that runs at the end of every transaction that wrote something, and commits with it, whoever submitted the
  // change: for what must be kept of others' changes in their own commit. It sees what was written (VisitOwn) and what
  // there was before (`base()`); its error is the change's and forgets all; what both wrote must fit one commit. Runs
  // for several tenants at the same time, and again whenever its change does. Set once, before the first Submit.
  void SetRider(Change rider) { rider_ = std::move(rider); }

 private:
  struct Queued;
  struct TenantQueue;
  struct Proposal;
  struct Attempt;
  struct LeftOpen;
  void RunNext(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the head, settles proposals of unknown outcome by it, else runs the change on it. All on executor threads.
  void Run(std::shared_ptr<Attempt> attempt);
  // The change, and the rider where it wrote something.
  absl::Status RunChange(const Attempt& attempt, Transaction& transaction) const;
  // Ends the transaction: what the store is to write on condition that `head` has not moved, and on the change's own.
  absl::StatusOr<storage::Commit> Propose(Attempt& attempt, Transaction& transaction, store::TenantHead head);
  void Settle(std::shared_ptr<Attempt> attempt, const storage::CommitResult& result);
  void RunAgain(std::shared_ptr<Attempt> attempt);
  void ReadFailed(std::shared_ptr<Attempt> attempt, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasGivenUp() ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishCommitted(std::shared_ptr<Attempt> attempt, const Proposal& proposal) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets tasks be looked for that a commit of unknown outcome may have left.
  void TellOfTasksLeft(const Attempt& attempt);
  // Lets those be told whom a commit of unknown outcome concerns, once it has landed: looked for while it still can.
  void TellIfItLands(const Attempt& attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  void LookLater(const std::shared_ptr<LeftOpen>& left);
  void LookWhetherItLanded(const std::shared_ptr<LeftOpen>& left) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(std::shared_ptr<Attempt> attempt, absl::StatusOr<Committed> outcome) ABSL_LOCKS_EXCLUDED(mutex_);

  storage::Store& store_;
  base::Clock& clock_;
  base::RandomSource& random_;
  base::Executor& executor_;
  Subscriptions& subscriptions_;
  const std::string timeline_;
  const CommitRoom room_;
  OnTask on_task_;
  Change rider_;

  storage::Mutex mutex_;
  std::map<base::TenantId, std::unique_ptr<TenantQueue>> queues_ ABSL_GUARDED_BY(mutex_);
  // Of all changes that are waiting or at work.
  size_t held_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Calls of Finish that are at work: `done` may lead to the destructor on another thread, which waits for their end.
  int finishing_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of changes that are done: commits that may still land. Their timers find them gone with the sequencer.
  std::vector<std::shared_ptr<LeftOpen>> left_open_ ABSL_GUARDED_BY(mutex_);
  storage::CondVar finished_;
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_SEQUENCER_H_

#include "server/commit/sequencer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/random.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/remembered_base.h"
#include "server/commit/timeline.h"

namespace caresync::commit {
namespace {

constexpr size_t kCommitIdBytes = 16;

absl::Status CheckSize(const Transaction& transaction, size_t most_rows) {
  const bool fits = transaction.rows() <= most_rows && transaction.bytes() <= base::limits::kCommitBytes;
  return fits ? absl::OkStatus() : base::errors::CommitTooLarge();
}

}  // namespace

struct Sequencer::Queued {
  Change change;
  ChangeDone done;
  size_t held_bytes;
};

// Exists while a change of the tenant is waiting or at work.
struct Sequencer::TenantQueue {
  std::deque<Queued> waiting;
};

// One commit that was handed to the store.
struct Sequencer::Proposal {
  std::string commit_id;
  base::CommitPoint head;
  std::vector<base::ReceiverId> announced;
  std::optional<absl::Time> earliest_task;
  std::vector<std::function<void()>> on_committed;
};

// A change at work, through all its tries.
struct Sequencer::Attempt {
  base::TenantId tenant;
  Change change;
  ChangeDone done;
  size_t held_bytes = 0;
  int tries = 0;
  int failed_reads = 0;
  // The head row that the last proposal builds on.
  std::optional<std::string> head_row;
  // Proposals of unknown outcome, and at last the one under way. All build on `head_row`, so at most one of them can
  // take effect.
  std::vector<Proposal> proposals;
};

// What changes left open that are done.
struct Sequencer::LeftOpen {
  base::TenantId tenant;
  // The head row that their proposals build on: while that stands none of them has taken effect, and any may yet.
  std::optional<std::string> head_row;
  std::set<base::ReceiverId> announced;
  std::optional<absl::Time> earliest_task;
  int looks = 0;
};

Sequencer::Sequencer(storage::Store& store, base::Clock& clock, base::RandomSource& random, base::Executor& executor,
                     Subscriptions& subscriptions, std::string timeline, const CommitRoom& room)
    : store_(store),
      clock_(clock),
      random_(random),
      executor_(executor),
      subscriptions_(subscriptions),
      timeline_(std::move(timeline)),
      room_(room) {}

Sequencer::~Sequencer() {
  storage::MutexLock lock(mutex_);
  while (finishing_ > 0) finished_.Wait(mutex_);
}

void Sequencer::WaitUntilIdle() {
  storage::MutexLock lock(mutex_);
  while (!queues_.empty() || finishing_ > 0) finished_.Wait(mutex_);
}

void Sequencer::GiveUpSettling() {
  storage::MutexLock lock(mutex_);
  given_up_ = true;
}

bool Sequencer::HasGivenUp() {
  storage::MutexLock lock(mutex_);
  return given_up_;
}

void Sequencer::Submit(const base::TenantId& tenant, Change change, ChangeDone done, size_t held_bytes) {
  {
    storage::MutexLock lock(mutex_);
    const auto queue = queues_.find(tenant);
    const bool idle = queue == queues_.end();
    const bool room = (idle || queue->second->waiting.size() < base::limits::kQueuedChanges) &&
                      held_bytes_ + held_bytes <= base::limits::kQueuedChangeBytes;
    if (room) {
      held_bytes_ += held_bytes;
      TenantQueue& waiting = idle ? *(queues_[tenant] = std::make_unique<TenantQueue>()) : *queue->second;
      waiting.waiting.push_back({std::move(change), std::move(done), held_bytes});
      if (idle) executor_.Post([this, tenant] { RunNext(tenant); });
      return;
    }
  }
  done(base::errors::Overloaded(
      base::RandomDuration(random_, base::limits::kQueueRetryAfter, base::limits::kQueueRetrySpread)));
}

void Sequencer::RunNext(const base::TenantId& tenant) {
  auto attempt = std::make_shared<Attempt>();
  attempt->tenant = tenant;
  {
    storage::MutexLock lock(mutex_);
    std::deque<Queued>& waiting = queues_.at(tenant)->waiting;
    attempt->change = std::move(waiting.front().change);
    attempt->done = std::move(waiting.front().done);
    attempt->held_bytes = waiting.front().held_bytes;
    waiting.pop_front();
  }
  Run(std::move(attempt));
}

void Sequencer::Run(std::shared_ptr<Attempt> attempt) {
  absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store_.NewSnapshot();
  if (!snapshot.ok()) return ReadFailed(std::move(attempt), snapshot.status());
  absl::StatusOr<std::optional<std::string>> row =
      (*snapshot)->Get(storage::Space::kRecords, base::keys::TenantHead(attempt->tenant));
  if (!row.ok()) return ReadFailed(std::move(attempt), row.status());
  absl::StatusOr<store::TenantHead> head = base::ParseStored<store::TenantHead>(row->value_or(""));
  if (!head.ok()) return Finish(std::move(attempt), head.status());

  if (!attempt->proposals.empty()) {
    for (const Proposal& proposal : attempt->proposals) {
      if (proposal.commit_id == head->commit_id()) return FinishCommitted(attempt, proposal);
    }
    // Another process moved the head on; whether one of ours lies below it cannot be told, so the change must not run
    // again.
    if (*row != attempt->head_row) return Finish(std::move(attempt), base::errors::CommitConflict());
  }
  attempt->head_row = *std::move(row);

  const RememberedBase base(**snapshot);
  Transaction transaction(base, attempt->tenant, head->revision() + 1, clock_.Now(), room_);
  if (absl::Status status = RunChange(*attempt, transaction); !status.ok()) return Finish(std::move(attempt), status);
  if (!transaction.wrote()) {
    // An earlier try wrote something and may still take effect: rows beside the head, or the time, made this one
    // differ.
    if (!attempt->proposals.empty()) return Finish(std::move(attempt), base::errors::CommitConflict());
    return Finish(std::move(attempt), Committed{.head = {.timeline = head->timeline(), .revision = head->revision()}});
  }
  absl::StatusOr<storage::Commit> commit = Propose(*attempt, transaction, *head);
  if (!commit.ok()) return Finish(std::move(attempt), commit.status());
  // Released first: once the store has the commit, its `done` may be what the owner of the store waits for.
  snapshot->reset();
  store_.Apply(*std::move(commit), [this, attempt](storage::CommitResult result) {
    // The store's thread has other tenants' commits to write.
    executor_.Post([this, attempt, result = std::move(result)] { Settle(attempt, result); });
  });
}

absl::Status Sequencer::RunChange(const Attempt& attempt, Transaction& transaction) const {
  RETURN_IF_ERROR(attempt.change(transaction));
  if (!transaction.wrote()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckSize(transaction, base::limits::kCommitRows));
  if (!rider_) return absl::OkStatus();
  RETURN_IF_ERROR(rider_(transaction));
  return CheckSize(transaction, base::limits::kCommitRows + base::limits::kRiderRows);
}

absl::StatusOr<storage::Commit> Sequencer::Propose(Attempt& attempt, Transaction& transaction, store::TenantHead head) {
  if (head.timeline() != timeline_) {
    absl::StatusOr<base::Revision> horizon = BeginTimeline(transaction, timeline_, head.timeline_horizon());
    if (!horizon.ok()) return horizon.status();
    head.set_timeline_horizon(*horizon);
    head.set_opened_commit_time_us(head.commit_time_us());
  }
  head.set_revision(transaction.revision());
  head.set_timeline(timeline_);
  head.set_commit_id(random_.Bytes(kCommitIdBytes));
  head.set_commit_time_us(base::ToStoredTime(transaction.now()));
  attempt.proposals.push_back({.commit_id = head.commit_id(),
                               .head = {.timeline = timeline_, .revision = transaction.revision()},
                               .announced = transaction.Announced(),
                               .earliest_task = transaction.EarliestTask(),
                               .on_committed = transaction.TakeOnCommitted()});

  const std::string key = base::keys::TenantHead(attempt.tenant);
  storage::Commit commit;
  if (base::HasPlantedBug(base::PlantedBug::kReplyBeforeFsync)) commit.durability = storage::Durability::kBuffered;
  commit.preconditions.push_back({storage::Space::kRecords, key, attempt.head_row});
  for (storage::Precondition& condition : transaction.TakeConditions()) {
    commit.preconditions.push_back(std::move(condition));
  }
  commit.writes = transaction.TakeWrites();
  commit.writes.push_back({storage::Space::kRecords, key, head.SerializeAsString()});
  return commit;
}

void Sequencer::Settle(std::shared_ptr<Attempt> attempt, const storage::CommitResult& result) {
  switch (result.outcome) {
    case storage::CommitOutcome::kCommitted:
      return FinishCommitted(attempt, attempt->proposals.back());
    case storage::CommitOutcome::kConflict:
      // The head has moved, or else a row that the change requires: the next look at the head tells. Where the head
      // stands, proposals of unknown outcome stay open, and the next one builds on the same head as they do.
      attempt->proposals.pop_back();
      return RunAgain(std::move(attempt));
    case storage::CommitOutcome::kUnknown:
      return RunAgain(std::move(attempt));
    // Nothing of this one was written; earlier ones may be open.
    case storage::CommitOutcome::kFull:
      attempt->proposals.pop_back();
      return Finish(std::move(attempt), base::errors::StoreFull());
    case storage::CommitOutcome::kUnavailable:
      attempt->proposals.pop_back();
      return Finish(std::move(attempt), base::errors::StoreUnavailable(result.detail));
  }
}

void Sequencer::RunAgain(std::shared_ptr<Attempt> attempt) {
  // The last try of all is followed by a look at the head where an outcome is open, never by another commit.
  if (++attempt->tries < base::limits::kConflictTries) return Run(std::move(attempt));
  if (attempt->proposals.empty()) return Finish(std::move(attempt), base::errors::CommitConflict());
  attempt->change = [](Transaction&) { return base::errors::CommitConflict(); };
  Run(std::move(attempt));
}

void Sequencer::ReadFailed(std::shared_ptr<Attempt> attempt, const absl::Status& status) {
  const bool open = !attempt->proposals.empty();
  if (!open || HasGivenUp() || ++attempt->failed_reads >= base::limits::kSettleReads) {
    return Finish(std::move(attempt), status);
  }
  executor_.PostAfter(base::limits::kSettlePause, [this, attempt] { Run(attempt); });
}

void Sequencer::FinishCommitted(std::shared_ptr<Attempt> attempt, const Proposal& proposal) {
  for (const base::ReceiverId& receiver : proposal.announced) {
    subscriptions_.Publish(attempt->tenant, receiver, proposal.head.revision);
  }
  if (proposal.earliest_task.has_value() && on_task_) on_task_(attempt->tenant, *proposal.earliest_task);
  for (const std::function<void()>& heard : proposal.on_committed) heard();
  Finish(attempt, Committed{.head = proposal.head, .wrote = true});
}

void Sequencer::TellOfTasksLeft(const Attempt& attempt) {
  if (!on_task_) return;
  for (const Proposal& proposal : attempt.proposals) {
    if (!proposal.earliest_task.has_value()) continue;
    on_task_(attempt.tenant, std::max(*proposal.earliest_task, clock_.Now() + base::limits::kTaskSleep));
  }
}

void Sequencer::TellIfItLands(const Attempt& attempt) {
  LeftOpen left{attempt.tenant, attempt.head_row, {}, std::nullopt};
  for (const Proposal& proposal : attempt.proposals) {
    left.announced.insert(proposal.announced.begin(), proposal.announced.end());
    if (!proposal.earliest_task.has_value()) continue;
    left.earliest_task = std::min(left.earliest_task.value_or(absl::InfiniteFuture()), *proposal.earliest_task);
  }
  if (left.announced.empty() && !left.earliest_task.has_value()) return;
  std::shared_ptr<LeftOpen> added;
  {
    storage::MutexLock lock(mutex_);
    if (given_up_) return;
    // Those that build on one head are looked for together: of a tenant there are never many.
    const auto same = std::find_if(left_open_.begin(), left_open_.end(), [&](const std::shared_ptr<LeftOpen>& other) {
      return other->tenant == left.tenant && other->head_row == left.head_row;
    });
    if (same != left_open_.end()) {
      (*same)->announced.merge(left.announced);
      if (left.earliest_task.has_value()) {
        (*same)->earliest_task = std::min((*same)->earliest_task.value_or(absl::InfiniteFuture()), *left.earliest_task);
      }
      return;
    }
    added = left_open_.emplace_back(std::make_shared<LeftOpen>(std::move(left)));
  }
  LookLater(added);
}

void Sequencer::LookLater(const std::shared_ptr<LeftOpen>& left) {
  absl::Duration pause;
  {
    storage::MutexLock lock(mutex_);
    pause = std::min(base::limits::kTaskSleep * (1 + left->looks), base::limits::kTaskPauseMost);
  }
  executor_.PostAfter(pause, [this, weak = std::weak_ptr<LeftOpen>(left)] {
    if (const std::shared_ptr<LeftOpen> open = weak.lock()) LookWhetherItLanded(open);
  });
}

void Sequencer::LookWhetherItLanded(const std::shared_ptr<LeftOpen>& left) {
  const auto read_head = [&]() -> absl::StatusOr<std::optional<std::string>> {
    ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
    return snapshot->Get(storage::Space::kRecords, base::keys::TenantHead(left->tenant));
  };
  const absl::StatusOr<std::optional<std::string>> row = read_head();
  const bool may_land = row.ok() && *row == left->head_row;
  std::optional<LeftOpen> ended;
  {
    storage::MutexLock lock(mutex_);
    if (may_land) ++left->looks;
    // While nobody can read it, who would be told could not either.
    if ((!may_land && row.ok()) || given_up_) {
      ended = *left;
      left_open_.erase(std::remove(left_open_.begin(), left_open_.end(), left), left_open_.end());
    }
  }
  if (!ended.has_value()) return LookLater(left);
  if (may_land || !row.ok()) return;
  // It is below this head, or never was: whoever has nothing new to read takes no harm.
  const absl::StatusOr<store::TenantHead> head = base::ParseStored<store::TenantHead>(row->value_or(""));
  for (const base::ReceiverId& receiver : ended->announced) {
    if (head.ok()) subscriptions_.Publish(ended->tenant, receiver, head->revision());
  }
  if (ended->earliest_task.has_value() && on_task_) on_task_(ended->tenant, *ended->earliest_task);
}

void Sequencer::Finish(std::shared_ptr<Attempt> attempt, absl::StatusOr<Committed> outcome) {
  {
    storage::MutexLock lock(mutex_);
    ++finishing_;
  }
  if (!outcome.ok()) {
    TellOfTasksLeft(*attempt);
    TellIfItLands(*attempt);
    outcome = base::Named(outcome.status());
  }
  // What the change holds is released before its caller hears that it is done.
  attempt->change = nullptr;
  std::exchange(attempt->done, nullptr)(std::move(outcome));

  storage::MutexLock lock(mutex_);
  held_bytes_ -= attempt->held_bytes;
  auto queue = queues_.find(attempt->tenant);
  if (queue->second->waiting.empty()) {
    queues_.erase(queue);
  } else {
    executor_.Post([this, tenant = attempt->tenant] { RunNext(tenant); });
  }
  if (--finishing_ == 0) finished_.NotifyAll();
}

}  // namespace caresync::commit

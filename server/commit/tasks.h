// Durable due work: rows written by changes, run in due order through the sequencer like any other change.
#ifndef CARESYNC_SERVER_COMMIT_TASKS_H_
#define CARESYNC_SERVER_COMMIT_TASKS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/commit/sequencer.h"
#include "server/commit/transaction.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::commit {

// How far ahead a task may be due: further than any is. What lies beyond was written by a wall clock that was ahead and
// has been set back since; it is run at once.
inline constexpr absl::Duration kTaskAheadMost = absl::Hours(2);

// Writes a task into `transaction`, due at `due` (kept to the microsecond), at most kTaskAheadMost ahead. One (due,
// task_id) is one task: writing it again replaces it. `task_id` is a name of the work, such as "compact/<receiver>", so
// that asking twice at one time is one task.
void ScheduleTask(Transaction& transaction, absl::Time due, std::string_view task_id, std::string_view kind,
                  std::string_view payload);

// For a task of which a tenant has one at a time: its ID is its kind, its payload its due time in microseconds, in
// decimals, and a row of the kind's own says that time as well (0: there is no task). Lets the task fall due at `due`
// in place of the time it had (nullopt: never), and returns what the row is to say.
int64_t MoveTask(Transaction& transaction, std::string_view kind, int64_t was_due_us, std::optional<absl::Time> due);
// Whether the task with this payload is the one that falls due at `due_us`, as the row says: else another took its
// place. Pure.
bool IsTaskAt(int64_t due_us, std::string_view payload);

// What a kind of task does: one bounded step. The task's row is deleted in the same commit; a step that leaves work
// schedules itself again. May run more than once. An error leaves the task, which is tried again later, with growing
// pauses up to limits::kTaskPauseMost; it holds no other task up. One that offers coming back (base::RetryDelay: the
// store is full, the queue is, another process commits) passes, and is met with patience without end. After
// limits::kTaskFailures others the task is parked: logged as an error and put off by limits::kTaskParked. Each start
// names what is parked, until an operator has seen to it.
using TaskStep = std::function<absl::Status(Transaction& transaction, const std::string& payload)>;

// Whether somebody waits for tasks of a kind. Those that are waited for are never parked, but tried again at least
// every limits::kTaskRetryMost; and those that are due go before others, in due order, then in that of their IDs. They
// are looked for after each step of one and whenever a task was scheduled. Of every kAwaitedInARow + 1 steps one is
// left to the others, however many are awaited.
enum class TaskWaiters { kNone, kSome };
// Enough that nobody notices the step of another kind, few enough that the others get on behind awaited ones without
// end.
inline constexpr uint32_t kAwaitedInARow = 8;

// After each step a tenant's tasks rest for three times as long as the step took, and then for as long as other work
// waits for a thread, up to eleven times as long in all: most of what others do then meets none, and a large fan-out
// leaves three quarters of a core, and of the disk, to them where little is done, and nine tenths where much is.
//
// Thread-safe. Everything given to the constructor must outlive it. Destroy it only when the executor runs no more of
// its work.
class TaskRunner {
 public:
  TaskRunner(storage::Store& store, Sequencer& sequencer, base::Clock& clock, base::Executor& executor);

  // Before Start. `kind` is stable: it is stored.
  void Register(std::string kind, TaskStep step, TaskWaiters waiters = TaskWaiters::kNone);

  // Finds the tasks of all tenants that an earlier run of the server left, names those that are parked in the log, and
  // hears of new ones from then on. Once, and before the first change is submitted. Errors are those of reading.
  absl::Status Start();

  // Begins nothing more; a step that is running ends by itself.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // How a tenant's tasks stand with this runner; absent while there is nothing to wait for.
  struct TenantTasks {
    // Due tasks are being run, one after the other.
    bool running = false;
    // There may be something that was not looked for: a wake came while they were, or an awaited one was run.
    bool look_again = false;
    // Steps of awaited tasks since the last of another.
    uint32_t awaited_in_a_row = 0;
    // How often in a row they could not be read, or not even put off.
    uint32_t troubles = 0;
    // When tasks are looked for next, and by which timer (0: by none, it is on its way already).
    absl::Time wake = absl::InfiniteFuture();
    base::TimerId timer = 0;
    // The timer of a rest between two steps; 0: there is none.
    base::TimerId rest = 0;
  };
  struct Kind {
    TaskStep step;
    TaskWaiters waiters;
  };
  // The keys of due tasks in due order, and when the first of the others falls due. Those that are due since ever,
  // which may be many and come again and again, are at most half of them: the others get on as well. Those of them that
  // are awaited are not among them, since they go first. What lies further ahead than kTaskAheadMost is due as well,
  // last, where it is not parked.
  struct DueTasks {
    std::vector<std::string> keys;
    std::optional<absl::Time> next;
  };
  using TaskKeys = std::shared_ptr<const std::vector<std::string>>;

  void Wake(const base::TenantId& tenant, absl::Time due) ABSL_LOCKS_EXCLUDED(mutex_);
  void Arm(const base::TenantId& tenant, TenantTasks& tasks, absl::Time due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Look(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<DueTasks> ReadDue(const base::TenantId& tenant) const;
  // The key of the first due task that is awaited; nullopt where there is none.
  absl::StatusOr<std::optional<std::string>> FindAwaited(const base::TenantId& tenant) const;
  // The same where it is to be looked for, and it is not the others' turn.
  absl::StatusOr<std::optional<std::string>> NextAwaited(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsAwaited(const std::string& kind) const;
  bool IsAwaitedRow(std::string_view row) const;
  void RunRound(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndRound(const base::TenantId& tenant, std::optional<absl::Time> next) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a round in which nothing could be read or written, for a pause that grows (to limits::kTaskSleep: by then
  // tasks are looked for in any case).
  void BreakOff(const base::TenantId& tenant) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and says why nothing could be read.
  void NotRead(const base::TenantId& tenant, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs keys[place] and what follows it, each after the one before, and awaited ones before each of them.
  void RunFrom(const base::TenantId& tenant, TaskKeys keys, size_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs the task `key`, then goes on from keys[next].
  void RunTask(const base::TenantId& tenant, const std::string& key, TaskKeys keys, size_t next)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same after a rest from a step that took `step`; `rested`: how often that was prolonged.
  void RestAndRunFrom(absl::Duration step, int rested, const base::TenantId& tenant, TaskKeys keys, size_t place)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Puts the task `key` off, then goes on from keys[next].
  void PutOff(const base::TenantId& tenant, const std::string& key, TaskKeys keys, size_t next, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RunStep(Transaction& transaction, const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() const ABSL_LOCKS_EXCLUDED(mutex_);

  storage::Store& store_;
  Sequencer& sequencer_;
  base::Clock& clock_;
  base::Executor& executor_;
  std::map<std::string, Kind> kinds_;

  mutable storage::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<base::TenantId, TenantTasks> tenants_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_TASKS_H_

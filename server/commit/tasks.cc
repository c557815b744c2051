#include "server/commit/tasks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tenant_list.h"

namespace caresync::commit {
namespace {

using observability::Level;
using observability::Log;

constexpr storage::Space kSpace = storage::Space::kRecords;
// Of what a step took; and how often as much again is added while others wait.
constexpr int kRestOfStep = 3;
constexpr int kMoreRests = 8;
// No step's own work takes longer. One that did was held up by the store, and has kept nobody else waiting.
constexpr absl::Duration kStepMost = absl::Seconds(1);
// Rows of due tasks that are looked through at once for what goes first, and likewise of those that are due since ever
// for what does not: more than there are at nearly any time, and still little beside the commit of a step.
constexpr size_t kLookedThrough = 1'024;

void PutTask(Transaction& transaction, absl::Time due, std::string_view task_id, std::string row) {
  const int64_t due_us = base::ToStoredTime(due);
  transaction.Put(kSpace, base::keys::Task(transaction.tenant(), due_us, task_id), std::move(row));
  transaction.AnnounceTask(base::FromStoredTime(due_us));
}

// After so many failures in a row, not 0.
absl::Duration PauseAfter(uint32_t failures, absl::Duration most) {
  // The bound is reached long before.
  constexpr uint32_t kDoublings = 30;
  const int64_t times = int64_t{1} << std::min(failures - 1, kDoublings);
  return std::min(base::limits::kTaskPause * times, most);
}

// Whether a step failed by what has nothing to do with its task.
bool Passes(const absl::Status& why) { return base::RetryDelay(why).has_value(); }

// A row that cannot be read was parked as it is.
bool IsParked(const absl::StatusOr<store::Task>& task) {
  return !task.ok() || task->failures() >= base::limits::kTaskFailures;
}

// Counts why the task failed. Returns how long it is put off; one that somebody waits for is never parked.
absl::Duration CountFailure(const absl::Status& why, bool awaited, store::Task& task) {
  const absl::Duration most = awaited ? base::limits::kTaskRetryMost : base::limits::kTaskPauseMost;
  if (Passes(why)) {
    task.set_put_off(task.put_off() + 1);
    return PauseAfter(task.put_off(), most);
  }
  task.set_put_off(0);
  const uint32_t counted = awaited ? base::limits::kTaskFailures - 1 : base::limits::kTaskFailures;
  task.set_failures(std::min(task.failures() + 1, counted));
  return IsParked(task) ? base::limits::kTaskParked : PauseAfter(task.failures(), most);
}

// Writes the task `key`, which failed for `why`, to a later time. Returns how it stands then; nullopt where it is gone.
absl::StatusOr<std::optional<store::Task>> PutOffTask(Transaction& transaction, const std::string& key,
                                                      const absl::Status& why,
                                                      const std::function<bool(const std::string&)>& is_awaited) {
  ASSIGN_OR_RETURN(std::optional<std::string> row, transaction.Get(kSpace, key));
  if (!row.has_value()) return std::optional<store::Task>();
  int64_t due_us = 0;
  std::string task_id;
  if (!base::keys::ParseTask(key, &due_us, &task_id)) return base::errors::DamagedRow("a task's key");
  store::Task task;
  absl::Duration pause = base::limits::kTaskParked;
  // A row that cannot be read is parked as it is: it must not hold up what is behind it.
  if (task.ParseFromString(*row)) {
    pause = CountFailure(why, is_awaited(task.kind()), task);
    *row = task.SerializeAsString();
  } else {
    task.Clear();
    task.set_failures(base::limits::kTaskFailures);
  }
  transaction.Delete(kSpace, key);
  PutTask(transaction, transaction.now() + pause, task_id, *std::move(row));
  return std::optional<store::Task>(std::move(task));
}

std::string IdOf(const std::string& key) {
  int64_t due_us = 0;
  std::string task_id;
  return base::keys::ParseTask(key, &due_us, &task_id) ? task_id : "";
}

// Visits the rows of `range` that are due, in due order and at most kLookedThrough; false ends it. Returns when the
// first of the others falls due, where it came to that one.
absl::StatusOr<std::optional<absl::Time>> VisitDue(const storage::Reader& reader, const storage::KeyRange& range,
                                                   absl::Time now, storage::RowVisitor visit) {
  const int64_t now_us = base::ToStoredTime(now);
  std::optional<absl::Time> next;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(kSpace, range, kLookedThrough, [&](std::string_view key, std::string_view row) {
    int64_t due_us = 0;
    std::string task_id;
    damaged = !base::keys::ParseTask(key, &due_us, &task_id);
    if (damaged) return false;
    if (due_us <= now_us) return visit(key, row);
    next = base::FromStoredTime(due_us);
    return false;
  }));
  if (damaged) return base::errors::DamagedRow("a task's key");
  return next;
}

storage::KeyRange DueSinceEver(const base::TenantId& tenant) {
  return {base::keys::AllTasks(tenant).begin, base::keys::Task(tenant, 1, "")};
}

storage::KeyRange DueAtATime(const base::TenantId& tenant) {
  return {base::keys::Task(tenant, 1, ""), base::keys::AllTasks(tenant).end};
}

// Adds the keys of tasks that a clock which was ahead put further away than any is ever due, until there are
// limits::kDueTasks, and one at least: where many are due they would never be looked at. Looks at no more than
// kLookedThrough: what is parked lies among them, and is left there.
absl::Status AddMisdated(const storage::Reader& reader, const base::TenantId& tenant, absl::Time now,
                         std::vector<std::string>& keys) {
  const int64_t furthest_us = base::ToStoredTime(now + kTaskAheadMost);
  return reader.Scan(kSpace, base::keys::TasksDueAfter(tenant, furthest_us), kLookedThrough,
                     [&](std::string_view key, std::string_view row) {
                       if (!IsParked(base::ParseStored<store::Task>(row))) keys.emplace_back(key);
                       return keys.size() < base::limits::kDueTasks;
                     });
}

// Names the tenant's parked tasks in the log, all tenants' together up to limits::kParkedTasksNamed, and counts them.
// What is parked lies far ahead, so the tasks that are due are not read.
absl::Status NameParked(const storage::Reader& reader, const base::TenantId& tenant, absl::Time now, size_t& parked) {
  return reader.Scan(
      kSpace, base::keys::TasksDueAfter(tenant, base::ToStoredTime(now)), base::limits::kParkedTasksCounted,
      [&](std::string_view key, std::string_view value) {
        const absl::StatusOr<store::Task> task = base::ParseStored<store::Task>(value);
        if (!IsParked(task) || ++parked > base::limits::kParkedTasksNamed) return true;
        Log(Level::kError, "task_parked",
            {{"tenant", tenant.text()}, {"kind", task.ok() ? task->kind() : ""}, {"task", IdOf(std::string(key))}});
        return true;
      });
}

}  // namespace

void ScheduleTask(Transaction& transaction, absl::Time due, std::string_view task_id, std::string_view kind,
                  std::string_view payload) {
  store::Task task;
  task.set_kind(std::string(kind));
  task.set_payload(std::string(payload));
  PutTask(transaction, due, task_id, task.SerializeAsString());
}

int64_t MoveTask(Transaction& transaction, std::string_view kind, int64_t was_due_us, std::optional<absl::Time> due) {
  if (was_due_us != 0) transaction.Delete(kSpace, base::keys::Task(transaction.tenant(), was_due_us, kind));
  if (!due.has_value()) return 0;
  const int64_t due_us = base::ToStoredTime(*due);
  ScheduleTask(transaction, *due, kind, kind, absl::StrCat(due_us));
  return due_us;
}

bool IsTaskAt(int64_t due_us, std::string_view payload) { return absl::StrCat(due_us) == payload; }

TaskRunner::TaskRunner(storage::Store& store, Sequencer& sequencer, base::Clock& clock, base::Executor& executor)
    : store_(store), sequencer_(sequencer), clock_(clock), executor_(executor) {}

void TaskRunner::Register(std::string kind, TaskStep step, TaskWaiters waiters) {
  kinds_[std::move(kind)] = {std::move(step), waiters};
}

bool TaskRunner::IsAwaited(const std::string& kind) const {
  const auto known = kinds_.find(kind);
  return known != kinds_.end() && known->second.waiters == TaskWaiters::kSome;
}

// One that cannot be read is run like any other, and parked.
bool TaskRunner::IsAwaitedRow(std::string_view row) const {
  const absl::StatusOr<store::Task> task = base::ParseStored<store::Task>(row);
  return task.ok() && IsAwaited(task->kind());
}

absl::Status TaskRunner::Start() {
  sequencer_.SetOnTask([this](const base::TenantId& tenant, absl::Time due) { Wake(tenant, due); });
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
  ASSIGN_OR_RETURN(const std::vector<base::TenantId> tenants, ReadTenants(*snapshot));
  size_t parked = 0;
  for (const base::TenantId& tenant : tenants) {
    RETURN_IF_ERROR(NameParked(*snapshot, tenant, clock_.Now(), parked));
    Wake(tenant, clock_.Now());
  }
  if (parked > 0) Log(Level::kError, "tasks_parked", {{"tasks", parked}});
  return absl::OkStatus();
}

void TaskRunner::Stop() {
  storage::MutexLock lock(mutex_);
  stopped_ = true;
  for (const auto& [tenant, tasks] : tenants_) {
    if (tasks.timer != 0) executor_.Cancel(tasks.timer);
    if (tasks.rest != 0) executor_.Cancel(tasks.rest);
  }
  tenants_.clear();
}

bool TaskRunner::stopped() const {
  storage::MutexLock lock(mutex_);
  return stopped_;
}

void TaskRunner::Wake(const base::TenantId& tenant, absl::Time due) {
  storage::MutexLock lock(mutex_);
  if (stopped_) return;
  TenantTasks& tasks = tenants_[tenant];
  // Said at once, so that the very next step may be its.
  if (tasks.running && due <= clock_.Now()) {
    tasks.look_again = true;
    return;
  }
  Arm(tenant, tasks, due);
}

void TaskRunner::Arm(const base::TenantId& tenant, TenantTasks& tasks, absl::Time due) {
  if (tasks.wake <= due) return;
  if (tasks.timer != 0) executor_.Cancel(tasks.timer);
  tasks.wake = due;
  tasks.timer = 0;
  auto look = [this, tenant] { Look(tenant); };
  const absl::Duration sleep = due - clock_.Now();
  if (sleep <= absl::ZeroDuration()) {
    executor_.Post(std::move(look));
  } else {
    tasks.timer = executor_.PostAfter(std::min(sleep, base::limits::kTaskSleep), std::move(look));
  }
}

void TaskRunner::Look(const base::TenantId& tenant) {
  {
    storage::MutexLock lock(mutex_);
    if (stopped_) return;
    TenantTasks& tasks = tenants_[tenant];
    // Perhaps this look's own timer, perhaps a later one; the end of the round arms what is needed then.
    if (tasks.timer != 0) executor_.Cancel(tasks.timer);
    tasks.timer = 0;
    tasks.wake = absl::InfiniteFuture();
    if (tasks.running) {
      tasks.look_again = true;
      return;
    }
    tasks.running = true;
    tasks.look_again = true;
    tasks.awaited_in_a_row = 0;
  }
  RunFrom(tenant, std::make_shared<const std::vector<std::string>>(), 0);
}

absl::StatusOr<TaskRunner::DueTasks> TaskRunner::ReadDue(const base::TenantId& tenant) const {
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
  const absl::Time now = clock_.Now();
  DueTasks due;
  const auto add_others = [&](std::string_view key, std::string_view row) {
    if (!IsAwaitedRow(row)) due.keys.emplace_back(key);
    return due.keys.size() < base::limits::kDueTasks / 2;
  };
  const auto add = [&](std::string_view key, std::string_view) {
    due.keys.emplace_back(key);
    return due.keys.size() < base::limits::kDueTasks;
  };
  RETURN_IF_ERROR(VisitDue(*snapshot, DueSinceEver(tenant), now, add_others).status());
  ASSIGN_OR_RETURN(due.next, VisitDue(*snapshot, DueAtATime(tenant), now, add));
  RETURN_IF_ERROR(AddMisdated(*snapshot, tenant, now, due.keys));
  return due;
}

absl::StatusOr<std::optional<std::string>> TaskRunner::FindAwaited(const base::TenantId& tenant) const {
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
  const absl::Time now = clock_.Now();
  std::optional<std::string> found;
  const auto look = [&](std::string_view key, std::string_view row) {
    if (IsAwaitedRow(row)) found.emplace(key);
    return !found.has_value();
  };
  RETURN_IF_ERROR(VisitDue(*snapshot, DueSinceEver(tenant), now, look).status());
  if (found.has_value()) return found;
  RETURN_IF_ERROR(VisitDue(*snapshot, DueAtATime(tenant), now, look).status());
  return found;
}

absl::StatusOr<std::optional<std::string>> TaskRunner::NextAwaited(const base::TenantId& tenant) {
  {
    storage::MutexLock lock(mutex_);
    if (stopped_) return std::optional<std::string>();
    TenantTasks& tasks = tenants_[tenant];
    if (!tasks.look_again) return std::optional<std::string>();
    if (tasks.awaited_in_a_row >= kAwaitedInARow) {
      tasks.awaited_in_a_row = 0;
      return std::optional<std::string>();
    }
    // Before the look: what is scheduled from now on asks for another.
    tasks.look_again = false;
  }
  ASSIGN_OR_RETURN(std::optional<std::string> awaited, FindAwaited(tenant));
  storage::MutexLock lock(mutex_);
  if (stopped_) return std::optional<std::string>();
  TenantTasks& tasks = tenants_[tenant];
  tasks.awaited_in_a_row = awaited.has_value() ? tasks.awaited_in_a_row + 1 : 0;
  if (awaited.has_value()) tasks.look_again = true;
  return awaited;
}

void TaskRunner::RunRound(const base::TenantId& tenant) {
  absl::StatusOr<DueTasks> due = ReadDue(tenant);
  if (!due.ok()) return NotRead(tenant, due.status());
  if (due->keys.empty()) return EndRound(tenant, due->next);
  const auto keys = std::make_shared<const std::vector<std::string>>(std::move(due->keys));
  // Awaited ones had their turn just now.
  RunTask(tenant, keys->front(), keys, 1);
}

void TaskRunner::NotRead(const base::TenantId& tenant, const absl::Status& why) {
  Log(Level::kError, "tasks_not_read", {{"tenant", tenant.text()}, {"error", why.message()}});
  BreakOff(tenant);
}

void TaskRunner::BreakOff(const base::TenantId& tenant) {
  storage::MutexLock lock(mutex_);
  if (stopped_) return;
  TenantTasks& tasks = tenants_[tenant];
  tasks.running = false;
  tasks.look_again = false;
  Arm(tenant, tasks, clock_.Now() + PauseAfter(++tasks.troubles, base::limits::kTaskSleep));
}

void TaskRunner::EndRound(const base::TenantId& tenant, std::optional<absl::Time> next) {
  storage::MutexLock lock(mutex_);
  if (stopped_) return;
  TenantTasks& tasks = tenants_[tenant];
  tasks.running = false;
  tasks.troubles = 0;
  if (std::exchange(tasks.look_again, false)) next = clock_.Now();
  if (next.has_value()) return Arm(tenant, tasks, *next);
  if (tasks.wake == absl::InfiniteFuture()) tenants_.erase(tenant);
}

void TaskRunner::RunFrom(const base::TenantId& tenant, TaskKeys keys, size_t place) {
  if (stopped()) return;
  const absl::StatusOr<std::optional<std::string>> awaited = NextAwaited(tenant);
  if (!awaited.ok()) return NotRead(tenant, awaited.status());
  if (awaited->has_value()) return RunTask(tenant, **awaited, std::move(keys), place);
  if (place == keys->size()) return RunRound(tenant);
  RunTask(tenant, (*keys)[place], keys, place + 1);
}

void TaskRunner::RunTask(const base::TenantId& tenant, const std::string& key, TaskKeys keys, size_t next) {
  // When the step's own work began: what it waited for others is theirs.
  auto began = std::make_shared<absl::Duration>();
  sequencer_.Submit(
      tenant,
      [this, key, began](Transaction& transaction) {
        *began = clock_.Monotonic();
        return RunStep(transaction, key);
      },
      [this, tenant, key, keys, next, began](const absl::StatusOr<Committed>& done) {
        if (!done.ok()) return PutOff(tenant, key, keys, next, done.status());
        RestAndRunFrom(std::min(clock_.Monotonic() - *began, kStepMost), 0, tenant, keys, next);
      });
}

void TaskRunner::RestAndRunFrom(absl::Duration step, int rested, const base::TenantId& tenant, TaskKeys keys,
                                size_t place) {
  if (step <= absl::ZeroDuration()) return RunFrom(tenant, std::move(keys), place);
  const absl::Duration rest = rested == 0 ? kRestOfStep * step : step;
  storage::MutexLock lock(mutex_);
  if (stopped_) return;
  tenants_[tenant].rest = executor_.PostAfter(rest, [this, step, rested, tenant, keys, place] {
    {
      storage::MutexLock lock(mutex_);
      if (stopped_) return;
      tenants_[tenant].rest = 0;
    }
    const bool others_wait = executor_.Delay(0) > absl::ZeroDuration();
    if (others_wait && rested < kMoreRests) return RestAndRunFrom(step, rested + 1, tenant, keys, place);
    RunFrom(tenant, keys, place);
  });
}

absl::Status TaskRunner::RunStep(Transaction& transaction, const std::string& key) {
  if (stopped()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<store::Task> task, base::GetStored<store::Task>(transaction, kSpace, key));
  if (!task.has_value()) return absl::OkStatus();
  auto kind = kinds_.find(task->kind());
  if (kind == kinds_.end()) return base::errors::DamagedRow(absl::StrCat("a task of the unknown kind ", task->kind()));
  transaction.Delete(kSpace, key);
  return kind->second.step(transaction, task->payload());
}

void TaskRunner::PutOff(const base::TenantId& tenant, const std::string& key, TaskKeys keys, size_t next,
                        const absl::Status& why) {
  auto task = std::make_shared<std::optional<store::Task>>();
  sequencer_.Submit(
      tenant,
      [this, key, task, why](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(
            *task, PutOffTask(transaction, key, why, [this](const std::string& kind) { return IsAwaited(kind); }));
        return absl::OkStatus();
      },
      [this, tenant, key, keys, next, task, why](const absl::StatusOr<Committed>& done) {
        const bool parked = done.ok() && task->has_value() && IsParked(**task);
        Log(parked ? Level::kError : Level::kWarning, parked ? "task_parked" : "task_failed",
            {{"tenant", tenant.text()},
             {"kind", task->has_value() ? (*task)->kind() : ""},
             {"task", IdOf(key)},
             {"failures", task->has_value() ? (*task)->failures() : 0},
             {"error", why.message()}});
        // Nothing can be written now; the row is as it was.
        if (!done.ok()) return BreakOff(tenant);
        RunFrom(tenant, keys, next);
      });
}

}  // namespace caresync::commit

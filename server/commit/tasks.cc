#include "server/commit/tasks.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::commit {
namespace {

using observability::Level;
using observability::Log;

constexpr storage::Space kSpace = storage::Space::kRecords;

void PutTask(Transaction& transaction, absl::Time due, std::string_view task_id, std::string row) {
  const int64_t due_us = base::ToStoredTime(due);
  transaction.Put(kSpace, base::keys::Task(transaction.tenant(), due_us, task_id), std::move(row));
  transaction.AnnounceTask(base::FromStoredTime(due_us));
}

// Writes the failed task `key` to a later time. Returns how often it has failed; 0 where it is gone.
absl::StatusOr<uint32_t> CountFailure(Transaction& transaction, const std::string& key) {
  ASSIGN_OR_RETURN(std::optional<std::string> row, transaction.Get(kSpace, key));
  if (!row.has_value()) return 0;
  int64_t due_us = 0;
  std::string task_id;
  if (!base::keys::ParseTask(key, &due_us, &task_id)) return base::errors::DamagedRow("a task's key");
  absl::StatusOr<store::Task> task = base::ParseStored<store::Task>(*row);
  uint32_t failures = base::limits::kTaskFailures;
  if (task.ok()) {
    failures = std::min(task->failures() + 1, failures);
    task->set_failures(failures);
    *row = task->SerializeAsString();
  }
  // A row that cannot be read is parked as it is: it must not hold up what is behind it.
  const absl::Duration pause = failures < base::limits::kTaskFailures
                                   ? base::limits::kTaskPause * (int64_t{1} << (failures - 1))
                                   : base::limits::kTaskParked;
  transaction.Delete(kSpace, key);
  PutTask(transaction, transaction.now() + pause, task_id, *std::move(row));
  return failures;
}

std::string IdOf(const std::string& key) {
  int64_t due_us = 0;
  std::string task_id;
  return base::keys::ParseTask(key, &due_us, &task_id) ? task_id : "";
}

}  // namespace

void ScheduleTask(Transaction& transaction, absl::Time due, std::string_view task_id, std::string_view kind,
                  std::string_view payload) {
  store::Task task;
  task.set_kind(std::string(kind));
  task.set_payload(std::string(payload));
  PutTask(transaction, due, task_id, task.SerializeAsString());
}

TaskRunner::TaskRunner(storage::Store& store, Sequencer& sequencer, base::Clock& clock, base::Executor& executor)
    : store_(store), sequencer_(sequencer), clock_(clock), executor_(executor) {}

void TaskRunner::Register(std::string kind, TaskStep step) { steps_[std::move(kind)] = std::move(step); }

absl::Status TaskRunner::Start() {
  sequencer_.SetOnTask([this](const base::TenantId& tenant, absl::Time due) { Wake(tenant, due); });
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
  std::vector<std::string> names;
  bool damaged = false;
  RETURN_IF_ERROR(snapshot->Scan(kSpace, base::keys::AllTenants(""), std::numeric_limits<size_t>::max(),
                                 [&](std::string_view key, std::string_view) {
                                   damaged = !base::keys::ParseTenantListing(key, &names.emplace_back());
                                   return !damaged;
                                 }));
  if (damaged) return base::errors::DamagedRow("a tenant's listing");
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const base::TenantId tenant, base::TenantId::Parse(name));
    Wake(tenant, clock_.Now());
  }
  return absl::OkStatus();
}

void TaskRunner::Stop() {
  storage::MutexLock lock(mutex_);
  stopped_ = true;
  for (const auto& [tenant, tasks] : tenants_) {
    if (tasks.timer != 0) executor_.Cancel(tasks.timer);
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
  Arm(tenant, tenants_[tenant], due);
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
  }
  RunRound(tenant);
}

absl::StatusOr<TaskRunner::DueTasks> TaskRunner::ReadDue(const base::TenantId& tenant) const {
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, store_.NewSnapshot());
  const int64_t now_us = base::ToStoredTime(clock_.Now());
  DueTasks due;
  bool damaged = false;
  RETURN_IF_ERROR(snapshot->Scan(kSpace, base::keys::AllTasks(tenant), base::limits::kDueTasks,
                                 [&](std::string_view key, std::string_view) {
                                   int64_t due_us = 0;
                                   std::string task_id;
                                   damaged = !base::keys::ParseTask(key, &due_us, &task_id);
                                   if (damaged) return false;
                                   if (due_us <= now_us) {
                                     due.keys.emplace_back(key);
                                     return true;
                                   }
                                   due.next = base::FromStoredTime(due_us);
                                   return false;
                                 }));
  if (damaged) return base::errors::DamagedRow("a task's key");
  return due;
}

void TaskRunner::RunRound(const base::TenantId& tenant) {
  absl::StatusOr<DueTasks> due = ReadDue(tenant);
  if (!due.ok()) {
    Log(Level::kError, "tasks_not_read", {{"tenant", tenant.text()}, {"error", due.status().message()}});
    return EndRound(tenant, clock_.Now() + base::limits::kTaskPause);
  }
  if (due->keys.empty()) return EndRound(tenant, due->next);
  RunFrom(tenant, std::make_shared<const std::vector<std::string>>(std::move(due->keys)), 0);
}

void TaskRunner::EndRound(const base::TenantId& tenant, std::optional<absl::Time> next) {
  storage::MutexLock lock(mutex_);
  if (stopped_) return;
  TenantTasks& tasks = tenants_[tenant];
  tasks.running = false;
  if (std::exchange(tasks.look_again, false)) next = clock_.Now();
  if (next.has_value()) return Arm(tenant, tasks, *next);
  if (tasks.wake == absl::InfiniteFuture()) tenants_.erase(tenant);
}

void TaskRunner::RunFrom(const base::TenantId& tenant, TaskKeys keys, size_t place) {
  if (stopped()) return;
  if (place == keys->size()) return RunRound(tenant);
  sequencer_.Submit(
      tenant, [this, keys, place](Transaction& transaction) { return RunStep(transaction, (*keys)[place]); },
      [this, tenant, keys, place](const absl::StatusOr<Committed>& done) {
        if (!done.ok()) return PutOff(tenant, keys, place, done.status());
        RunFrom(tenant, keys, place + 1);
      });
}

absl::Status TaskRunner::RunStep(Transaction& transaction, const std::string& key) {
  if (stopped()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<store::Task> task, base::GetStored<store::Task>(transaction, kSpace, key));
  if (!task.has_value()) return absl::OkStatus();
  auto step = steps_.find(task->kind());
  if (step == steps_.end()) return base::errors::DamagedRow(absl::StrCat("a task of the unknown kind ", task->kind()));
  transaction.Delete(kSpace, key);
  return step->second(transaction, task->payload());
}

void TaskRunner::PutOff(const base::TenantId& tenant, TaskKeys keys, size_t place, const absl::Status& why) {
  auto failures = std::make_shared<uint32_t>(0);
  sequencer_.Submit(
      tenant,
      [keys, place, failures](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*failures, CountFailure(transaction, (*keys)[place]));
        return absl::OkStatus();
      },
      [this, tenant, keys, place, failures, why](const absl::StatusOr<Committed>& done) {
        const bool parked = *failures >= base::limits::kTaskFailures;
        Log(parked ? Level::kError : Level::kWarning, parked ? "task_parked" : "task_failed",
            {{"tenant", tenant.text()},
             {"task", IdOf((*keys)[place])},
             {"failures", *failures},
             {"error", why.message()}});
        // Nothing can be written now; the row is as it was.
        if (!done.ok()) return EndRound(tenant, clock_.Now() + base::limits::kTaskPause);
        RunFrom(tenant, keys, place + 1);
      });
}

}  // namespace caresync::commit

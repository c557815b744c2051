#include "server/notifications/overdue.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "caresync/store/notification.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/overdue_count.h"
#include "server/notifications/hours.h"
#include "server/notifications/message.h"
#include "server/notifications/notices.h"
#include "server/notifications/raises.h"
#include "server/notifications/settings.h"
#include "server/notifications/task_state.h"

namespace caresync::notifications {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using devices::OverdueCount;
using storage::Space;

constexpr size_t kAll = std::numeric_limits<size_t>::max();
// Behind every device there can be: all are counted, and some branches are still to be judged.
const std::string& BehindAll() {
  static const std::string behind_all(16, '\xff');
  return behind_all;
}

absl::StatusOr<store::OverdueLook> ReadLook(const storage::Reader& reader, const base::TenantId& tenant) {
  return ReadTaskState<store::OverdueLook>(reader, tenant, keys::OverdueLook(tenant), "overdue_look_not_readable");
}

// With the task falling due at `due` in place of the time it had; nullopt: there is none any more.
void PutLook(commit::Transaction& transaction, std::optional<absl::Time> due, store::OverdueLook look) {
  const base::TenantId& tenant = transaction.tenant();
  look.set_task_due_us(commit::MoveTask(transaction, kOverdueTask, look.task_due_us(), due));
  if (!due.has_value()) return transaction.Delete(Space::kRecords, keys::OverdueLook(tenant));
  transaction.Put(Space::kRecords, keys::OverdueLook(tenant), look.SerializeAsString());
}

// Whether any settings of the tenant have a threshold. What cannot be read has none.
absl::StatusOr<bool> AnyThreshold(const storage::Reader& reader, const base::TenantId& tenant) {
  bool any = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::AllNotificationSettings(tenant, ""), kAll,
                              [&any](std::string_view, std::string_view row) {
                                const auto settings = base::ParseStored<store::NotificationSettings>(row);
                                any = settings.ok() && settings->overdue_percent() > 0;
                                return !any;
                              }));
  return any;
}

// Those that were told to have too many.
absl::StatusOr<std::set<std::string>> ToldBranches(const storage::Reader& reader, const base::TenantId& tenant) {
  std::set<std::string> told;
  bool damaged = false;
  RETURN_IF_ERROR(
      reader.Scan(Space::kRecords, keys::AllOverdueBranches(tenant), kAll, [&](std::string_view key, std::string_view) {
        std::string branch;
        damaged = !keys::ParseOverdueBranch(key, &branch);
        told.insert(std::move(branch));
        return !damaged;
      }));
  if (damaged) return base::errors::DamagedRow("the key of a branch with overdue devices");
  return told;
}

// One step of the task.
class Step {
 public:
  Step(commit::Transaction& transaction, store::OverdueLook look, absl::TimeZone zone, base::RandomSource& random)
      : transaction_(transaction),
        tenant_(transaction.tenant()),
        look_(std::move(look)),
        zone_(zone),
        random_(random) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const bool wanted, AnyThreshold(transaction_, tenant_));
    if (!wanted) return End();
    ASSIGN_OR_RETURN(const bool is_all, Count());
    if (!is_all) {
      PutLook(transaction_, transaction_.now(), std::move(look_));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const bool all_judged, JudgeAll());
    if (!all_judged) {
      look_.set_counted_device(BehindAll());
      PutLook(transaction_, transaction_.now(), std::move(look_));
      return absl::OkStatus();
    }
    look_.clear_counted_device();
    look_.clear_branches();
    PutLook(transaction_, transaction_.now() + limits::kOverdueLookEvery, std::move(look_));
    return absl::OkStatus();
  }

 private:
  // Nobody wants to know any more.
  absl::Status End() {
    ASSIGN_OR_RETURN(const std::set<std::string> told, ToldBranches(transaction_, tenant_));
    for (const std::string& branch : told) Forget(branch);
    PutLook(transaction_, std::nullopt, std::move(look_));
    return absl::OkStatus();
  }

  // The next devices; true where these were the last.
  absl::StatusOr<bool> Count() {
    ASSIGN_OR_RETURN(const devices::OverdueCounts counts,
                     devices::CountOverdue(transaction_, tenant_, base::Uuid::FromBytes(look_.counted_device()),
                                           limits::kDevicesCounted, transaction_.now()));
    for (const auto& [branch, count] : counts.branches) Add(branch, count);
    if (!counts.last.has_value()) return true;
    look_.set_counted_device(std::string(counts.last->bytes()));
    return false;
  }

  void Add(const std::string& branch, const OverdueCount& count) {
    for (store::BranchDevices& known : *look_.mutable_branches()) {
      if (known.branch_id() != branch) continue;
      known.set_devices(known.devices() + count.devices);
      known.set_overdue(known.overdue() + count.overdue);
      return;
    }
    if (look_.branches_size() >= limits::kBranchesCounted) return;
    store::BranchDevices& added = *look_.add_branches();
    added.set_branch_id(branch);
    added.set_devices(count.devices);
    added.set_overdue(count.overdue);
  }

  // False where as many notices were put in as one step may. Those that were told already are passed over the next
  // time, since what was told of them is what is so.
  absl::StatusOr<bool> JudgeAll() {
    ASSIGN_OR_RETURN(const std::set<std::string> told, ToldBranches(transaction_, tenant_));
    std::map<std::string, OverdueCount> counts;
    // Some may have no devices any more; of those beyond what is counted nobody knows.
    if (look_.branches_size() < limits::kBranchesCounted) {
      for (const std::string& branch : told) counts[branch] = {};
    }
    for (const store::BranchDevices& counted : look_.branches()) {
      counts[counted.branch_id()] = {counted.devices(), counted.overdue()};
    }
    for (const auto& [branch, count] : counts) {
      if (put_ >= limits::kNoticesPutAtOnce) return false;
      RETURN_IF_ERROR(Judge(branch, count, told.count(branch) > 0));
    }
    return true;
  }

  absl::Status Judge(const std::string& branch, const OverdueCount& count, bool was_over) {
    ASSIGN_OR_RETURN(const store::NotificationSettings settings, SettingsFor(transaction_, tenant_, branch));
    const uint64_t percent = static_cast<uint64_t>(settings.overdue_percent());
    if (percent == 0 || !NamesAnybody(settings)) {
      if (was_over) Forget(branch);
      return absl::OkStatus();
    }
    const bool is_over = count.overdue * 100 > count.devices * percent;
    if (is_over == was_over) return absl::OkStatus();
    if (NextOpen(settings, zone_, transaction_.now()) > transaction_.now()) return absl::OkStatus();
    if (is_over) {
      transaction_.Put(Space::kRecords, keys::OverdueBranch(tenant_, branch), std::string());
    } else {
      Forget(branch);
    }
    const OverdueMessage message = {
        .branch = branch, .devices = count.devices, .overdue = count.overdue, .percent = percent, .is_over = is_over};
    const outbox::NewNotice notice = {
        .kind = kOverdueNotice, .subject = branch, .body = OverdueBody(tenant_, message), .branch_id = branch};
    ASSIGN_OR_RETURN(const std::string agency, AgencyOf(transaction_, tenant_));
    ASSIGN_OR_RETURN(const size_t put,
                     PutForAll(transaction_, settings, notice, OverdueMail(agency, message), random_));
    put_ += put;
    return absl::OkStatus();
  }

  void Forget(const std::string& branch) { transaction_.Delete(Space::kRecords, keys::OverdueBranch(tenant_, branch)); }

  commit::Transaction& transaction_;
  const base::TenantId& tenant_;
  store::OverdueLook look_;
  const absl::TimeZone zone_;
  base::RandomSource& random_;
  // Notices that it has put in the outbox.
  size_t put_ = 0;
};

}  // namespace

absl::Status LookAtOverdue(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(store::OverdueLook look, ReadLook(transaction, transaction.tenant()));
  ASSIGN_OR_RETURN(const bool wanted, AnyThreshold(transaction, transaction.tenant()));
  // The task ends by itself what nobody wants any more.
  if (!wanted && look.task_due_us() == 0) return absl::OkStatus();
  look.clear_counted_device();
  look.clear_branches();
  PutLook(transaction, transaction.now(), std::move(look));
  return absl::OkStatus();
}

commit::TaskStep OverdueStep(base::RandomSource& random) {
  return [&random](commit::Transaction& transaction, const std::string& payload) -> absl::Status {
    ASSIGN_OR_RETURN(store::OverdueLook look, ReadLook(transaction, transaction.tenant()));
    // Another one took its place.
    if (!IsTaskOf(look, payload)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const absl::TimeZone zone, ZoneOf(transaction, transaction.tenant()));
    return Step(transaction, std::move(look), zone, random).Run();
  };
}

}  // namespace caresync::notifications

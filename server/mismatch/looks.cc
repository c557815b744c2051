#include "server/mismatch/looks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "observability/log.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/commit/tenant_list.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/due.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/retiming.h"
#include "server/mismatch/taken_back.h"
#include "server/records/carer_signs.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

// One step of the task.
class Step {
 public:
  Step(commit::Transaction& transaction, store::MismatchLooks looks, absl::Duration rest,
       const devices::SyncsUnderWay& syncs)
      : transaction_(transaction),
        tenant_(transaction.tenant()),
        looks_(std::move(looks)),
        rest_(rest),
        delivery_(transaction, tenant_),
        taken_back_(transaction, tenant_, syncs, delivery_) {}

  absl::Status Run() {
    NoteClock(transaction_.now(), looks_);
    RETURN_IF_ERROR(Sweep());
    RETURN_IF_ERROR(Retime(transaction_, looks_));
    if (rest_ == absl::ZeroDuration() && !looks_.retiming()) RETURN_IF_ERROR(LookAtDue());
    ASSIGN_OR_RETURN(const std::optional<absl::Time> next, NextDue());
    // Whatever was put above has moved the task as it saw fit.
    ASSIGN_OR_RETURN(const store::MismatchLooks stored, ReadLooks(transaction_, tenant_));
    looks_.set_next_due_us(stored.next_due_us());
    if (next.has_value()) {
      ScheduleLook(transaction_, *next, looks_);
    } else {
      looks_.clear_next_due_us();
    }
    PutLooks(transaction_, looks_);
    return absl::OkStatus();
  }

 private:
  absl::Status Sweep() {
    if (!looks_.sweeping()) return absl::OkStatus();
    ASSIGN_OR_RETURN(
        const std::vector<CarerVisit> open,
        ReadOpen(transaction_, keys::AllOpenMismatches(tenant_, looks_.swept()), limits::kMismatchesLookedAt));
    for (const CarerVisit& of : open) RETURN_IF_ERROR(ResolveIfSettled(transaction_, of, delivery_));
    looks_.clear_swept();
    looks_.set_sweeping(open.size() == limits::kMismatchesLookedAt);
    if (looks_.sweeping()) looks_.set_swept(keys::OpenMismatch(tenant_, open.back().carer, open.back().visit));
    return absl::OkStatus();
  }

  absl::Status LookAtDue() {
    ASSIGN_OR_RETURN(const std::vector<Look> due,
                     ReadLookTimes(transaction_, tenant_, "", limits::kMismatchesLookedAt));
    for (const Look& look : due) {
      if (look.time_us > base::ToStoredTime(transaction_.now())) break;
      RETURN_IF_ERROR(LookAt(look));
    }
    return absl::OkStatus();
  }

  absl::Status LookAt(const Look& look) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction_, tenant_, look.of));
    if (!old.has_value() || old->look_us() != look.time_us) {
      // Of a row that could not be read and was replaced since.
      transaction_.Delete(Space::kRecords, keys::MismatchLook(tenant_, look.time_us, look.of.carer, look.of.visit));
      return absl::OkStatus();
    }
    const int64_t now_us = base::ToStoredTime(transaction_.now());
    const bool is_due = old->due_us() != 0 && old->due_us() <= now_us;
    const bool wakes = old->state() == store::Mismatch::SNOOZED && old->snoozed_until_us() <= now_us;
    if (!is_due && !wakes) {
      // Its visit is over: it is open as before, in another place.
      const bool stays = old->state() == store::Mismatch::OPEN && EndOf(*old) > transaction_.now();
      if (stays) return PutMismatch(transaction_, look.of, old, *old);
      DeleteMismatch(transaction_, look.of, *old);
      return absl::OkStatus();
    }
    store::Mismatch row = *old;
    RETURN_IF_ERROR(Decide(look.of, row));
    return PutMismatch(transaction_, look.of, old, std::move(row));
  }

  // It is due, or wakes, or is open and was taken back.
  absl::Status Decide(const CarerVisit& of, store::Mismatch& row) {
    ASSIGN_OR_RETURN(const bool settled, delivery_.IsSettled(of));
    // What the rota has let go of since, such as what lies far back, is no change that a device lacks.
    const bool only_again = row.due_us() != 0 && row.due_us() == row.again_us();
    const bool is_over = only_again && VisitEnd(row) < transaction_.now();
    if (settled || is_over) {
      Resolve(transaction_.now(), row);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::optional<records::CarerSign> sign,
                     UnlessDamaged(records::FindSign(transaction_, tenant_, of.carer, of.visit, EarliestSign(row)),
                                   "sign_not_readable", tenant_, of.carer));
    if (sign.has_value()) {
      ResolveByStart(transaction_.now(), *sign, row);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const bool unseen, taken_back_.IsUnseen(of, row));
    if (!base::HasPlantedBug(base::PlantedBug::kLookWithoutCondition)) {
      RETURN_IF_ERROR(delivery_.RequireUnmoved(of.carer, transaction_));
    }
    if (unseen) {
      ResolveTakenBack(transaction_.now(), row);
    } else if (row.state() == store::Mismatch::OPEN) {
      // It was looked at for what was taken back of it, and stays as it is.
      row.clear_due_us();
    } else {
      Open(transaction_.now(), row);
    }
    return absl::OkStatus();
  }

  // nullopt where nothing is left to be looked at.
  absl::StatusOr<std::optional<absl::Time>> NextDue() const {
    const absl::Time now = transaction_.now();
    if (looks_.sweeping() || looks_.retiming()) return std::optional<absl::Time>(now);
    ASSIGN_OR_RETURN(const std::vector<Look> first, ReadLookTimes(transaction_, tenant_, "", 1));
    if (first.empty()) return std::optional<absl::Time>();
    const absl::Time next = base::FromStoredTime(first[0].time_us);
    return std::optional<absl::Time>(std::clamp(next, now + rest_, now + std::max(rest_, limits::kMismatchSleep)));
  }

  commit::Transaction& transaction_;
  const base::TenantId& tenant_;
  store::MismatchLooks looks_;
  // Nothing is opened for so long.
  const absl::Duration rest_;
  Delivery delivery_;
  TakenBack taken_back_;
};

// What is open is swept; and a task that is late is replaced: it may have been parked, by a server that did not know
// its kind. So is one that is further ahead than any is put.
absl::Status LookAtStart(commit::Transaction& transaction) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> open, ReadOpen(transaction, keys::AllOpenMismatches(tenant, ""), 1));
  if (!open.empty()) return BeginSweep(transaction);
  ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, tenant));
  const absl::Duration ahead = base::FromStoredTime(looks.next_due_us()) - transaction.now();
  if (ahead >= absl::ZeroDuration() && ahead <= limits::kMismatchSleep) return absl::OkStatus();
  ScheduleLook(transaction, transaction.now(), looks);
  PutLooks(transaction, looks);
  return absl::OkStatus();
}

}  // namespace

commit::TaskStep LookStep(const base::Clock& clock, absl::Duration opened, const devices::SyncsUnderWay& syncs) {
  return [&clock, opened, &syncs](commit::Transaction& transaction, const std::string& payload) -> absl::Status {
    ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, transaction.tenant()));
    // Another one took its place.
    if (!commit::IsTaskAt(looks.next_due_us(), payload)) return absl::OkStatus();
    const absl::Duration rest = std::max(limits::kMismatchesRest - (clock.Monotonic() - opened), absl::ZeroDuration());
    return Step(transaction, std::move(looks), rest, syncs).Run();
  };
}

absl::Status SweepAtStart(const storage::Reader& reader, commit::Sequencer& sequencer) {
  ASSIGN_OR_RETURN(const std::vector<base::TenantId> tenants, commit::ReadTenants(reader));
  for (const base::TenantId& tenant : tenants) {
    ASSIGN_OR_RETURN(const store::MismatchLooks looks, ReadLooks(reader, tenant));
    if (looks.next_due_us() == 0) continue;
    sequencer.Submit(tenant, LookAtStart, [tenant](const absl::StatusOr<commit::Committed>& begun) {
      if (begun.ok()) return;
      observability::Log(observability::Level::kWarning, "mismatches_not_swept",
                         {{"tenant", tenant.text()}, {"error", begun.status().message()}});
    });
  }
  return absl::OkStatus();
}

}  // namespace caresync::mismatch

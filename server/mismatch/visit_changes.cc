#include "server/mismatch/visit_changes.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/due.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/retiming.h"
#include "server/mismatch/taken_back.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::mismatch {
namespace {

using storage::Space;

// Who has acknowledged anything at all has reached it.
constexpr base::Revision kFirstRevision = 1;

// A visit before and after the commit.
struct VisitChange {
  base::RecordKey visit;
  std::optional<store::Record> before;
  std::optional<store::Record> after;
};

// Nothing that a device shows is another than before, but that it may have left the window as time goes by.
bool SaysNothing(const VisitChange& change) {
  if (!change.before.has_value() || !change.after.has_value()) return false;
  const store::Record& before = *change.before;
  const store::Record& after = *change.after;
  const bool same = before.payload() == after.payload() && before.published() == after.published() &&
                    before.cancelled() == after.cancelled();
  return same && (after.outside_window() || !before.outside_window());
}

// As it would be if no window kept it from devices.
std::optional<store::Record> AsInWindow(std::optional<store::Record> visit) {
  if (visit.has_value()) visit->set_outside_window(false);
  return visit;
}

// The carer goes there at the same time. nullptr: nowhere.
bool IsSameJourney(const store::VisitPart* planned, const store::VisitPart& shown) {
  return planned != nullptr && planned->start_us() == shown.start_us() && planned->end_us() == shown.end_us() &&
         planned->service_user_id() == shown.service_user_id();
}

absl::StatusOr<std::vector<VisitChange>> VisitsWritten(const commit::Transaction& transaction) {
  const storage::KeyRange visits =
      base::keys::Records(transaction.tenant(), records::KeyPrefix(v1::RECORD_KIND_VISIT), {});
  std::vector<VisitChange> changes;
  absl::Status status;
  transaction.VisitOwn(Space::kRecords, visits, [&](std::string_view key, const std::optional<std::string>& value) {
    VisitChange change;
    if (!base::keys::ParseRecord(key, &change.visit)) status = base::errors::DamagedRow("a visit's key");
    if (value.has_value() && status.ok()) {
      absl::StatusOr<store::Record> record = base::ParseStored<store::Record>(*value);
      status = record.status();
      if (record.ok()) change.after = *std::move(record);
    }
    changes.push_back(std::move(change));
    return status.ok();
  });
  RETURN_IF_ERROR(status);
  for (VisitChange& change : changes) {
    ASSIGN_OR_RETURN(change.before, records::GetRecord(transaction.base(), transaction.tenant(), change.visit));
  }
  return changes;
}

// Notes the changes of one commit.
class Notes {
 public:
  Notes(commit::Transaction& transaction, const Timing& timing)
      : transaction_(transaction), timing_(timing), delivery_(transaction.base(), transaction.tenant()) {}

  absl::Status Note(const VisitChange& change) {
    if (SaysNothing(change)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const VisitParts before, PartsOf(change.before));
    ASSIGN_OR_RETURN(const VisitParts after, PartsOf(change.after));
    std::set<base::Uuid> carers;
    for (const auto& [carer, part] : before.held) carers.insert(carer);
    for (const auto& [carer, part] : after.held) carers.insert(carer);
    for (const base::Uuid& carer : carers) RETURN_IF_ERROR(NoteFor(carer, change, before, after));
    if (!change.before.has_value() || !change.before->outside_window()) return absl::OkStatus();
    // What left the window did so without a word.
    for (const base::Uuid& carer : before.assigned) {
      if (!after.held.contains(carer)) RETURN_IF_ERROR(NoteForOneLeft(carer, change, after));
    }
    return absl::OkStatus();
  }

 private:
  // The visit was outside the window already. A device that has acknowledged nothing since it left goes on showing it:
  // where the carer is not to come as that says, the change is one that it lacks.
  absl::Status NoteForOneLeft(const base::Uuid& carer, const VisitChange& change, const VisitParts& after) {
    const CarerVisit of{carer, change.visit};
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction_, transaction_.tenant(), of));
    const bool is_shown = old.has_value() && old->has_now() && VisitEnd(*old) >= transaction_.now();
    if (!is_shown) return absl::OkStatus();
    ASSIGN_OR_RETURN(const VisitParts planned, PartsOf(AsInWindow(change.after)));
    if (IsSameJourney(planned.Of(carer), old->now())) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool has_left, delivery_.IsSettled(of, change.before, false));
    if (has_left) return absl::OkStatus();
    store::Mismatch row = *old;
    // It left at an earlier commit, which no row tells of and which the device may have been sent: whether the device
    // still shows it is not known, and nor is an acknowledged revision.
    if (WasSettled(row)) BeginAnew(&old->now(), row);
    Fold(&old->now(), nullptr, after.WhyGone(carer), row);
    if (change.after.has_value()) row.set_branch_id(after.branch_id);
    return PutMismatch(transaction_, of, old, std::move(row));
  }

  absl::Status NoteFor(const base::Uuid& carer, const VisitChange& change, const VisitParts& before,
                       const VisitParts& after) {
    const store::VisitPart* const had = before.Of(carer);
    const store::VisitPart* const has = after.Of(carer);
    if (had != nullptr && has != nullptr && had->fingerprint() == has->fingerprint()) return absl::OkStatus();
    const CarerVisit of{carer, change.visit};
    const base::TenantId& tenant = transaction_.tenant();
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old,
                     UnlessDamaged(GetMismatch(transaction_, tenant, of), "mismatch_replaced", tenant, carer));
    // What the device shows of it may be later than either.
    const bool is_over = IsOver(had) && IsOver(has) && (!old.has_value() || VisitEnd(*old) < transaction_.now());
    if (is_over) return absl::OkStatus();
    store::Mismatch row = old.value_or(store::Mismatch());
    const bool never_noted = !old.has_value() && had == nullptr;
    // No device holds anything of a visit that is new, and none is asked.
    bool acknowledged = never_noted && !change.before.has_value();
    base::Revision acknowledged_revision = acknowledged ? kFirstRevision : 0;
    if (!acknowledged) {
      ASSIGN_OR_RETURN(acknowledged, delivery_.IsSettled(of, change.before, had != nullptr));
      if (acknowledged) {
        ASSIGN_OR_RETURN(acknowledged_revision, ReachedBy(carer));
      }
    }
    if (acknowledged || never_noted) {
      BeginAnew(had, row);
      row.set_acknowledged_revision(acknowledged_revision);
    } else if (!old.has_value()) {
      // Nothing was noted of it before. Of a device that has a copy nobody knows that it did not get the visit with it.
      ASSIGN_OR_RETURN(const bool has_copy, delivery_.HasCopy(carer));
      if (has_copy) *row.mutable_acknowledged() = *had;
    }
    Fold(had, has, after.WhyGone(carer), row);
    row.set_branch_id(change.after.has_value() ? after.branch_id : before.branch_id);
    return PutMismatch(transaction_, of, old, std::move(row));
  }

  // A commit up to which the device in use has acknowledged the carer's feed, in part at least; 0: there is none.
  absl::StatusOr<base::Revision> ReachedBy(const base::Uuid& carer) {
    ASSIGN_OR_RETURN(const std::optional<feed::Position> position, delivery_.PositionOf(carer));
    return position.has_value() ? position->revision : base::Revision{0};
  }

  bool IsOver(const store::VisitPart* part) const {
    return part == nullptr || base::FromStoredTime(part->end_us()) < transaction_.now();
  }

  // Nothing was waited for any more, since the device had acknowledged it.
  static bool WasSettled(const store::Mismatch& row) {
    const bool acknowledged =
        row.state() == store::Mismatch::PENDING || (row.state() == store::Mismatch::RESOLVED && !row.has_sign());
    return acknowledged && row.due_us() == 0;
  }

  // Everything before this change is on the device.
  void BeginAnew(const store::VisitPart* had, store::Mismatch& row) const {
    row.clear_acknowledged();
    row.clear_acknowledged_revision();
    row.clear_withdrawn();
    if (had != nullptr) *row.mutable_acknowledged() = *had;
    row.clear_first_change_us();
    row.clear_first_change_revision();
    Resolve(transaction_.now(), row);
    // This change has its own grace, and what the device may have lost before it is looked at then.
    row.clear_due_us();
    row.clear_again_us();
  }

  void Fold(const store::VisitPart* had, const store::VisitPart* has, v1::VisitGone gone, store::Mismatch& row) const {
    const int64_t now_us = base::ToStoredTime(transaction_.now());
    row.clear_now();
    row.clear_gone();
    if (has != nullptr) {
      *row.mutable_now() = *has;
      row.clear_withdrawn();
    } else {
      if (had != nullptr) *row.mutable_withdrawn() = *had;
      row.set_gone(gone);
    }
    if (row.first_change_us() == 0) {
      row.set_first_change_us(now_us);
      row.set_first_change_revision(transaction_.revision());
    }
    row.set_last_change_us(now_us);
    if (row.state() == store::Mismatch::OPEN) {
      // It is shown with this change at once. Where nothing remains, the task asks whether the device was sent any of
      // it: that is too much to be read here.
      row.set_due_us(NothingRemains(row) ? now_us : 0);
      return;
    }
    const int64_t due_us = base::ToStoredTime(Due(transaction_.now(), StartThatCounts(row), timing_));
    row.set_due_us(row.due_us() == 0 ? due_us : std::min(row.due_us(), due_us));
  }

  commit::Transaction& transaction_;
  const Timing timing_;
  Delivery delivery_;
};

// Lets `lag` count those that came from the rota, once they are committed.
void Count(commit::Transaction& transaction, const std::vector<VisitChange>& changes, IntegrationLag& lag) {
  std::vector<RotaChange> counted;
  for (const VisitChange& change : changes) {
    // A visit that enters the window, or leaves it, is no other.
    const bool is_another = change.after.has_value() && change.after->changed_revision() == transaction.revision();
    if (!is_another || SaysNothing(change)) continue;
    const std::optional<RotaChange> made = LastRotaChange(*change.after);
    if (made.has_value()) counted.push_back(*made);
  }
  if (counted.empty()) return;
  transaction.OnCommitted(
      [&lag, tenant = transaction.tenant(), counted = std::move(counted)] { lag.NoteCommitted(tenant, counted); });
}

// `lag`: nullptr where nothing is counted.
absl::Status Note(commit::Transaction& transaction, IntegrationLag* lag) {
  RETURN_IF_ERROR(NoteTimingChange(transaction));
  ASSIGN_OR_RETURN(const std::vector<VisitChange> changes, VisitsWritten(transaction));
  if (changes.empty()) return absl::OkStatus();
  if (lag != nullptr) Count(transaction, changes, *lag);
  ASSIGN_OR_RETURN(const Timing timing, ReadTiming(transaction, transaction.tenant()));
  Notes notes(transaction, timing);
  for (const VisitChange& change : changes) RETURN_IF_ERROR(notes.Note(change));
  return absl::OkStatus();
}

}  // namespace

absl::Status NoteVisitChanges(commit::Transaction& transaction) { return Note(transaction, nullptr); }

commit::Change NotingVisitChanges(IntegrationLag& lag) {
  return [&lag](commit::Transaction& transaction) { return Note(transaction, &lag); };
}

}  // namespace caresync::mismatch

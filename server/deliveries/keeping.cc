#include "server/deliveries/keeping.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/delivery.pb.h"
#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "server/deliveries/delivery_rows.h"
#include "server/tenants/tenants.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;
using store::Keeping;

absl::StatusOr<Keeping> ReadKeeping(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<Keeping> keeping,
                   base::GetStored<Keeping>(reader, Space::kRecords, keys::Keeping(tenant)));
  return std::move(keeping).value_or(Keeping());
}

void LogDamage(const base::TenantId& tenant, const absl::Status& status) {
  observability::Log(observability::Level::kError, "delivery_not_readable",
                     {{"tenant", tenant.text()}, {"error", status.message()}});
}

// Lets the task fall due then, in place of the time it had.
void Schedule(commit::Transaction& transaction, absl::Time due, Keeping keeping) {
  keeping.set_next_due_us(commit::MoveTask(transaction, kKeepTask, keeping.next_due_us(), due));
  transaction.Put(Space::kRecords, keys::Keeping(transaction.tenant()), keeping.SerializeAsString());
}

// An entry as the index of visits has it.
struct Indexed {
  std::string key;
  base::RecordKey visit;
  base::Uuid carer;
  base::Revision revision = 0;

  bool IsOfSamePair(const Indexed& other) const { return std::tie(visit, carer) == std::tie(other.visit, other.carer); }
};

// A mark, and where it lies.
struct Kept {
  std::string key;
  base::Uuid device;
  base::Uuid carer;
  store::CopyMark row;

  bool IsOfSameCopy(const Kept& other) const { return std::tie(device, carer) == std::tie(other.device, other.carer); }
  // What the device held from then on can be told without the marks before it.
  bool StandsAlone() const {
    if (row.kind() == store::CopyMark::EMPTY || row.kind() == store::CopyMark::NOT_KNOWN) return true;
    return Mark{.number = 0, .row = row}.is_whole();
  }
};

// One step of the walk. Each of its parts returns the last key that the next step need not look at; nullopt: the table
// is walked over.
class Step {
 public:
  Step(commit::Transaction& transaction, Keeping& keeping, absl::Time cut_off)
      : transaction_(transaction), tenant_(transaction.tenant()), keeping_(keeping), cut_off_(cut_off) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const std::optional<std::string> walked, Walk());
    keeping_.set_walked(walked.value_or(""));
    if (!walked.has_value()) keeping_.set_walk(Next(keeping_.walk()));
    return absl::OkStatus();
  }

 private:
  using Walked = absl::StatusOr<std::optional<std::string>>;

  static Keeping::Walk Next(Keeping::Walk walk) {
    switch (walk) {
      case Keeping::ENTRIES:
        return Keeping::MARKS;
      case Keeping::MARKS:
        return Keeping::TOLD;
      default:
        return Keeping::NONE;
    }
  }

  Walked Walk() {
    switch (keeping_.walk()) {
      case Keeping::ENTRIES:
        return WalkEntries();
      case Keeping::MARKS:
        return WalkMarks();
      case Keeping::TOLD:
        return WalkTold();
      default:
        return std::optional<std::string>();
    }
  }

  bool IsOver(int64_t time_us) const { return base::FromStoredTime(time_us) < cut_off_; }
  bool IsOver(const std::optional<store::VisitEntry>& row) const {
    return row.has_value() && IsOver(row->committed_us());
  }

  Walked WalkEntries() {
    std::vector<Indexed> all;
    bool damaged = false;
    RETURN_IF_ERROR(transaction_.Scan(Space::kRecords, keys::AllVisitEntriesByVisit(tenant_, keeping_.walked()),
                                      limits::kDeliveriesLetGo, [&](std::string_view key, std::string_view) {
                                        Indexed& entry = all.emplace_back();
                                        entry.key = std::string(key);
                                        damaged = !keys::ParseVisitEntryByVisit(key, &entry.visit, &entry.carer,
                                                                                &entry.revision);
                                        return !damaged;
                                      }));
    if (damaged) return base::errors::DamagedRow("the key of a visit's entry");
    ASSIGN_OR_RETURN(const std::vector<std::optional<store::VisitEntry>> rows, ReadRows(all));
    const bool is_last = all.size() < limits::kDeliveriesLetGo;
    // What supersedes the last one of a full step is seen by the next.
    const size_t judged = is_last ? all.size() : all.size() - 1;
    const std::vector<bool> superseded = Superseded(all, rows);
    for (size_t i = 0; i < judged; ++i) {
      if (superseded[i]) {
        LetGo(all[i], rows[i], all[i + 1].revision);
      } else if (IsOver(rows[i]) && !rows[i]->has_payload()) {
        RETURN_IF_ERROR(LetGoOfRemoval(all[i]));
      }
    }
    if (is_last) return std::optional<std::string>();
    return std::optional<std::string>(all[judged - 1].key);
  }

  // Of each whether one of the same visit took its place long enough ago: the next one, or one behind that, where a
  // clock that was ahead says that the next one is new.
  std::vector<bool> Superseded(const std::vector<Indexed>& all,
                               const std::vector<std::optional<store::VisitEntry>>& rows) const {
    std::vector<bool> superseded(all.size());
    for (size_t i = all.size(); i-- > 0;) {
      const bool has_next = i + 1 < all.size() && all[i].IsOfSamePair(all[i + 1]);
      superseded[i] = has_next && (superseded[i + 1] || IsOver(rows[i + 1]));
    }
    return superseded;
  }

  // nullopt: it cannot be read, which holds nothing else up.
  absl::StatusOr<std::vector<std::optional<store::VisitEntry>>> ReadRows(const std::vector<Indexed>& all) const {
    std::vector<std::string> row_keys;
    row_keys.reserve(all.size());
    for (const Indexed& entry : all) {
      row_keys.push_back(keys::VisitEntry(tenant_, entry.carer, entry.revision, entry.visit));
    }
    ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> bytes,
                     transaction_.MultiGet(Space::kRecords, row_keys));
    std::vector<std::optional<store::VisitEntry>> rows(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      absl::StatusOr<store::VisitEntry> row =
          bytes[i].has_value()
              ? base::ParseStored<store::VisitEntry>(*bytes[i])
              : absl::StatusOr<store::VisitEntry>(base::errors::DamagedRow("an index row of no visit's entry"));
      if (row.ok()) {
        rows[i] = *std::move(row);
      } else {
        LogDamage(tenant_, row.status());
      }
    }
    return rows;
  }

  // `row`: nullopt where it cannot be read; `next`: where that lies which took its place.
  void LetGo(const Indexed& entry, const std::optional<store::VisitEntry>& row, base::Revision next) {
    DeleteEntry(transaction_, entry.carer, entry.visit, entry.revision);
    if (row.has_value() && !row->has_payload()) return;
    keeping_.set_horizon_revision(std::max(keeping_.horizon_revision(), next));
  }

  // That there is none says the same, once all before it were let go: else the visit would seem to be held again.
  absl::Status LetGoOfRemoval(const Indexed& removal) {
    bool stands_before = false;
    const std::string first = keys::VisitEntryByVisit(tenant_, removal.visit, removal.carer, 0);
    RETURN_IF_ERROR(
        transaction_.Scan(Space::kRecords, {first, removal.key}, 1, [&](std::string_view, std::string_view) {
          stands_before = true;
          return false;
        }));
    if (!stands_before) DeleteEntry(transaction_, removal.carer, removal.visit, removal.revision);
    return absl::OkStatus();
  }

  Walked WalkMarks() {
    std::vector<Kept> all;
    absl::Status status;
    RETURN_IF_ERROR(transaction_.Scan(Space::kDevices, keys::AllCopyMarks(tenant_, keeping_.walked()),
                                      limits::kDeliveriesLetGo, [&](std::string_view key, std::string_view value) {
                                        absl::StatusOr<Kept> mark = ParseMark(key, value);
                                        status = mark.status();
                                        if (mark.ok()) all.push_back(*std::move(mark));
                                        return status.ok();
                                      }));
    RETURN_IF_ERROR(status);
    // From behind: before one that stands alone and is old enough, no other of the copy is needed.
    std::optional<size_t> stands;
    for (size_t i = all.size(); i-- > 0;) {
      if (stands.has_value() && all[i].IsOfSameCopy(all[*stands])) {
        transaction_.Delete(Space::kDevices, all[i].key);
      } else if (IsOver(all[i].row.time_us()) && all[i].StandsAlone()) {
        stands = i;
      }
    }
    if (all.size() < limits::kDeliveriesLetGo) return std::optional<std::string>();
    return std::optional<std::string>(BeforeLastBase(all));
  }

  // The next step begins with the last mark of the last copy that stands alone, where that lets it get on: what it
  // makes superfluous may lie behind.
  std::string BeforeLastBase(const std::vector<Kept>& all) const {
    for (size_t i = all.size(); i-- > 1;) {
      if (!all[i].IsOfSameCopy(all.back())) break;
      if (all[i].StandsAlone()) return all[i - 1].key;
    }
    return all.back().key;
  }

  // One whose row cannot be read goes with those before the next one that stands alone.
  absl::StatusOr<Kept> ParseMark(std::string_view key, std::string_view value) const {
    Kept mark;
    uint64_t number = 0;
    if (!keys::ParseCopyMark(key, &mark.device, &mark.carer, &number)) {
      return base::errors::DamagedRow("the key of a copy's mark");
    }
    mark.key = std::string(key);
    absl::StatusOr<store::CopyMark> row = base::ParseStored<store::CopyMark>(value);
    if (row.ok()) {
      mark.row = *std::move(row);
    } else {
      LogDamage(tenant_, row.status());
    }
    return mark;
  }

  Walked WalkTold() {
    std::vector<std::string> over;
    RETURN_IF_ERROR(transaction_.Scan(Space::kRecords, keys::ToldMarks(tenant_, ""), limits::kDeliveriesLetGo,
                                      [&](std::string_view key, std::string_view value) {
                                        const absl::StatusOr<store::ToldMark> told =
                                            base::ParseStored<store::ToldMark>(value);
                                        // One that cannot be read tells nobody anything.
                                        if (!told.ok()) LogDamage(tenant_, told.status());
                                        if (told.ok() && !IsOver(told->told_us())) return false;
                                        over.emplace_back(key);
                                        return true;
                                      }));
    const bool more = over.size() == limits::kDeliveriesLetGo;
    // They go from the front: the next step begins there again.
    std::optional<std::string> walked = more ? std::optional<std::string>(over.back()) : std::nullopt;
    for (std::string& key : over) transaction_.Delete(Space::kRecords, std::move(key));
    return walked;
  }

  commit::Transaction& transaction_;
  const base::TenantId& tenant_;
  Keeping& keeping_;
  const absl::Time cut_off_;
};

// A walk that is due begins.
void BeginWalk(absl::Time now, Keeping& keeping) {
  const absl::Time due = base::FromStoredTime(keeping.next_walk_us());
  // A clock that was ahead and has been set back put it too far away.
  if (keeping.walk() != Keeping::NONE || (due > now && due <= now + limits::kDeliveriesWalked)) return;
  keeping.set_walk(Keeping::ENTRIES);
  keeping.clear_walked();
  keeping.set_next_walk_us(base::ToStoredTime(now + limits::kDeliveriesWalked));
}

// All steps of a walk let go of what is over at its beginning: no mark goes before the entries of which it tells.
absl::Time WalkBegan(absl::Time now, const Keeping& keeping) {
  return std::min(now, base::FromStoredTime(keeping.next_walk_us()) - limits::kDeliveriesWalked);
}

}  // namespace

absl::Status KeepForAWhile(commit::Transaction& transaction) {
  absl::StatusOr<Keeping> keeping = ReadKeeping(transaction, transaction.tenant());
  if (absl::IsDataLoss(keeping.status())) {
    LogDamage(transaction.tenant(), keeping.status());
    // No change of the rota waits for the repair of this row. It said how far back all is kept: that is not known now.
    keeping = Keeping();
    keeping->set_horizon_revision(transaction.revision());
  }
  RETURN_IF_ERROR(keeping.status());
  const absl::Duration ahead = base::FromStoredTime(keeping->next_due_us()) - transaction.now();
  // One that is late for so long was parked; one that is so far ahead was put there by a clock that has been set back.
  if (ahead >= -limits::kDeliveriesWalked && ahead <= limits::kDeliveriesSleep) return absl::OkStatus();
  Schedule(transaction, transaction.now() + limits::kDeliveriesSleep, *keeping);
  return absl::OkStatus();
}

absl::Status KeepStep(commit::Transaction& transaction, const std::string& payload) {
  ASSIGN_OR_RETURN(Keeping keeping, ReadKeeping(transaction, transaction.tenant()));
  // Another one took its place.
  if (!commit::IsTaskAt(keeping.next_due_us(), payload)) return absl::OkStatus();
  const absl::Time now = transaction.now();
  BeginWalk(now, keeping);
  if (keeping.walk() != Keeping::NONE) {
    ASSIGN_OR_RETURN(const store::Tenant preferences, tenants::GetTenant(transaction, transaction.tenant()));
    const absl::Time cut_off = WalkBegan(now, keeping) - tenants::DeliveriesKept(preferences);
    RETURN_IF_ERROR(Step(transaction, keeping, cut_off).Run());
  }
  const bool walks = keeping.walk() != Keeping::NONE;
  Schedule(transaction, now + (walks ? limits::kDeliveriesStepPause : limits::kDeliveriesSleep), keeping);
  return absl::OkStatus();
}

absl::StatusOr<base::Revision> ReadHorizon(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(const Keeping keeping, ReadKeeping(reader, tenant));
  return keeping.horizon_revision();
}

}  // namespace caresync::deliveries

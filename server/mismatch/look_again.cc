#include "server/mismatch/look_again.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/due.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/retiming.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

// Some of a carer's mismatches.
struct Found {
  std::vector<CarerVisit> mismatches;
  // There may be more behind them.
  bool full = false;
};

// What comes after `after`.
absl::StatusOr<Found> Find(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer,
                           const base::RecordKey& after) {
  Found found;
  size_t rows = 0;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::MismatchesOf(tenant, carer, after), limits::kMismatchesLookedAt,
                              [&](std::string_view key, std::string_view) {
                                ++rows;
                                CarerVisit of;
                                if (keys::ParseMismatch(key, &of.carer, &of.visit)) {
                                  found.mismatches.push_back(std::move(of));
                                } else {
                                  LogDamage("mismatch_not_readable", tenant, carer,
                                            base::errors::DamagedRow("a mismatch's key"));
                                }
                                return true;
                              }));
  found.full = rows == limits::kMismatchesLookedAt && !found.mismatches.empty();
  return found;
}

// A mismatch that waits again as of `since`; nullopt where it does so already, or its visit is over.
std::optional<store::Mismatch> WaitingAgain(const store::Mismatch& old, absl::Time since, absl::Time now,
                                            const Timing& timing) {
  if (VisitEnd(old) < now) return std::nullopt;
  const int64_t due_us = base::ToStoredTime(Due(since, StartThatCounts(old), timing));
  // One that is live is not looked at, but may be resolved; one that is due earlier may be found settled then.
  const bool waits = !IsLive(old) && (old.due_us() == 0 || old.due_us() > due_us);
  // A carer who syncs clean again and again does not have all of them written again each time.
  const bool again = old.again_us() < base::ToStoredTime(since + limits::kLookedAtAnyway);
  if (!waits && !again) return std::nullopt;
  store::Mismatch row = old;
  if (waits) row.set_due_us(due_us);
  if (again) row.set_again_us(due_us);
  return row;
}

absl::Status WaitAgain(commit::Transaction& transaction, const CarerVisit& of, absl::Time since, const Timing& timing) {
  ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction, transaction.tenant(), of));
  if (!old.has_value()) return absl::OkStatus();
  std::optional<store::Mismatch> row = WaitingAgain(*old, since, transaction.now(), timing);
  return row.has_value() ? PutMismatch(transaction, of, old, *std::move(row)) : absl::OkStatus();
}

absl::Status WaitForRest(commit::Transaction& transaction, const base::Uuid& carer, store::LookAgain work) {
  ASSIGN_OR_RETURN(const Found found, Find(transaction, transaction.tenant(), carer, {work.after()}));
  ASSIGN_OR_RETURN(const Timing timing, ReadTiming(transaction, transaction.tenant()));
  const absl::Time since = base::FromStoredTime(work.since_us());
  for (const CarerVisit& of : found.mismatches) RETURN_IF_ERROR(WaitAgain(transaction, of, since, timing));
  if (!found.full) return absl::OkStatus();
  work.set_after(found.mismatches.back().visit.bytes);
  commit::ScheduleTask(transaction, transaction.now(), absl::StrCat(kLookAgainTask, "/", work.carer_id()),
                       kLookAgainTask, work.SerializeAsString());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> IsLookedAtAgain(const storage::Reader& reader, const base::TenantId& tenant,
                                     const base::Uuid& carer, absl::Time now) {
  ASSIGN_OR_RETURN(const Found found, Find(reader, tenant, carer, {}));
  if (found.full) return false;
  ASSIGN_OR_RETURN(const Timing timing, ReadTiming(reader, tenant));
  for (const CarerVisit& of : found.mismatches) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row, GetUndamaged(reader, tenant, of));
    if (row.has_value() && WaitingAgain(*row, now, now, timing).has_value()) return false;
  }
  return true;
}

absl::Status LookAgain(commit::Transaction& transaction, const base::Uuid& carer) {
  store::LookAgain work;
  work.set_carer_id(carer.ToString());
  work.set_since_us(base::ToStoredTime(transaction.now()));
  return WaitForRest(transaction, carer, std::move(work));
}

absl::Status LookAgainStep(commit::Transaction& transaction, const std::string& payload) {
  ASSIGN_OR_RETURN(store::LookAgain work, base::ParseStored<store::LookAgain>(payload));
  const std::optional<base::Uuid> carer = base::Uuid::Parse(work.carer_id());
  if (!carer.has_value()) return base::errors::DamagedRow("whose mismatches are to be looked at again");
  return WaitForRest(transaction, *carer, std::move(work));
}

}  // namespace caresync::mismatch

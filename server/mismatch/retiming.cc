#include "server/mismatch/retiming.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/tenants/tenants.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

// Whether the transaction has written the tenant's own row.
bool WritesTenant(const commit::Transaction& transaction) {
  const std::string key = keys::Tenant(transaction.tenant());
  bool writes = false;
  transaction.VisitOwn(Space::kRecords, {key, key + '\0'},
                       [&writes](std::string_view, const std::optional<std::string>&) {
                         writes = true;
                         return false;
                       });
  return writes;
}

// Since when the device has had time. What a person had seen, and put off or closed, waits for what came after it; so
// does what was over, such as by the carer's start of the visit.
absl::Time WaitsSince(const store::Mismatch& row) {
  const bool was_open = row.state() != store::Mismatch::PENDING;
  return base::FromStoredTime(was_open ? row.last_change_us() : row.first_change_us());
}

// When it is due by these times, whatever it was due by before. Nothing came later than now, whatever the clock said.
absl::Time DueAnew(const store::Mismatch& row, bool set_back, const Timing& timing, absl::Time now) {
  store::Mismatch as_of_now = row;
  as_of_now.set_last_change_us(std::min(row.last_change_us(), base::ToStoredTime(now)));
  const absl::Time start = StartThatCounts(as_of_now);
  // What came before now is due by then at the latest, and stays as it is: it may wait for another reason than a
  // change.
  if (set_back) return std::min(base::FromStoredTime(row.due_us()), Due(now, start, timing));
  return Due(std::min(WaitsSince(row), now), start, timing);
}

absl::Status RetimeOne(commit::Transaction& transaction, const CarerVisit& of, bool set_back, const Timing& timing) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction, tenant, of));
  // One that is open is looked at for what was taken back of it, and that at once.
  const bool waits = old.has_value() && old->due_us() != 0 && old->state() != store::Mismatch::OPEN;
  if (!waits) return absl::OkStatus();
  store::Mismatch row = *old;
  row.set_due_us(base::ToStoredTime(DueAnew(row, set_back, timing, transaction.now())));
  if (row.due_us() == old->due_us()) return absl::OkStatus();
  // What is due for that alone stays so.
  if (set_back && old->again_us() == old->due_us()) row.set_again_us(row.due_us());
  return PutMismatch(transaction, of, old, std::move(row));
}

}  // namespace

absl::StatusOr<Timing> ReadTiming(const storage::Reader& reader, const base::TenantId& tenant) {
  const absl::StatusOr<store::Tenant> preferences = tenants::GetTenant(reader, tenant);
  if (absl::IsNotFound(preferences.status()) || absl::IsDataLoss(preferences.status())) return Timing();
  RETURN_IF_ERROR(preferences.status());
  return Timing{tenants::MismatchGrace(*preferences), tenants::MismatchLead(*preferences)};
}

absl::Status NoteTimingChange(commit::Transaction& transaction) {
  if (!WritesTenant(transaction)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Timing before, ReadTiming(transaction.base(), transaction.tenant()));
  ASSIGN_OR_RETURN(const Timing after, ReadTiming(transaction, transaction.tenant()));
  if (before == after) return absl::OkStatus();
  ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, transaction.tenant()));
  looks.set_retiming(true);
  looks.clear_set_back();
  looks.clear_retimed();
  ScheduleLook(transaction, transaction.now(), looks);
  PutLooks(transaction, looks);
  return absl::OkStatus();
}

absl::Status Retime(commit::Transaction& transaction, store::MismatchLooks& looks) {
  if (!looks.retiming()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Timing timing, ReadTiming(transaction, transaction.tenant()));
  // One that moves ahead in the table is met again there, and stays then.
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::vector<Look> found,
                   ReadLookTimes(transaction, tenant, looks.retimed(), limits::kMismatchesLookedAt));
  for (const Look& look : found) RETURN_IF_ERROR(RetimeOne(transaction, look.of, looks.set_back(), timing));
  looks.clear_retimed();
  looks.set_retiming(found.size() == limits::kMismatchesLookedAt);
  if (!looks.retiming()) {
    looks.clear_set_back();
    return absl::OkStatus();
  }
  const Look& last = found.back();
  looks.set_retimed(keys::MismatchLook(tenant, last.time_us, last.of.carer, last.of.visit));
  return absl::OkStatus();
}

}  // namespace caresync::mismatch

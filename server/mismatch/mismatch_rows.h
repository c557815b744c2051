// The stored mismatches, and the index rows by which they are found: when one is to be looked at next, which are open,
// the order of the list, and that in which people are told of them.
//
// All in Space::kRecords and written through the sequencer only. Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_MISMATCH_MISMATCH_ROWS_H_
#define CARESYNC_SERVER_MISMATCH_MISMATCH_ROWS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::mismatch {

// The kind of the task that looks at mismatches when it is time, and its ID: a tenant has one at a time. Its payload is
// the due time, in microseconds, in decimals.
inline constexpr char kLookTask[] = "mismatch/look";

// What a mismatch is about: one carer's part in one visit.
struct CarerVisit {
  base::Uuid carer;
  base::RecordKey visit;
  auto operator<=>(const CarerVisit&) const = default;
};

// It waits for the device, or for a person: open, or put off.
bool IsLive(const store::Mismatch& row);

// nullopt where there is none.
absl::StatusOr<std::optional<store::Mismatch>> GetMismatch(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const CarerVisit& of);

// The same, and nullopt where it is damaged, which the log says: what is damaged holds nothing else up.
absl::StatusOr<std::optional<store::Mismatch>> GetUndamaged(const storage::Reader& reader, const base::TenantId& tenant,
                                                            const CarerVisit& of);

// No feed: its subscribers hear that there is more to be told of mismatches.
base::ReceiverId MismatchTopic();

// Writes `row` in place of `old`, with its index rows (`look_us`, `rank`, `over` and `told_revision` are set here), and
// sees to it that the task runs when it is to be looked at. Announces MismatchTopic() where people are to be told;
// of one whose visit is over by now, and that is as before, they are not.
absl::Status PutMismatch(commit::Transaction& transaction, const CarerVisit& of,
                         const std::optional<store::Mismatch>& old, store::Mismatch row);
// Whether a row lies where PutMismatch would put it now, and is looked at when that says; else it is to be put there as
// it is. One that an earlier server wrote may not.
bool IsInItsPlace(const store::Mismatch& row, absl::Time now);
void DeleteMismatch(commit::Transaction& transaction, const CarerVisit& of, const store::Mismatch& old);

// When one is to be looked at, as the index has it.
struct Look {
  int64_t time_us = 0;
  CarerVisit of;
};

// In the order of their times: `most` of those that come after the key `after` (empty: of all).
absl::StatusOr<std::vector<Look>> ReadLookTimes(const storage::Reader& reader, const base::TenantId& tenant,
                                                std::string_view after, size_t most);

// Where the row lies in the list: the most urgent first, behind them the open ones whose visit was over when they were
// written, the last first, and behind these those that are snoozed. It was opened.
std::string ListedKey(const base::TenantId& tenant, const CarerVisit& of, const store::Mismatch& row);

// The latest end that the visit has in the row.
absl::Time VisitEnd(const store::Mismatch& row);

// After it nothing is said of the row any more: the visit is over, whichever of its times counts; one that was ever
// open is kept for limits::kMismatchKept longer.
absl::Time EndOf(const store::Mismatch& row);

// All zero where there is none.
absl::StatusOr<store::MismatchLooks> ReadLooks(const storage::Reader& reader, const base::TenantId& tenant);
// Takes up in the looks, which the caller puts, what the clock shows. True where it had been ahead, by more than
// limits::kMismatchClockSlack: of all that waits it is then worked out anew when it is due (retiming.h), by a look that
// the caller schedules.
bool NoteClock(absl::Time now, store::MismatchLooks& looks);
// Lets the task fall due at `due` in place of the time it had. The caller puts the looks.
void ScheduleLook(commit::Transaction& transaction, absl::Time due, store::MismatchLooks& looks);
// Deletes the row of looks that say nothing.
void PutLooks(commit::Transaction& transaction, const store::MismatchLooks& looks);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_MISMATCH_ROWS_H_

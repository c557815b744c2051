#include "server/mismatch/stage.h"

#include "server/mismatch/due.h"

namespace caresync::mismatch {

v1::MismatchState StageOf(const store::Mismatch& row, absl::Time last_call, absl::Duration lead, absl::Time now) {
  if (row.state() == store::Mismatch::RESOLVED) return v1::MISMATCH_STATE_RESOLVED;
  if (row.state() == store::Mismatch::SNOOZED) return v1::MISMATCH_STATE_SNOOZED;
  if (row.state() == store::Mismatch::CLOSED) return v1::MISMATCH_STATE_CLOSED;
  if (!row.has_now()) return v1::MISMATCH_STATE_UNNEEDED_JOURNEY;
  const absl::Time start = StartThatCounts(row);
  if (now < start - lead) return v1::MISMATCH_STATE_CHANGED;
  if (now < start) return v1::MISMATCH_STATE_AT_RISK;
  const bool silent = row.has_acknowledged() && last_call < start;
  return silent ? v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT : v1::MISMATCH_STATE_LIKELY_MISSED_VISIT;
}

absl::Time StageEnds(const store::Mismatch& row, absl::Duration lead, absl::Time now) {
  if (row.state() != store::Mismatch::OPEN || !row.has_now()) return absl::InfiniteFuture();
  const absl::Time start = StartThatCounts(row);
  if (now < start - lead) return start - lead;
  return now < start ? start : absl::InfiniteFuture();
}

}  // namespace caresync::mismatch

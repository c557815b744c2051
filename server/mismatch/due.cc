#include "server/mismatch/due.h"

#include <algorithm>

#include "absl/base/internal/raw_logging.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"

namespace caresync::mismatch {

namespace limits = base::limits;

std::vector<const store::VisitPart*> PartsIn(const store::Mismatch& row) {
  std::vector<const store::VisitPart*> parts;
  if (row.has_acknowledged()) parts.push_back(&row.acknowledged());
  if (row.has_now()) parts.push_back(&row.now());
  if (row.has_withdrawn()) parts.push_back(&row.withdrawn());
  return parts;
}

absl::Time StartThatCounts(const store::Mismatch& row) {
  const absl::Time change = base::FromStoredTime(row.last_change_us());
  absl::Time earliest = absl::InfiniteFuture();
  absl::Time earliest_ahead = absl::InfiniteFuture();
  for (const store::VisitPart* part : PartsIn(row)) {
    const absl::Time start = base::FromStoredTime(part->start_us());
    earliest = std::min(earliest, start);
    if (start >= change) earliest_ahead = std::min(earliest_ahead, start);
  }
  ABSL_RAW_CHECK(earliest != absl::InfiniteFuture(), "a mismatch about nothing");
  return earliest_ahead == absl::InfiniteFuture() ? earliest : earliest_ahead;
}

absl::Time Due(absl::Time change, absl::Time start, const Timing& timing) {
  if (base::HasPlantedBug(base::PlantedBug::kMismatchByGraceAlone)) return change + timing.grace;
  return std::min(std::max(change + timing.grace, start - timing.lead),
                  std::max(change + limits::kMismatchSoonest, start - limits::kMismatchLatest));
}

absl::Time EarliestSign(const store::Mismatch& row) {
  if (!row.has_now()) return absl::InfinitePast();
  return base::FromStoredTime(row.now().start_us()) - limits::kMismatchSignEarliest;
}

}  // namespace caresync::mismatch

#include "server/mismatch/due.h"

#include <algorithm>

#include "absl/base/internal/raw_logging.h"
#include "server/base/clock.h"
#include "server/base/limits.h"

namespace caresync::mismatch {

namespace limits = base::limits;

bool IsAboutSomething(const store::Mismatch& row) {
  return row.has_acknowledged() || row.has_now() || row.has_withdrawn();
}

absl::Time StartThatCounts(const store::Mismatch& row) {
  ABSL_RAW_CHECK(IsAboutSomething(row), "a mismatch about nothing");
  const absl::Time change = base::FromStoredTime(row.last_change_us());
  absl::Time earliest = absl::InfiniteFuture();
  absl::Time earliest_ahead = absl::InfiniteFuture();
  const auto count = [&](const store::VisitPart& part) {
    const absl::Time start = base::FromStoredTime(part.start_us());
    earliest = std::min(earliest, start);
    if (start >= change) earliest_ahead = std::min(earliest_ahead, start);
  };
  if (row.has_acknowledged()) count(row.acknowledged());
  if (row.has_now()) count(row.now());
  if (row.has_withdrawn()) count(row.withdrawn());
  return earliest_ahead == absl::InfiniteFuture() ? earliest : earliest_ahead;
}

absl::Time Due(absl::Time change, absl::Time start) {
  return std::min(std::max(change + limits::kMismatchGrace, start - limits::kMismatchLead),
                  std::max(change + limits::kMismatchSoonest, start - limits::kMismatchLatest));
}

}  // namespace caresync::mismatch

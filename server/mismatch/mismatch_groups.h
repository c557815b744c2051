// Many mismatches at once as a few lines: those of a burst, those of phones that fell silent together, and those of a
// carer who has many. Pure functions.
#ifndef CARESYNC_SERVER_MISMATCH_MISMATCH_GROUPS_H_
#define CARESYNC_SERVER_MISMATCH_MISMATCH_GROUPS_H_

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/uuid.h"

namespace caresync::mismatch {

// What a mismatch is grouped by.
struct Groupable {
  base::Uuid carer;
  absl::Time last_change;
  // When the carer's device synced last, where it is silent or failing since (the mismatch's cause); else nullopt.
  std::optional<absl::Time> last_sync = {};
  // A person put it off: it stands alone.
  bool snoozed = false;
};

struct GroupLine {
  // UNSPECIFIED: it is of one that is in no group.
  v1::MismatchGroupKind kind = v1::MISMATCH_GROUP_KIND_UNSPECIFIED;
  // Which of those given is the first of it, and how many of them are.
  size_t first = 0;
  size_t count = 0;
  std::set<base::Uuid> carers;
  // Of their last changes.
  absl::Time earliest_change = absl::InfiniteFuture();
  absl::Time latest_change = absl::InfinitePast();
  // Of an outage, of their devices' last syncs.
  absl::Time earliest_sync = absl::InfiniteFuture();
  absl::Time latest_sync = absl::InfinitePast();
};

struct GroupLines {
  // In the order of their first ones.
  std::vector<GroupLine> lines;
  // So many from the beginning on are in them; the next one is in no line.
  size_t reached = 0;
};

// The first `most_lines` lines (at least 1) of those that are given. Each is in one:
// - more than limits::kMismatchesOutsideABurst, of more than one carer, whose last changes follow each other within
//   limits::kBurstPause, are a burst;
// - of those that are in none, as many of more than one carer, whose devices are silent or failing and synced last one
//   after the other within limits::kOutagePause, are an outage;
// - of those that are in neither, more than limits::kMismatchesOfCarerAlone of one carer are that carer's group.
GroupLines GroupMismatches(absl::Span<const Groupable> mismatches, size_t most_lines);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_MISMATCH_GROUPS_H_

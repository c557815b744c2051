// Timelines: which store a cursor comes from (design: a cursor is a revision on a timeline, never a clock).
//
// A timeline is a random ID made whenever a store is opened. A tenant's first commit on it records (timeline, first
// revision); it reaches to the revision before the next one's first. Pure functions over a Reader.
#ifndef CARESYNC_SERVER_COMMIT_TIMELINE_H_
#define CARESYNC_SERVER_COMMIT_TIMELINE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::commit {

enum class CursorStanding {
  kKnown,    // Its revision lies in its timeline's range and is not above the head.
  kExpired,  // It lies below the timelines that are still remembered.
  kForeign,  // Neither: it was issued by a store that is not this one's past.
};

std::string NewTimeline(base::RandomSource& random);

// The tenant's head: revision 0 on no timeline before its first commit.
absl::StatusOr<base::CommitPoint> ReadHead(const storage::Reader& reader, const base::TenantId& tenant);

absl::StatusOr<CursorStanding> Standing(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::CommitPoint& cursor);

// A commit of the tenant's past.
struct PastCommit {
  base::CommitPoint point;
  // InfinitePast: there is none, or its time is not remembered any more.
  absl::Time time = absl::InfinitePast();
};

// What the store held when it was opened on `timeline`: the last commit before the tenant's first one there, or the
// head while there is none there.
absl::StatusOr<PastCommit> HeadAtOpening(const storage::Reader& reader, const base::TenantId& tenant,
                                         const std::string& timeline);

// The last commit on `timeline` that is below `before`; nullopt where this store has none.
absl::StatusOr<std::optional<PastCommit>> LastOn(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const std::string& timeline, base::Revision before);

// Records that `timeline` begins with this transaction's revision, and forgets the oldest timeline past
// limits::kTimelines. Returns the revision below which cursors are expired (unchanged where nothing was forgotten).
absl::StatusOr<base::Revision> BeginTimeline(Transaction& transaction, const std::string& timeline,
                                             base::Revision timeline_horizon);

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_TIMELINE_H_

// After a restore: whether devices whose copies come from the lost state still wait, and what ends their waiting.
//
// Nobody tells the server that its store was put back; it shows in cursors that the store does not know. So each
// opening of the store begins as if there had been a restore: devices with foreign cursors wait until every source that
// was active has said that nothing of its own is missing, until a person releases them, or until the bound. Where
// nothing was put back, no cursor is foreign and nobody notices.
//
// Functions over a Reader or a Transaction; those that take a Transaction belong inside a change of the tenant.
#ifndef CARESYNC_SERVER_RESTORE_STANDING_H_
#define CARESYNC_SERVER_RESTORE_STANDING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/commit/timeline.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::restore {

// One opening of the store: its timeline, and when it was opened, by the wall clock as it goes now. Whoever makes one
// counts the time since by the monotonic clock.
struct Opening {
  std::string timeline;
  absl::Time time;
};

struct Standing {
  // Devices with foreign cursors wait.
  bool waiting = false;
  // When the waiting ends at the latest; when it ended.
  absl::Time released_time;
};

// `bound` is how long the tenant lets devices wait. A source is waited for where it was active in the 7 days before the
// last commit that the store held when it was opened: so a backup of long ago is waited for like one of yesterday.
// Where the store knows no source at all, only a person and the bound end the waiting: copies were made of a rota, so
// the store was put back to before its first source.
absl::StatusOr<Standing> StandingOf(const storage::Reader& reader, const base::TenantId& tenant, const Opening& opening,
                                    absl::Duration bound, absl::Time now);

// ---- What a source says

// How often a source's activity is written down in a transaction that writes nothing else: a source that sends what is
// there already takes a revision a day for it. One that sends its whole rota every night, in which nothing differs for
// a week, is as active as any other: phones must not be told that nothing was lost before it has said so.
inline constexpr absl::Duration kActivityAloneEvery = absl::Hours(24);

// Writes down that the source is active, where that is old news: at most every limits::kSourceActivityEvery where the
// transaction has written, else at most every kActivityAloneEvery, and only of a source that is known. Call it last.
absl::Status NoteActivity(commit::Transaction& transaction, const std::string& source);

// The source named a commit that the store knows. Says nothing where it was told of a restore and has not said `resent`
// since: then it is in the midst of sending again. Writes at most once in an opening.
absl::Status ConfirmKnown(commit::Transaction& transaction, const std::string& source, const std::string& opening);

// The source has sent again what was lost. Writes at most once in an opening.
absl::Status ConfirmResent(commit::Transaction& transaction, const std::string& source, const std::string& opening);

// The source named a commit that the store does not know. Returns the last commit that both have in common; where that
// cannot be told, one before it, since what is sent twice does no harm.
absl::StatusOr<commit::PastCommit> NoteForeign(commit::Transaction& transaction, const std::string& source,
                                               const std::string& opening, const base::CommitPoint& seen);

// ---- What a person says

// Ends the waiting of `opening`; returns when it was ended, which may be before.
absl::StatusOr<absl::Time> Release(commit::Transaction& transaction, const std::string& opening);

// ---- What else shows that there was a restore

struct Losses {
  // The revision that noted the last restore that showed: what devices sent to a sync that began below it may be lost.
  // 0: none showed.
  base::Revision noted = 0;
  // The timeline that was asked about is among those whose loss is noted.
  bool is_noted = false;
};
absl::StatusOr<Losses> LossesOf(const storage::Reader& reader, const base::TenantId& tenant,
                                const std::string& timeline);

// Notes that commits of `timeline` are lost, as a foreign cursor shows. Once for each timeline; moves `noted` at most
// once in an opening, so that phones that come one by one make the fleet send its events again once.
absl::Status NoteLost(commit::Transaction& transaction, const std::string& opening, const std::string& timeline);

}  // namespace caresync::restore

#endif  // CARESYNC_SERVER_RESTORE_STANDING_H_

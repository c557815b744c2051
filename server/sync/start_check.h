// Whether a sync may begin, and from where. Pure functions over what was read.
#ifndef CARESYNC_SERVER_SYNC_START_CHECK_H_
#define CARESYNC_SERVER_SYNC_START_CHECK_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/timeline.h"
#include "server/devices/session_rows.h"
#include "server/feed/feed_entry.h"
#include "server/sync/restore_facts.h"
#include "server/sync/resume_token.h"
#include "storage/store.h"

namespace caresync::sync {

// Cuts what a start names and has no bound of its own at limits::kStartTextBytes, and lets fields go that are not
// known: a session keeps its start for hours. A token that is cut was none of this server's, and is none after it.
void KeepWhatIsBounded(v1::Start& start);

// Whose stream it is, as its credential proves.
struct SessionIdentity {
  base::TenantId tenant;
  base::Uuid device;
  base::Uuid carer;
  absl::Time credential_end = absl::InfiniteFuture();
};

// What a start says of the state of the store that it knew; each nullopt where it says nothing that can be read.
struct StartTokens {
  std::optional<ResumeToken> copy;
  std::optional<UploadsToken> uploads;
};

// What a start is judged by, read from one snapshot.
struct StartFacts {
  store::Tenant tenant;
  // nullopt: no such carer is known.
  std::optional<std::string> carer_branch_id;
  devices::StartRows rows;
  // The device's; of one that becomes known by this sync, the carer's. Empty: none.
  std::string branch_id;
  base::CommitPoint head;
  feed::FeedSummary summary;
  // Of the token in `start`, where it has one.
  commit::CursorStanding token_standing = commit::CursorStanding::kForeign;
  // Of the uploads token in `start`; kKnown where it has none.
  commit::CursorStanding uploads_standing = commit::CursorStanding::kKnown;
  RestoreFacts restore;
  // Carers whose copies the device must drop (devices::ReadPendingDrops).
  std::vector<std::string> pending_drops;
  // The office asked the device for a sync, and it was not told yet.
  bool sync_asked = false;
  // The carer works there no more.
  bool carer_left = false;
  // The carer signs in by this start, and may, on another device than the one that was in use.
  bool changes_device = false;
  // And there was one, or it is not known which.
  bool replaces_device = false;
  // Of the carer's copy, where it may be held (devices::ManualSyncDueSince).
  std::optional<absl::Time> manual_due_since;
  // Why no copy can be made now (Admission::RoomForCopy).
  absl::Status copy_room;
};

// Whether the carer's feed has had something past the cursor that is recorded of the device's copy, or none is
// recorded: what is acknowledged next may settle changes of the rota.
bool CursorLags(const v1::Start& start, const StartFacts& facts);

// Whether the carer may hold a copy on the device. `device`: nullopt where it is becoming known by the carer's sync.
// Errors: DEVICE_BLOCKED, CARER_LEFT, CARER_NOT_A_USER.
absl::Status WhyNotHeld(const std::optional<store::Device>& device, const base::Uuid& carer, bool carer_left);

// The same of downloading: also DEVICE_CLONED, which is no reason to drop what is held.
absl::Status WhyNotPermitted(const std::optional<store::Device>& device, const base::Uuid& carer, bool carer_left);

// APP_TOO_OLD where the app is below the tenant's least version.
absl::Status WhyTooOld(const store::Tenant& tenant, std::string_view app_version);

// `signs_in`: the start is the carer's own doing (devices::SignsIn). Errors: TENANT_UNKNOWN; those of reading.
absl::StatusOr<StartFacts> ReadStartFacts(const storage::Reader& reader, const SessionIdentity& identity,
                                          const StartTokens& tokens, bool signs_in, absl::Time now);

// How a sync goes on from what the device holds.
struct StartPlan {
  // Where reading begins.
  feed::Position after;
  // During a rebuild: the revision S at which it began.
  std::optional<base::Revision> rebuild_began;
  uint64_t rebuild_number = 0;
  // Set where a new copy is begun.
  std::optional<v1::RebuildReason> new_copy;
};

// What can be said of `start` alone. Errors: INVALID_FIELD, OTHER_DEVICE, OTHER_CARER, CLEAN_SYNC_WOULD_LOSE_WORK,
// TOO_MANY_EVENTS.
absl::Status CheckStart(const SessionIdentity& identity, const v1::Start& start);

// Whether the carer may download on this device. Errors: those of WhyNotPermitted, APP_TOO_OLD, TOKEN_OF_ANOTHER_COPY.
absl::Status CheckDownload(const SessionIdentity& identity, const v1::Start& start,
                           const std::optional<ResumeToken>& token, const StartFacts& facts);

// A new copy that begins at revision `began`, under a number past every one that was ever used for this copy.
StartPlan NewCopy(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts,
                  base::Revision began, v1::RebuildReason reason);

// Delta from the token's position; resuming the token's unfinished rebuild; or a new copy, with the reason.
StartPlan PlanStart(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts,
                    absl::Time now);

// What the token in `start` makes of the cursor that is recorded of the device's copy in use.
enum class CursorAfter {
  kOfToken,    // The token's: the device holds that much, be it less than what was recorded.
  kNone,       // Nothing is known of the copy in use.
  kUnchanged,  // The token is of a copy that is still being made: it says nothing of the one in use.
};

// `token` is of this device's copy of this carer.
CursorAfter CursorAfterStart(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_START_CHECK_H_

#include "server/sync/restore_wait.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/sync/policy.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {

namespace limits = base::limits;

absl::StatusOr<RestoreFacts> ReadRestoreFacts(const storage::Reader& reader, const base::TenantId& tenant,
                                              const StartTokens& tokens, const StartFacts& facts,
                                              const restore::Opening& opening, absl::Time now) {
  RestoreFacts restore;
  const bool uploads_lost = facts.uploads_standing == commit::CursorStanding::kForeign;
  const bool copy_lost = tokens.copy.has_value() && facts.token_standing == commit::CursorStanding::kForeign;
  std::vector<std::string> lost;
  if (uploads_lost) lost.push_back(tokens.uploads->cursor.timeline);
  if (copy_lost) lost.push_back(tokens.copy->cursor.timeline);
  ASSIGN_OR_RETURN(restore::Losses losses, restore::LossesOf(reader, tenant, ""));
  restore.losses_noted = losses.noted;
  for (const std::string& timeline : lost) {
    ASSIGN_OR_RETURN(losses, restore::LossesOf(reader, tenant, timeline));
    if (!losses.is_noted) restore.loss_to_note = timeline;
  }
  if (!copy_lost) return restore;
  ASSIGN_OR_RETURN(restore.standing,
                   restore::StandingOf(reader, tenant, opening, tenants::RestoreWait(facts.tenant), now));
  return restore;
}

absl::Status CheckWait(const SessionIdentity& identity, const std::optional<ResumeToken>& token,
                       const StartFacts& facts, absl::Time now) {
  if (!token.has_value() || facts.token_standing != commit::CursorStanding::kForeign) return absl::OkStatus();
  const restore::Standing& standing = facts.restore.standing;
  const absl::Time place = standing.released_time + PlaceIn(limits::kRebuildSpread, identity.device);
  // The waiting may end sooner than it must.
  if (standing.waiting) {
    return base::errors::WaitingAfterRestore(std::min(place - now, limits::kRestoreRetryAfter));
  }
  // Before its end: somebody has set the wall clock back, and places in time mean nothing any more.
  const bool place_is_ahead = standing.released_time <= now && now < place;
  if (!place_is_ahead) return absl::OkStatus();
  return base::errors::TurnAfterRestore(place - now);
}

}  // namespace caresync::sync

#include "server/sync/unrecorded_ends.h"

#include <memory>
#include <optional>

#include "server/base/status_macros.h"
#include "server/devices/session_rows.h"
#include "server/devices/sync_history.h"

namespace caresync::sync {
namespace {

absl::StatusOr<bool> EndedUnrecorded(const SyncParts& parts, const base::TenantId& tenant, const base::Uuid& device,
                                     const std::string& session_id) {
  if (parts.live.IsLive(session_id)) return false;
  // It left after it had written what it could: only what is read from now on tells whether its end is among that.
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts.store.NewSnapshot());
  ASSIGN_OR_RETURN(const devices::StartRows rows, devices::ReadStartRows(*snapshot, tenant, device));
  return rows.last_sync.has_value() && rows.last_sync->session_id() == session_id &&
         rows.last_sync->outcome() == v1::SYNC_OUTCOME_UNDER_WAY;
}

absl::StatusOr<bool> EndedIdle(const SyncParts& parts, const base::TenantId& tenant, const base::Uuid& device,
                               const store::SyncRow& sync) {
  // Another session that is open may have ended this one in the middle of a round, and has not written so yet.
  if (parts.live.IsLive(sync.session_id()) || parts.live.OpenOf(tenant, device).has_value()) return false;
  if (parts.live.rows_lost()) return false;
  // A round is written down as it begins. One may have begun and ended since the snapshot was taken.
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, parts.store.NewSnapshot());
  ASSIGN_OR_RETURN(const std::optional<store::SyncRow> last, devices::ReadLastSync(*snapshot, tenant, device));
  return last.has_value() && last->session_id() == sync.session_id() && last->outcome() == v1::SYNC_OUTCOME_SUCCEEDED &&
         last->confirmations() == sync.confirmations();
}

}  // namespace

devices::SyncsUnderWay SyncsOf(const SyncParts& parts) {
  return {.opening = parts.opening,
          .ended_unrecorded =
              [&parts](const base::TenantId& tenant, const base::Uuid& device, const std::string& session_id) {
                return EndedUnrecorded(parts, tenant, device, session_id);
              },
          .ended_idle = [&parts](const base::TenantId& tenant, const base::Uuid& device,
                                 const store::SyncRow& sync) { return EndedIdle(parts, tenant, device, sync); },
          .is_open = [&parts](const base::TenantId& tenant,
                              const base::Uuid& device) { return parts.live.OpenOf(tenant, device).has_value(); }};
}

}  // namespace caresync::sync

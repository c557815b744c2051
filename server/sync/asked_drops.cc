#include "server/sync/asked_drops.h"

#include <memory>

#include "caresync/store/stored.pb.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"

namespace caresync::sync {

void TellDrops(const SyncParts& parts, const base::TenantId& tenant, const base::Uuid& device) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = parts.store.NewSnapshot();
  if (!snapshot.ok()) return;
  const auto row = devices::ReadDevice(**snapshot, tenant, device);
  if (!row.ok() || !row->has_value()) return;
  const DropAsked asked{devices::PendingDrops(**row)};
  if (!asked.carer_ids.empty()) parts.live.Tell(tenant, device, asked);
}

}  // namespace caresync::sync

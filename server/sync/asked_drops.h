// Telling a device that is connected whose copies it is to drop.
#ifndef CARESYNC_SERVER_SYNC_ASKED_DROPS_H_
#define CARESYNC_SERVER_SYNC_ASKED_DROPS_H_

#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/sync/session_driver.h"

namespace caresync::sync {

// To be called after what is asked of the device has changed (devices/drops.h). What cannot be read now, or reaches no
// session, is told by the device's next start. Thread-safe; reads the store.
void TellDrops(const SyncParts& parts, const base::TenantId& tenant, const base::Uuid& device);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_ASKED_DROPS_H_

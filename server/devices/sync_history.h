// What a device's syncs came to, or a carer's on whatever device, newest first.
#ifndef CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_
#define CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::devices {

// One page. Errors: INVALID_FIELD (where not exactly one of device and carer is named, too), DEVICE_UNKNOWN,
// CARER_UNKNOWN, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListSyncsResponse> ListSyncs(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::ListSyncsRequest& request, const SyncsUnderWay& syncs);

// The device's last sync, however it ended; nullopt: it has none. Errors are those of reading.
absl::StatusOr<std::optional<store::SyncRow>> ReadLastSync(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const base::Uuid& device);

// Where a sync stands in its carer's history: when it began, and which one of the device's it is.
struct CarerSyncPlace {
  int64_t start_us = 0;
  base::Uuid device;
  uint64_t number = 0;
};

struct CarerSyncPlaces {
  // The one that began last is the first.
  std::vector<CarerSyncPlace> places;
  // A place cannot be read, and is left out.
  bool damaged = false;
};

// At most `most` of the carer's syncs, on whatever device, those behind the key `after` (keys::SyncOfCarer; empty: the
// last ones). Errors are those of reading.
absl::StatusOr<CarerSyncPlaces> ReadCarerSyncPlaces(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, std::string_view after, size_t most);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_SYNC_HISTORY_H_
